"""One round trip on each client in turn: what a message costs when messages come one by one."""

import statistics
from contextlib import AsyncExitStack

from harness import AGAIN, Variant, median_ratio, rounds
from peers import ENGINE, RAW, Receive, Send, loops, open_all, server
from table import Table

GOAL = 1.03
MESSAGE = "x" * 32


def tables(scale: float) -> list[Table]:
    """Measure on every event loop."""
    with server("/echo") as url:
        return [run(_measure(name, url, int(4000 * scale))) for name, run in loops().items()]


async def _measure(loop: str, url: str, count: int) -> Table:
    async with AsyncExitStack() as stack:
        clients = await open_all(stack, url, RAW + AGAIN)
        variants = {name: _trip(*client) for name, client in clients.items()}
        found = await rounds(variants, count, warm=50)
    base = found[RAW]
    table = Table(
        f"Ping-pong, 32 bytes, {loop}, {count} rounds",
        ["µs, median", "ratio", "CPU ratio"],
        judged="ratio and CPU ratio",
    )
    for name, series in found.items():
        wall = median_ratio(series.wall, base.wall)
        cpu = median_ratio(series.cpu, base.cpu)
        table.add(
            name,
            f"{statistics.median(series.wall) / 1e3:.1f}",
            f"{wall:.3f}",
            f"{cpu:.3f}",
            judged=max(wall, cpu),
            goal=GOAL if name == ENGINE else None,
        )
    return table


def _trip(send: Send, receive: Receive) -> Variant:
    async def turn() -> None:
        await send(MESSAGE)
        await receive()

    return Variant(turn)
