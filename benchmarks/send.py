"""Sending while open, to a server that reads and says nothing; and a flush of what had to wait."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
from harness import AGAIN, Series, Variant, low, median_ratio, rounds
from peers import ENGINE, RAW, Receive, Send, loops, open_all, server
from table import Table

import recloser

GOAL = 1.05
BLOCK = 20
SIZES = (32, 1024)
FLUSHED = 400
"""Messages of a flush: so many that the change to open, which starts it, counts for little."""

OUTBOX = f"{ENGINE}, outbox"
QUEUE = f"{ENGINE}, queued while connecting"
FLUSH = f"{ENGINE}, flushed"


def tables(scale: float) -> list[Table]:
    """Measure both sizes, and the flush, on every event loop."""
    with server("/sink") as url:
        return [
            table
            for name, run in loops().items()
            for table in (
                *(run(_measure(name, url, size, int(1000 * scale))) for size in SIZES),
                run(_measure_flush(name, url, max(2, int(300 * scale)))),
            )
        ]


async def _measure(loop: str, url: str, size: int, count: int) -> Table:
    async with AsyncExitStack() as stack:
        clients = await open_all(stack, url, RAW + AGAIN)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        kept = recloser.connect(url, session=session, outbox=recloser.Outbox())
        await stack.enter_async_context(kept)
        clients[OUTBOX] = kept.send, kept.receive
        variants = {name: _burst("x" * size, BLOCK, *client) for name, client in clients.items()}
        found = await rounds(variants, count)
    goals = {ENGINE: GOAL, OUTBOX: GOAL}
    return _table(f"Send, {size} bytes, {loop}, {count} rounds of {BLOCK}", found, BLOCK, goals)


async def _measure_flush(loop: str, url: str, count: int) -> Table:
    message = "x" * SIZES[0]
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        variants = {}
        for name in (RAW, RAW + AGAIN):
            raw = await stack.enter_async_context(session.ws_connect(url))
            variants[name] = _burst(message, FLUSHED, raw.send_str, raw.receive)
        direct = await stack.enter_async_context(recloser.connect(url, session=session))
        variants[ENGINE] = _burst(message, FLUSHED, direct.send, direct.receive)
        for name in (QUEUE, FLUSH):
            halt = Halt(url, session)
            await stack.enter_async_context(halt.ws)
            variants[name] = halt.queueing(message) if name == QUEUE else halt.flushing(message)
        found = await rounds(variants, count)
    title = f"Queue and flush, {SIZES[0]} bytes, {loop}, {count} rounds of {FLUSHED}"
    return _table(title, found, FLUSHED, {})


def _table(title: str, found: dict[str, Series], block: int, goals: dict[str, float]) -> Table:
    base = found[RAW]
    table = Table(
        title,
        ["µs each, low decile", "ratio of low deciles", "ratio", "CPU ratio"],
        judged="CPU ratio" if goals else "",
    )
    for name, series in found.items():
        cpu = median_ratio(series.cpu, base.cpu)
        table.add(
            name,
            f"{low(series.wall) / block / 1e3:.2f}",
            f"{low(series.wall) / low(base.wall):.3f}",
            f"{median_ratio(series.wall, base.wall):.3f}",
            f"{cpu:.3f}",
            judged=cpu,
            goal=goals.get(name),
        )
    return table


def _burst(message: str, block: int, send: Send, receive: Receive) -> Variant:
    async def turn() -> None:
        for _ in range(block):
            await send(message)

    async def drained() -> None:
        await send("?")
        await receive()

    return Variant(turn, after=drained)


class Halt:
    """An engine with an outbox, which is connecting for as long as it is told to."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.here, self.on = asyncio.Event(), asyncio.Event()
        self.on.set()
        self.ws = recloser.connect(
            url, session=session, outbox=recloser.Outbox(), on_open=self._opening
        )

    async def _opening(self, _: recloser.Opening) -> None:
        self.here.set()
        await self.on.wait()

    async def halt(self) -> None:
        """Leave, dial anew, and stop before the connection counts as open."""
        self.here.clear()
        self.on.clear()
        await self.ws.suspend()
        self.ws.connect()  # `reconnect()` would keep the gap of a second
        await self.here.wait()

    async def go_on(self) -> None:
        """Open, and wait until all that was queued has gone out."""
        self.on.set()
        await self.ws.drain()

    async def caught_up(self) -> None:
        """Wait until the server has read everything."""
        await self.ws.send("?")
        await self.ws.receive()

    def queueing(self, message: str) -> Variant:
        """Time what `send` takes while there is no connection."""

        async def turn() -> None:
            for _ in range(FLUSHED):
                await self.ws.send(message)

        async def after() -> None:
            await self.go_on()
            await self.caught_up()

        return Variant(turn, before=self.halt, after=after)

    def flushing(self, message: str) -> Variant:
        """Time from the moment that the connection may open until nothing is held."""

        async def before() -> None:
            await self.halt()
            for _ in range(FLUSHED):
                await self.ws.send(message)

        return Variant(self.go_on, before=before, after=self.caught_up)
