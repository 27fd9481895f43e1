"""A wire that really is connected to a scripted peer, and the least engine that reads it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from threading import Event
from typing import TYPE_CHECKING, Any

from recloser.fsm.record import Close
from recloser.testing.doubles.raw_server import PATIENCE
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, Opcode, Request

if TYPE_CHECKING:
    from recloser.transport.aiohttp_wire import AiohttpWire


TRANSPORT: ContextVar[type[AiohttpTransport]] = ContextVar("transport", default=AiohttpTransport)
"""What `linked` dials with: see conftest.py."""


class Link:
    """Both ends of one connection, and what the wire told of its end."""

    def __init__(self, transport: AiohttpTransport, server: Server) -> None:
        self.transport = transport
        self.server = server
        self.told: list[Close] = []
        self._end: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
        self.wire: AiohttpWire
        self.peer: Peer

    def ended(self, close: Close) -> None:
        self.told.append(close)
        if not self._end.done():
            self._end.set_result(close)

    async def end(self) -> Close:
        """The record of the end, told exactly once, with the descriptor free."""
        close = await asyncio.wait_for(asyncio.shield(self._end), PATIENCE)
        await asyncio.wait_for(self.wire.wait_closed(), PATIENCE)
        assert self.told == [close]
        return close

    async def receive(self) -> str | bytes | None:
        """What an engine's receive() does; None once nothing is left."""
        wire = self.wire
        while True:
            if wire.busy:
                message = wire.take()
                if message is not None:
                    return message
                if wire.busy:
                    return None
            try:
                wire.busy = True
                try:
                    frame = await wire.read()
                finally:
                    wire.busy = False
            except Exception as error:  # noqa: BLE001 - the wire judges it
                wire.read_failed(error)
                continue
            if frame.type is Opcode.TEXT or frame.type is Opcode.BINARY:
                return frame.data  # type: ignore[no-any-return]  # aiohttp types it as Any
            wire.control(frame)

    async def all(self) -> list[str | bytes]:
        found: list[str | bytes] = []
        while (message := await asyncio.wait_for(self.receive(), PATIENCE)) is not None:
            found.append(message)
        return found


@asynccontextmanager
async def linked(
    *,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
    receive_buffer: int | None = None,
    tail: bytes = b"",
    headers: str = "",
    request: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Link]:
    """Dial a scripted peer; on the way out nothing may be left open."""
    if tls is not None:
        options["ssl"] = tls[1]
    options.setdefault("heartbeat", None)
    transport = TRANSPORT.get()(**options)
    async with serving(tls=tls and tls[0], receive_buffer=receive_buffer) as server:
        link = Link(transport, server)

        async def answer() -> Peer:
            peer = await server.accept()
            await peer.upgrade(tail=tail, headers=headers)
            return peer

        link.wire, link.peer = await asyncio.gather(
            transport.dial(Request(server.url, **(request or {})), link.ended), answer()
        )
        try:
            yield link
        finally:
            link.wire.abort()
            await asyncio.wait_for(link.wire.wait_closed(), PATIENCE)
            await transport.aclose()


def timers() -> int:
    """How many timers are set; asyncio tells, uvloop does not."""
    scheduled = getattr(asyncio.get_running_loop(), "_scheduled", ())
    return sum(not handle.cancelled() for handle in scheduled)


def block(seconds: float) -> None:
    """Hold the event loop, as a call does that blocks; the processor is left to others."""
    Event().wait(seconds)


async def turns(count: int = 3) -> None:
    """Let the event loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go round until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the kernel sets no event
            await asyncio.sleep(0)
