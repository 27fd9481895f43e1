"""A transport that plays a script, for driving a real engine without a network."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import NO_HEADERS, Cause, Close
from recloser.transport.base import Delivery, DialFailed, Frame, Opcode, Request
from recloser.transport.wire import Wire


class ScriptedFrame(NamedTuple):
    """A message as the engine reads it."""

    type: Opcode
    data: str | bytes
    extra: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The fate of one dial. Times are in seconds.

    Raises `TypeError` or `ValueError` for values that make no sense together.
    """

    takes: float = 0.0
    """Duration of the dial; infinity for one that hangs."""
    refused: Close | None = None
    """The record of a dial that fails; None for one that opens."""
    deaf: bool = False
    """The peer never answers a close frame."""
    echo_takes: float = 0.0
    """Time that the peer takes to answer a close frame."""
    messages: tuple[str | bytes, ...] = ()
    """Messages that the peer sends as soon as the socket is open."""

    def __post_init__(self) -> None:
        if self.takes != inf:
            check_seconds("takes", self.takes)
        check_seconds("echo_takes", self.echo_takes)
        if self.refused is not None and (self.deaf or self.echo_takes or self.messages):
            raise ValueError("a dial that is refused has no peer: leave refused out, or the rest")
        if self.deaf and self.echo_takes:
            raise ValueError("a deaf peer answers no close frame: leave echo_takes out")


class _Incoming:
    """Messages of the peer that are not read; an object of its own, to avoid a cycle."""

    def __init__(self, messages: Iterable[str | bytes]) -> None:
        self.frames = deque(map(_frame, messages))
        self._ended = False
        self._arrival: asyncio.Future[None] | None = None

    def add(self, message: str | bytes) -> None:
        self.frames.append(_frame(message))
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    async def read(self) -> ScriptedFrame:
        """Wait for the next frame; raises `EOFError` after the last."""
        while not self.frames:
            if self._ended:
                raise EOFError("the scripted socket has ended")
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        return self.frames.popleft()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class ScriptedWire(Wire):
    """One scripted socket. The test plays the peer by `deliver`, `stall`, `flow` and `end`."""

    subprotocol: str | None = None
    headers: Mapping[str, str] = NO_HEADERS
    sent_code: int | None = None

    def __init__(self, plan: Plan, request: Request, ended: Callable[[Close], None]) -> None:
        self._incoming = _Incoming(plan.messages)
        super().__init__(self._incoming.read, ended)
        self.request = request
        self.sent: list[str | bytes] = []
        """Messages that the peer has read."""
        self.closed_with: tuple[int, str] | None = None
        """Code and reason of the engine's close frame."""
        self.aborted: bool = False
        self.probes: int = 0
        """Number of times that the engine asked for a sign of life."""
        self._allowed: Callable[[], bool] = lambda: True
        self._plan = plan
        self._stalled: asyncio.Future[bool] | None = None  # whether the buffer was emptied
        self._write_buffer: list[tuple[str | bytes, object]] = []

    # -- the peer's side ----------------------------------------------------------------

    def deliver(self, message: str | bytes) -> None:
        """Send one message as the peer; an ended socket drops it."""
        if not self.over:
            self._incoming.add(message)
            if self.reading_ahead:
                self.read_now()

    def stall(self) -> None:
        """Stop the peer's reading: messages stay in the buffer, and their sender waits."""
        if self._stalled is None and not self.over:
            self._stalled = asyncio.get_running_loop().create_future()

    def flow(self, count: int | None = None) -> None:
        """Let the peer read `count` messages of the buffer, or all, and those that follow."""
        if self.over:
            return
        self.sent += [message for message, _ in self._write_buffer[:count]]
        del self._write_buffer[:count]
        if count is None:
            self._release()

    def end(self, close: Close) -> None:
        """End the socket, with this record; a second end changes nothing."""
        if not self.over:
            self.drain_received()
            super().end(close)

    # -- what a wire supplies -----------------------------------------------------------

    async def send(self, message: str | bytes, item: object = None) -> Delivery:
        """Take a message as a socket does: to the peer, or into a buffer that is stuck."""
        if self.over or self.closed_with is not None or not self._allowed():
            return await self.undelivered(message, item)
        if not isinstance(message, str | bytes | bytearray | memoryview):
            raise TypeError(f"a message is str or bytes, not {type(message).__name__}")
        stalled = self._stalled
        if stalled is None:
            self.sent.append(message)
            return Delivery.SENT
        self._write_buffer.append((message, message if item is None else item))
        await asyncio.wait((stalled,))
        if stalled.result():
            return Delivery.SENT
        if not self.undelivered.resend:
            raise ConnectionResetError("the connection ended while the message was leaving")
        return Delivery.QUEUED

    def close(self, code: int, reason: str) -> None:
        """Keep the close frame; the peer answers as planned."""
        if self.over or self.closed_with is not None or not self._allowed():
            return
        self.closed_with, self.sent_code = (code, reason), code
        if not self._plan.deaf:
            echo = Close.frame(code, reason, sent_code=code)
            asyncio.get_running_loop().call_later(self._plan.echo_takes, self.end, echo)

    def restrict(self, allowed: Callable[[], bool]) -> None:
        """Take nothing any more once `allowed()` is False."""
        self._allowed = allowed

    def drop(self) -> None:
        """Keep that the engine dropped the socket."""
        self.aborted = True

    def connection_lost(self, error: Exception) -> None:
        """Refuse: a scripted socket ends by `end` alone, and `read` raises after it."""
        raise AssertionError(f"the scripted socket broke before its end: {error!r}")

    async def wait_closed(self) -> None:
        """Return once the socket is over."""
        if not self.over:
            raise AssertionError("wait_closed() before the end: the engine leaks a socket")

    # -- what a wire may supply ---------------------------------------------------------

    def control_received(self, frame: Frame) -> None:
        """Refuse: a script has no control frames, except for what an interceptor withholds."""
        if frame.type is not Opcode.PONG:
            raise AssertionError(f"no control frame was scripted: {frame!r}")

    def probe(self) -> None:
        """Count the request for a sign of life."""
        self.probes += 1

    def unsent_messages(self) -> list[object]:
        """Return the messages that the peer has not read: none, unless it stalls."""
        return [item for _, item in self._write_buffer]

    @property
    def congested(self) -> bool:
        """Whether messages are stuck."""
        return bool(self._write_buffer)

    @property
    def begun(self) -> int:
        """Return 1 if messages are stuck: the first may have left in part."""
        return min(1, len(self._write_buffer))

    @property
    def has_sent(self) -> bool:
        """Whether the peer has read a message."""
        return bool(self.sent)

    @property
    def unread(self) -> int:
        """Messages that were not consumed, those that were not read ahead included."""
        return super().unread + len(self._incoming.frames)

    def finish(self) -> None:
        """Stop reading, and release the tasks that wait."""
        super().finish()
        self._incoming.end()
        self._release()

    def _release(self) -> None:
        if self._stalled is not None:
            self._stalled.set_result(not self.over)
            self._stalled = None


class ScriptedTransport:
    """Plays one `Plan` a dial; after the last, every dial is refused as by a dead server.

    `wires` holds every socket that came up, `live` those that are not over.
    """

    def __init__(self, plans: Iterable[Plan] = ()) -> None:
        self.wires: list[ScriptedWire] = []
        self.requests: list[Request] = []
        """The request of each dial."""
        self.dialling: int = 0
        """Dials in flight."""
        self.released: int = 0
        """Number of times that the engine released the transport."""
        self._plans: Iterator[Plan] = iter(plans)

    @property
    def live(self) -> list[ScriptedWire]:
        """The sockets that are not over."""
        return [wire for wire in self.wires if not wire.over]

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> ScriptedWire:
        """Play the next plan."""
        self.requests.append(request)
        plan = next(self._plans, Plan(refused=DEAD))
        self.dialling += 1
        try:
            if plan.takes == inf:
                await asyncio.get_running_loop().create_future()
            await asyncio.sleep(plan.takes)
        finally:
            self.dialling -= 1
        if plan.refused is not None:
            raise DialFailed(plan.refused)
        wire = ScriptedWire(plan, request, ended)
        self.wires.append(wire)
        return wire

    async def aclose(self) -> None:
        """Count the release."""
        self.released += 1


DEAD = Close.cut(Cause.TCP)
"""The record of a dial without an answer."""


def _frame(message: str | bytes) -> ScriptedFrame:
    return ScriptedFrame(Opcode.TEXT if isinstance(message, str) else Opcode.BINARY, message)
