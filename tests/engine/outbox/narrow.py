"""A real engine on real sockets, of which the client's takes as many bytes as a test says."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

import recloser
from recloser import Delivery, Outbox, Retry, State, StateChange
from recloser.fsm.decisions import MIN_GAP
from recloser.fsm.states import Trigger
from recloser.testing import HandClock
from recloser.testing.doubles.raw_server import (
    PING,
    RawPeer,
    RawServer,
    close_frame,
    frame,
    raw_server,
)
from tests.engine.rig import Answering

PATIENCE = 120.0
"""Seconds after which a connection that comes to no end fails instead of hanging."""
CLOSING = 5.0
"""`timeouts.close`."""

Message = str | bytes


class Narrow(socket.socket):
    """A real socket with a send buffer that takes `room` bytes more; None: what the kernel takes.

    asyncio asks it as it asks any socket, and is told what a kernel without room says.
    """

    room: int | None = None
    taken = 0
    full = False

    def send(self, data: Any, flags: int = 0, /) -> int:
        if self.room is not None:
            data = memoryview(data)[: self.room]
            self.full = not data
            if self.full:
                raise BlockingIOError
        count = super().send(data, flags)
        self.taken += count
        if self.room is not None:
            self.room -= count
        return count

    def sendmsg(self, buffers: Iterable[Any], /, *_: Any) -> int:
        """As asyncio writes since Python 3.12."""
        return self.send(b"".join(buffers))


def encoded(message: Message) -> tuple[int, bytes]:
    """Opcode and payload (RFC 6455 section 5.6)."""
    return (1, message.encode()) if isinstance(message, str) else (2, message)


def framed(message: Message) -> int:
    """Bytes of the frame: two, the longer length, the mask, the payload (RFC 6455 section 5.2)."""
    size = len(encoded(message)[1])
    return 2 + (0 if size < 126 else 2 if size < 2**16 else 8) + 4 + size


def whole(messages: Iterable[Message], taken: int) -> int:
    """How many frames are whole within the first `taken` bytes."""
    found = 0
    for each in messages:
        taken -= framed(each)
        if taken < 0:
            break
        found += 1
    return found


def messages_in(stream: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of the whole messages in a client's bytes, without control frames."""
    found = []
    while len(stream) >= 6:
        size, at = stream[1] & 127, 2
        if size == 126:
            size, at = struct.unpack_from("!H", stream, 2)[0], 4
        elif size == 127 and len(stream) >= 10:
            size, at = struct.unpack_from("!Q", stream, 2)[0], 10
        end = at + 4 + size
        if len(stream) < end:
            break
        mask = (stream[at : at + 4] * (size // 4 + 1))[:size]
        payload = int.from_bytes(stream[at + 4 : end]) ^ int.from_bytes(mask)
        if not stream[0] & 8:
            found.append((stream[0] & 15, payload.to_bytes(size)))
        stream = stream[end:]
    return found


@dataclass(frozen=True)
class Cut:
    """When and how a connection ends."""

    kind: str
    room: int
    """Bytes that leave while the engine hands its messages over."""
    later: int = 0
    """Bytes that leave afterwards, when it looks no more."""
    turns: int | None = None
    """The end comes after so many turns of the event loop; None: when no more can leave."""
    spoken: int = 0
    """If not 0, one more message of that size is sent then; as many bytes leave again after it."""
    pings: int = 0
    """Of the peer, then: the answers go behind what is queued."""
    opens: str = ""
    """The rest may leave before anybody has noticed the end: "at once", or "closing", when
    asyncio has met the FIN and closes after the rest."""
    attended: bool = False
    """Somebody receives."""
    pace: int = 1
    """Turns of the event loop from one look of the wire after itself to the next."""

    @property
    def exact(self) -> bool:
        """Whether it is known to the byte what had left.

        Where nobody receives, a FIN may be met before the close frame ahead of it is read.
        """
        return self.kind in EXACT and (self.attended or self.kind != "farewell")


EXACT = ("close", "farewell", "suspend", "reconnect", "stop", "silence")
"""A close frame, or the engine itself."""
ROUGH = ("fin", "reset")


@dataclass
class Line:
    """An engine, the server that it dials, and what it ought to be holding."""

    clock: HandClock
    resend: bool
    server: RawServer = field(init=False)
    ws: recloser.ReconnectingWebSocket = field(init=False)
    sock: Narrow = field(init=False)
    """The client's, on the connection that is last."""
    room: int | None = None
    """For the connection that is next."""
    expected: list[Message] = field(default_factory=list)

    def changed(self, change: StateChange) -> None:
        if change.current is State.OPEN:
            self.sock.room, self.sock.taken = self.room, 0
        elif change.trigger is Trigger.LOST:
            self.sock.room = None  # what would still leave now, may

    def made(self, address: Any) -> socket.socket:
        self.sock = Narrow(*address[:3])
        return self.sock

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - the kernel sets no event
            await asyncio.sleep(0)

    async def connect(self, messages: Sequence[Message], room: int) -> RawPeer:
        """Open a connection on which so many bytes may leave."""
        self.room = room
        self.ws.connect()
        for message in messages:
            await self.ws.send(message)
        self.expected += messages
        peer = await self.server.accept()
        await peer.upgrade()
        await self.ws.wait_for(State.OPEN)
        return peer

    async def cut(self, messages: Sequence[Message], cut: Cut) -> None:
        """Live through one connection that is cut, and see what arrived and what is held."""
        async with asyncio.timeout(PATIENCE):
            await self._cut(messages, cut)

    async def _cut(self, messages: Sequence[Message], cut: Cut) -> None:
        peer = await self.connect(messages, cut.room)
        sock = self.sock
        stream = bytearray()
        reader = asyncio.create_task(read(peer, stream))
        receiver = asyncio.create_task(anext(self.ws)) if cut.attended else None
        for _ in range(cut.turns or 0):
            await asyncio.sleep(0)
        seen, speaker = 0, None
        if cut.turns is None:
            seen = await self.stuck()
            assert seen == min(cut.room, sum(map(framed, self.expected)))
            if cut.pings:
                await self.ping(peer, cut.pings)
            sock.room, sock.full = cut.later, False
            if cut.spoken:
                left = min(await self.stuck(), sum(map(framed, self.expected)))
                self.expected.append("m" * cut.spoken)
                speaker = asyncio.create_task(self.ws.send(self.expected[-1]))
                await asyncio.sleep(0)
                if speaker.done() and speaker.result() is Delivery.SENT:
                    seen = left  # it went to the socket, and that was looked at
                sock.room, sock.full = cut.later, False
            await self.stuck()
        if cut.kind == "reset":
            sock.room = 0  # what a reset meets in the kernel is gone, and nobody can know
        elif cut.opens == "at once":
            sock.room = None
        await self.end(cut, peer, reader, lambda: len(stream) == sock.taken)
        if receiver is not None:
            receiver.cancel()
            await asyncio.wait((receiver,))
        if speaker is not None:
            await asyncio.wait((speaker,))
            assert speaker.exception() is None or not self.resend
        await asyncio.wait((reader,), timeout=PATIENCE)
        assert reader.done(), f"{cut}: the socket is not released"
        peer.sock.close()
        self.check(cut, messages_in(bytes(stream)), seen)

    def check(self, cut: Cut, arrived: list[tuple[int, bytes]], seen: int) -> None:
        """Each message arrived, or is held; `seen` bytes had left when the engine looked last."""
        held = [message.data for message in self.ws.outbox.peek()]
        left = len(self.expected) - len(held)
        what = f"{cut}: {len(arrived)} arrived, {len(held)} held of {len(self.expected)}"
        assert arrived == [encoded(each) for each in self.expected[: len(arrived)]], what
        assert held == self.expected[left:], what
        told = self.ws.last_close.unsent if self.ws.last_close else 0
        assert told == len(held) if self.resend else told >= len(held), what
        if not self.resend:
            assert left >= len(arrived), what
        elif cut.exact:
            assert left == len(arrived), what
        else:
            # Nothing is lost, and nothing is repeated that was seen to have left.
            assert whole(self.expected, seen) <= left <= len(arrived), what
        self.expected = held

    async def stuck(self) -> int:
        """Wait until no more can leave, or all has left; how many bytes that was."""
        sock, total = self.sock, sum(map(framed, self.expected))
        await self.until(lambda: sock.full or sock.taken >= total)
        return sock.taken

    async def ping(self, peer: RawPeer, times: int) -> None:
        """Have the wire answer pings, or put the answers off while more than 64 KiB wait."""
        wire: Any = self.ws._driver.generation and self.ws._driver.generation.wire
        await peer.send(frame(PING, bytes(125)) * times)
        for _ in range(4):
            wire.tick()  # reads, if nobody else does
            await asyncio.sleep(0)

    async def end(
        self, cut: Cut, peer: RawPeer, reader: "asyncio.Task[None]", all_read: Callable[[], bool]
    ) -> None:
        """Bring the end about, and wait until the engine has taken it in."""
        ws, leaver = self.ws, None
        wire: Any = ws._driver.generation and ws._driver.generation.wire
        match cut.kind:
            case "close":
                await peer.send(close_frame(1012, "restart"))
            case "farewell":
                await peer.send(close_frame(1000))
                peer.fin()
            case "fin":
                peer.fin()
            case "reset":
                await self.until(all_read)
                reader.cancel()
                await asyncio.wait((reader,))
                peer.reset()
                if cut.opens:
                    self.sock.room = None
            case "silence":
                wire.condemned(None)
            case "reconnect":
                ws.reconnect(4000, "elsewhere")
            case _:
                leaver = asyncio.create_task(ws.close() if cut.kind == "stop" else ws.suspend())
                await asyncio.sleep(0)
        if ws.state is State.CLOSING:
            self.clock.advance(CLOSING)
        turn = count(1)
        while not wire.over:
            if cut.opens == "closing" and wire.transport.is_closing():
                self.sock.room = None
            if not next(turn) % cut.pace:
                wire.tick()  # as the ticker has it do twice a second
            await asyncio.sleep(0)
        if cut.kind == "reconnect":
            self.clock.advance(MIN_GAP)  # its dial keeps the gap
        assert ws.state not in (State.OPEN, State.CLOSING)
        if leaver is not None:
            await leaver

    async def finish(self) -> None:
        """Let all that is left arrive on a connection that nothing cuts."""
        total = sum(map(framed, self.expected))
        await self.cut((), Cut("close", room=total))
        assert self.expected == []
        assert self.ws.statistics().dropped == 0


async def read(peer: RawPeer, stream: bytearray) -> None:
    """Take in all that the client sends, until it is gone."""
    with suppress(ConnectionError):
        while data := await peer.receive():
            stream += data


@asynccontextmanager
async def line(*, resend: bool = True) -> AsyncIterator[Line]:
    found = Line(HandClock(), resend)
    connector = aiohttp.TCPConnector(socket_factory=found.made)
    async with raw_server() as server, aiohttp.ClientSession(connector=connector) as session:
        found.server = server
        found.ws = recloser.connect(
            server.url,
            session=session,
            heartbeat=None,
            clock=found.clock,
            policy=Answering(Retry(1.0)),
            outbox=Outbox(resend=resend),
        )
        found.ws.subscribe(found.changed)
        yield found
        await found.ws.close()
