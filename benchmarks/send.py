"""Sending while open, to a server that reads and says nothing."""

from contextlib import AsyncExitStack

from harness import AGAIN, Variant, low, median_ratio, rounds
from peers import ENGINE, RAW, Receive, Send, loops, open_all, server
from table import Table

GOAL = 1.05
BLOCK = 20
SIZES = (32, 1024)


def tables(scale: float) -> list[Table]:
    """Measure both sizes on every event loop."""
    with server("/sink") as url:
        return [
            run(_measure(name, url, size, int(1000 * scale)))
            for name, run in loops().items()
            for size in SIZES
        ]


async def _measure(loop: str, url: str, size: int, count: int) -> Table:
    async with AsyncExitStack() as stack:
        clients = await open_all(stack, url, RAW + AGAIN)
        variants = {name: _burst("x" * size, *client) for name, client in clients.items()}
        found = await rounds(variants, count)
    base = found[RAW]
    table = Table(
        f"Send, {size} bytes, {loop}, {count} rounds of {BLOCK}",
        ["µs each, low decile", "ratio of low deciles", "ratio", "CPU ratio"],
        judged="CPU ratio",
    )
    for name, series in found.items():
        cpu = median_ratio(series.cpu, base.cpu)
        table.add(
            name,
            f"{low(series.wall) / BLOCK / 1e3:.2f}",
            f"{low(series.wall) / low(base.wall):.3f}",
            f"{median_ratio(series.wall, base.wall):.3f}",
            f"{cpu:.3f}",
            judged=cpu,
            goal=GOAL if name == ENGINE else None,
        )
    return table


def _burst(message: str, send: Send, receive: Receive) -> Variant:
    async def turn() -> None:
        for _ in range(BLOCK):
            await send(message)

    async def drained() -> None:
        await send("?")
        await receive()

    return Variant(turn, after=drained)
