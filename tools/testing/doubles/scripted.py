"""A transport that plays a script, for driving a real engine without a network."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from recloser.fsm.closecodes import ABNORMAL
from recloser.fsm.errors import ConcurrentReceive
from recloser.fsm.record import NO_HEADERS, Cause, Close, Origin
from recloser.testing.doubles.scripted_sender import ScriptedSender
from recloser.transport.base import DialFailed, Opcode, Request


class ScriptedFrame(NamedTuple):
    """A message as the engine reads it."""

    type: Opcode
    data: str | bytes
    extra: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of one dial. Times are in seconds."""

    takes: float = 0.0
    """How long the dial takes; infinity for one that hangs."""
    refused: Close | None = None
    """The record of a dial that fails; None for one that opens."""
    deaf: bool = False
    """The peer never answers a close frame."""
    echo_takes: float = 0.0
    """How long the peer takes to answer a close frame."""
    messages: tuple[str | bytes, ...] = ()
    """What the peer sends as soon as the socket is up."""


class ScriptedWire(ScriptedSender):
    """One scripted socket. The test plays the peer by `deliver` and `end`."""

    def __init__(self, plan: Plan, request: Request, ended: Callable[[Close], None]) -> None:
        super().__init__()
        self.request = request
        self.aborted = False
        self.probes = 0
        self.busy = False
        self.subprotocol: str | None = None
        self.headers: Mapping[str, str] = NO_HEADERS
        self.sent_code: int | None = None
        self._plan = plan
        self._ended = ended
        self._queue = deque(_frame(message) for message in plan.messages)
        self._parked: asyncio.Future[None] | None = None
        self._hear: Callable[[str | bytes], bool] | None = None

    # -- the peer's side ----------------------------------------------------------------

    def deliver(self, message: str | bytes) -> None:
        """Have the peer send one message; an ended socket carries none."""
        if not self.over and not (self._hear is not None and self._hear(message)):
            self._queue.append(_frame(message))
            self._unpark()

    def end(self, close: Close) -> None:
        """End the socket, with this record; a second end changes nothing."""
        if not self.over:
            self._finish()
            if self._buffer:
                close = replace(close, unsent=close.unsent + len(self._buffer))
            self._ended(close)

    # -- the engine's side: the contract `recloser.transport.Wire` ----------------------

    async def read(self) -> ScriptedFrame:
        """Wait for the next frame; raises `EOFError` after the last."""
        while not self._queue or self.over:
            if self.over:
                raise EOFError("the scripted socket has ended")
            self._parked = asyncio.get_running_loop().create_future()
            try:
                await self._parked
            finally:
                self._parked = None
        return self._queue.popleft()

    def take(self) -> str | bytes | None:
        """Give what an ended socket has left."""
        if not self.over:
            raise ConcurrentReceive
        return self._queue.popleft().data if self._queue else None

    def intercept(self, interceptor: Callable[[str | bytes], bool]) -> None:
        """Have messages heard as the peer sends them."""
        self._hear = interceptor
        self._queue = deque(frame for frame in self._queue if not interceptor(frame.data))

    def control(self, frame: object) -> None:
        """Refuse: a script has no control frames."""
        raise AssertionError(f"no control frame was scripted: {frame!r}")

    def read_failed(self, error: Exception) -> None:
        """Stay ended: `read` raises after the end alone."""
        del error
        self.busy = True

    def close(self, code: int, reason: str) -> None:
        """Note the close frame; the peer answers as planned."""
        if self.over or self.closed_with is not None:
            return
        self.closed_with, self.sent_code = (code, reason), code
        if not self._plan.deaf:
            echo = Close(
                code=code,
                reason=reason,
                sent_code=code,
                origin=Origin.PEER,
                cause=Cause.CLOSE_FRAME,
                clean=True,
            )
            asyncio.get_running_loop().call_later(self._plan.echo_takes, self.end, echo)

    def abort(self) -> None:
        """End without telling."""
        self.aborted = True
        self._finish()

    def probe(self) -> None:
        """Count the request for a sign of life."""
        self.probes += 1

    def discard(self) -> int:
        """Drop what nobody took."""
        dropped = len(self._queue)
        self._queue.clear()
        return dropped

    @property
    def unread(self) -> int:
        """Messages that nobody took."""
        return len(self._queue)

    async def wait_closed(self) -> None:
        """Return once the socket is over."""
        if not self.over:
            raise AssertionError("wait_closed() before the end: the engine leaks a socket")

    def _finish(self) -> None:
        self.over = self.busy = True
        self._unpark()
        self._release()

    def _unpark(self) -> None:
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)


class ScriptedTransport:
    """Plays one `Plan` a dial; after the last, every dial is refused as by a dead server.

    `wires` holds every socket that came up, `live` those that are not over.
    """

    def __init__(self, plans: Iterable[Plan] = ()) -> None:
        self.wires: list[ScriptedWire] = []
        self.requests: list[Request] = []
        """What each dial asked for."""
        self.dialling = 0
        """Dials in flight."""
        self.released = 0
        """How often the engine released the transport."""
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
            if plan.takes == float("inf"):
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


DEAD = Close(code=ABNORMAL, origin=Origin.NETWORK, cause=Cause.TCP)
"""The record of a dial that nobody answered."""


def _frame(message: str | bytes) -> ScriptedFrame:
    return ScriptedFrame(Opcode.TEXT if isinstance(message, str) else Opcode.BINARY, message)
