"""What a layer of the receive path costs by itself, without a socket.

Frames are put where aiohttp's parser puts them, so a difference of a few nanoseconds shows.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType
from harness import AGAIN, Variant, low, median_ratio, rounds
from peers import ENGINE, RAW, Receive, loops, server
from table import Table

import recloser
from recloser.fsm.record import Close
from recloser.transport import AiohttpTransport, Heartbeat, Request, Wire

BLOCK = 400
"""Messages a turn; their size with aiohttp's overhead stays below the limit that pauses reading."""
TEXT = "x" * 32
FRAME = WSMessage(WSMsgType.TEXT, TEXT, None)

RECEIVE = ": await receive()"
ITERATE = ": async for"


class Tap(ClientWebSocketResponse[Any]):
    """Keeps the queue that aiohttp's parser feeds."""

    __slots__ = ("queue",)

    def __init__(self, reader: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(reader, *args, **kwargs)
        self.queue = reader


class Tapped(AiohttpTransport):
    """Keeps the wire that it dialled."""

    wire: Wire

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> Any:
        self.wire = await super().dial(request, ended)
        return self.wire


def tables(scale: float) -> list[Table]:
    """Measure on every event loop."""
    with server("/idle") as url:
        return [run(_measure(name, url, int(3000 * scale))) for name, run in loops().items()]


async def _measure(loop: str, url: str, count: int) -> Table:
    variants: dict[str, Variant] = {}
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(ws_response_class=Tap))
        for name in (RAW + RECEIVE, RAW + RECEIVE + AGAIN):
            raw = cast("Tap", await stack.enter_async_context(session.ws_connect(url)))
            variants[name] = _by_call(raw.queue, raw.receive)
        raw = cast("Tap", await stack.enter_async_context(session.ws_connect(url)))
        variants[RAW + ITERATE] = _by_iteration(raw.queue, raw)
        for name in (RECEIVE, ITERATE):
            transport = Tapped(heartbeat=Heartbeat())
            engine = await stack.enter_async_context(recloser.connect(url, transport=transport))
            queue = cast("Any", transport.wire.read).__self__
            if name == RECEIVE:
                variants[ENGINE + name] = _by_call(queue, engine.receive)
            else:
                variants[ENGINE + name] = _by_iteration(queue, engine)
        found = await rounds(variants, count)
    return _table(f"Receive in memory, {loop}, {count} rounds of {BLOCK}", found)


def _table(title: str, found: dict[str, Any]) -> Table:
    table = Table(
        title,
        [
            "ns a message, low decile",
            "ratio to receive()",
            "median in a round",
            "ratio to async for",
        ],
        judged="ratio of low deciles to the same call of aiohttp",
    )
    base, iterated = found[RAW + RECEIVE].wall, found[RAW + ITERATE].wall
    for name, series in found.items():
        ratio, other = low(series.wall) / low(base), low(series.wall) / low(iterated)
        judged, goal = None, None
        if name == ENGINE + RECEIVE:
            judged, goal = ratio, 1.0
        elif name == ENGINE + ITERATE:
            judged, goal = other, 0.5
        table.add(
            name,
            f"{low(series.wall) / BLOCK:.0f}",
            f"{ratio:.3f}",
            f"{median_ratio(series.wall, base):.3f}",
            f"{other:.3f}",
            judged=judged,
            goal=goal,
        )
    return table


def _by_call(queue: Any, receive: Receive) -> Variant:
    async def turn() -> None:
        for _ in range(BLOCK):
            await receive()

    return Variant(turn, before=_feeding(queue))


def _by_iteration(queue: Any, source: AsyncIterator[object]) -> Variant:
    async def turn() -> None:
        left = BLOCK
        async for _ in source:
            left -= 1
            if not left:
                break

    return Variant(turn, before=_feeding(queue))


def _feeding(queue: Any) -> Any:
    async def feed() -> None:
        for _ in range(BLOCK):
            queue.feed_data(FRAME, len(TEXT))

    return feed
