"""A law of a transport, and the stage on which it is tried: a peer on a real socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

from recloser.fsm.record import Close
from recloser.testing.doubles.raw_server import RawPeer, RawServer, raw_server
from recloser.transport.base import DialFailed, Opcode, Request
from recloser.transport.heartbeat import Heartbeat
from recloser.transport.wire import Transport, Wire

PATIENCE: Final = ContextVar("recloser_patience", default=5.0)
"""Seconds that a transport may take for one thing that it must do."""

MAX_SIZE: Final = 4 * 2**20
"""Bytes from which a message is refused, unless a law says otherwise."""


class MakeTransport(Protocol):
    """Makes the transport under test: a function or a class that takes these keywords."""

    def __call__(
        self, *, ssl: ssl.SSLContext | bool, max_message_size: int, heartbeat: Heartbeat | None
    ) -> Transport:
        """Make one."""
        ...


class LawBroken(Exception):
    """What is wrong, in one sentence."""


def hold(condition: object, problem: str) -> None:
    """Raise `LawBroken` unless the condition holds."""
    if not condition:
        raise LawBroken(problem)


async def within(awaitable: Awaitable[Any], problem: str) -> Any:
    """Await for `PATIENCE`; raises `LawBroken` if that is too long, or the peer finds an end."""
    patience = PATIENCE.get()
    try:
        async with asyncio.timeout(patience):
            return await awaitable
    except TimeoutError:
        raise LawBroken(f"{problem} within {patience:g} s") from None
    except (EOFError, ConnectionError):
        raise LawBroken(f"{problem}: the connection ended") from None


async def until(condition: Callable[[], object], problem: str) -> None:
    """Wait until the condition holds; raises `LawBroken` if it does not in `PATIENCE`."""

    async def wait() -> None:
        while not condition():  # noqa: ASYNC110 - a transport sets no event
            await asyncio.sleep(0.005)

    await within(wait(), problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLaw:
    """A promise of a transport, why it matters, and how it is tried.

    `check(stage)` is a coroutine function that opens connections on the stage and raises
    `LawBroken` for what is wrong. `clauses` are those of the specification that it shows.
    """

    name: str
    claim: str
    why: str
    clauses: tuple[str, ...]
    check: Callable[["Stage"], Awaitable[None]]
    incident: str = ""
    optional: bool = False
    """Only some transports can keep it; it is checked when it is named."""


class Line:
    """One connection: the wire, the peer, what the wire told, and a consumer for it."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.told: list[Close] = []
        self.wire: Wire
        self.peer: RawPeer

    async def receive(self) -> str | bytes | None:
        """Receive as an engine does; None once the wire is over and all was taken."""
        wire = self.wire
        while True:
            if wire.busy:
                message = wire.take()
                if message is not None:
                    return message
                if wire.busy:
                    hold(wire.over, "take() gives nothing and busy stays set on a live wire")
                    return None
            try:
                wire.busy = True
                try:
                    frame = await wire.read()
                finally:
                    wire.busy = False
            except Exception as error:  # noqa: BLE001 - the wire judges what read() raises
                wire.read_failed(error)
                continue
            if frame.type is Opcode.TEXT or frame.type is Opcode.BINARY:
                data: str | bytes = frame.data
                return data
            wire.control(frame)

    async def all(self) -> list[str | bytes]:
        """Receive all that comes until the end."""
        found: list[str | bytes] = []

        async def collect() -> None:
            while (message := await self.receive()) is not None:
                found.append(message)

        await within(collect(), "the consumer was not told of the end")
        return found

    async def end(self) -> Close:
        """Wait for the end without a consumer; give the record once the descriptor is free."""
        await until(lambda: self.told, "the end was not told")
        await within(self.wire.wait_closed(), "wait_closed() did not return")
        hold(len(self.told) == 1, f"the end was told {len(self.told)} times")
        return self.told[0]


class Stage:
    """Where a law is tried: it makes transports, servers and connections, and notes the story."""

    def __init__(
        self,
        make: MakeTransport,
        contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    ) -> None:
        self.make = make
        self.contexts = contexts
        """TLS of the server and of the client."""
        self.story: list[str] = []

    def note(self, what: str) -> None:
        """Add one line to the story of this law."""
        self.story.append(what)

    @asynccontextmanager
    async def transport(
        self,
        *,
        secure: bool = False,
        max_message_size: int = MAX_SIZE,
        heartbeat: Heartbeat | None = None,
    ) -> AsyncIterator[Transport]:
        """Make a transport, and close it."""
        client: ssl.SSLContext | bool = True
        if secure:
            client = self.contexts[1]
        made = self.make(ssl=client, max_message_size=max_message_size, heartbeat=heartbeat)
        try:
            yield made
        finally:
            await within(made.aclose(), "aclose() did not return")

    @asynccontextmanager
    async def server(
        self, *, secure: bool = False, receive_buffer: int | None = None
    ) -> AsyncIterator[RawServer]:
        """Listen on loopback."""
        tls = self.contexts[0] if secure else None
        async with raw_server(tls=tls, receive_buffer=receive_buffer) as server:
            yield server

    @asynccontextmanager
    async def line(
        self,
        *,
        secure: bool = False,
        receive_buffer: int | None = None,
        tail: bytes = b"",
        headers: str = "",
        max_message_size: int = MAX_SIZE,
        heartbeat: Heartbeat | None = None,
        request: Callable[[str], Request] = Request,
    ) -> AsyncIterator[Line]:
        """Open a connection; on the way out it is aborted."""
        async with (
            self.server(secure=secure, receive_buffer=receive_buffer) as server,
            self.transport(
                secure=secure, max_message_size=max_message_size, heartbeat=heartbeat
            ) as transport,
        ):
            line = Line(self)
            dial = asyncio.ensure_future(transport.dial(request(server.url), line.told.append))
            try:
                line.peer = await within(server.accept(), "nothing was dialled")
                await within(
                    line.peer.upgrade(tail=tail, headers=headers), "no upgrade was asked for"
                )
                line.wire = await within(dial, "the dial did not return")
            except DialFailed as failed:
                raise LawBroken(f"a good upgrade failed: {failed.close}") from None
            finally:
                dial.cancel()
                await asyncio.wait({dial})
            self.note("a connection opens" + (", over TLS" if secure else ""))
            try:
                yield line
            finally:
                line.wire.abort()
                await within(line.wire.wait_closed(), "wait_closed() did not return after abort()")
