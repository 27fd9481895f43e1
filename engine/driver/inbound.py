"""The receive path: one coroutine layer between a consumer and the wire."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from threading import get_ident
from typing import Any, Final, Literal, Protocol, cast

from recloser.closed import closed_error
from recloser.driver.loop import WrongLoop
from recloser.driver.remainder import Remainder
from recloser.fsm.change import StateChange
from recloser.transport.base import Opcode
from recloser.transport.receive_buffer import LIMIT, ReceiveBuffer
from recloser.transport.wire import Wire
from recloser.waiter import Waiter

_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY

Unread = Literal["keep", "discard"]
"""What becomes of the messages that a consumer has not taken when the next connection opens."""


class _NoWire:
    """In the place of a wire where there is none: always busy, and empty.

    So `receive()` need not test for each message whether there is a wire.
    """

    __slots__ = ()
    busy = True
    unread = 0
    received = ReceiveBuffer()

    def take(self) -> None:
        """Return None: there is no message."""


NO_WIRE: Final = cast("Wire", _NoWire())


class Inbound:
    """The source of a consumer's next message, across generations.

    A consumer reads from `wire`. That is the wire that opened last, or, while a consumer is
    behind, the remainder of the connections before it.
    """

    __slots__ = (
        "_deliberate",
        "_drops",
        "_error",
        "_latest",
        "_limit",
        "_loop",
        "_lost",
        "_number",
        "_recorder",
        "_remainder",
        "_thread",
        "_waiter",
        "discards",
        "wire",
    )

    def __init__(
        self,
        wire: Wire,
        error: Callable[[], Exception],
        *,
        unread: Unread = "keep",
        limit: int = LIMIT,
        drops: Callable[[], object] | None = None,
    ) -> None:
        self.wire: Wire = wire
        self.discards: bool = unread == "discard"
        self._limit = limit
        self._drops = drops
        self._latest = wire  # that opened last
        self._number = 0  # of its generation
        self._recorder: Callable[[int], Callable[[str | bytes], Any]] | None = None
        self._remainder: Remainder | None = None
        self._lost = 0
        self._error: Callable[[], Exception] | None = error
        self._deliberate = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waiter = Waiter()

    # -- from one wire to the next ------------------------------------------------------

    @property
    def unread(self) -> int:
        """Number of received messages that wait for a consumer."""
        earlier = 0 if self._remainder is None else self._remainder.unread
        return earlier + self._latest.unread

    @property
    def undelivered(self) -> int:
        """Number of messages that no consumer gets, and that no change has told yet."""
        return self._lost + self._latest.received.excess

    @property
    def given_late(self) -> int:
        """Number of messages that were given out after the next dial had begun."""
        return 0 if self._remainder is None else self._remainder.given

    def unserved(self, wire: Wire | None) -> int:
        """Count the messages of a wire, unless it is the one that opened last."""
        if wire is None or wire is self._latest:
            return 0
        return wire.unread + wire.received.excess

    def lost_with(self, wire: Wire | None) -> int:
        """Count the messages that no consumer gets; of a wire that never opened, all."""
        return self.undelivered + self.unserved(wire)

    def lose(self, count: int) -> None:
        """Count messages as undelivered."""
        self._lost += count

    def mark_reported(self, count: int) -> None:
        """Subtract the messages that a change has reported."""
        self._lost -= count

    def set_aside(self) -> None:
        """Before a dial: keep what the wire before has left, and let go of that wire."""
        if self._remainder is not None:
            self._remainder.following = None
        before, self._latest = self._latest, NO_WIRE
        if before is NO_WIRE:
            return
        messages = before.take_all()
        self._lost += before.received.excess
        if messages:
            self._remainder = self._remainder or Remainder()
            self._remainder.add(messages, self._number)
        self.wire = NO_WIRE if self._remainder is None else cast("Wire", self._remainder)

    def limit(self, wire: Wire) -> None:
        """Bound the receive buffer of a wire by itself, while another one is open."""
        wire.received.limit, wire.received.drops = self._limit, self._drops

    def precede(self, wire: Wire) -> None:
        """Bound the receive buffer of a wire; what is left of earlier ones counts against it."""
        self.limit(wire)
        if self._remainder is not None:
            self._remainder.following = wire
            wire.follow(self._remainder.buffer)

    def discard(self) -> None:
        """Drop what is left of earlier connections, and count it as undelivered."""
        if self._remainder is not None:
            self._lost += len(self._remainder.take_all())

    def attach(self, wire: Wire, number: int) -> None:
        """Go on with the wire of a new generation, once nothing earlier is left."""
        self._latest, self._number = wire, number
        if self._remainder is None or not self._remainder.unread:
            self.wire = wire
        self.record_latest()
        self._waiter.wake()

    def record(self, recorder: Callable[[int], Callable[[str | bytes], Any]]) -> None:
        """Give records in the place of messages from now on.

        `recorder(generation)` returns what makes the record of a message of that generation.
        """
        self._recorder = recorder
        if self._remainder is not None:
            self._remainder.replace(recorder)
        self.record_latest()

    def record_latest(self) -> None:
        """Record the messages of the wire that opened last, if they are to be recorded."""
        if self._recorder is not None and self._latest is not NO_WIRE:
            self._latest.intercept(self._recorder(self._number))

    def reopen(self) -> None:
        """Let a consumer wait again: the engine has left `closed`."""
        self._error = None
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()

    def end(self, change: StateChange) -> None:
        """Raise the error of this end in `receive()` once no message is left.

        Iteration raises it too, unless the end is deliberate: then it ends.
        """
        self._error, self._deliberate = partial(closed_error, change), change.deliberate
        self._loop = None
        self._waiter.wake()

    def check(self) -> None:
        """Raise `WrongLoop` unless called in the loop of the engine.

        `send` checks each message. `receive` checks only where it waits or fails, since the
        check takes a tenth of its time. The running loop is not asked for: up to Python 3.11
        that is a system call.
        """
        loop = self._loop
        if loop is not None and not (get_ident() == self._thread and loop.is_running()):
            raise WrongLoop

    async def ready(self, *, iterating: bool) -> str | bytes | None:
        """Return a message that was read before, or None when a wire can be read."""
        self.check()
        wire = self.wire
        message = wire.take()
        if message is not None or not wire.busy:
            return message
        if cast("object", wire) is self._remainder and self._latest is not NO_WIRE:
            self.wire = self._latest
            return None
        if self._error is not None:
            if iterating and self._deliberate:
                raise StopAsyncIteration
            raise self._error()
        del wire  # a consumer may wait for hours: what it does not need must not wait with it
        await self._waiter.wait()
        return None


class Consumer(Protocol):
    """An object whose `receive()` is made by `receiver`."""

    @property
    def _inbound(self) -> Inbound: ...


ReceiveBody = Callable[[Consumer], Coroutine[Any, Any, str | bytes]]
"""The body of `receive()`."""


def receiver(*, iterating: bool) -> ReceiveBody:
    """Make the body of `receive()`, or of `__anext__()` if `iterating`.

    There is one coroutine between the consumer and the wire (docs/performance.md), so neither
    of the two can call the other: both are made from this text.
    """

    async def receive(self: Consumer) -> str | bytes:
        inbound = self._inbound
        while True:
            wire = inbound.wire
            if wire.busy:
                del wire  # see `ready`
                earlier = await inbound.ready(iterating=iterating)
                if earlier is not None:
                    return earlier
                continue
            wire.busy = True
            try:
                frame = await wire.read()
            except Exception as error:  # noqa: BLE001 - the wire judges what read() raises
                wire.busy = False
                failure = error
            except BaseException:
                wire.busy = False
                raise
            else:
                wire.busy = False
                kind = frame.type
                if kind is _TEXT or kind is _BINARY:
                    message: str | bytes = frame.data
                    return message
                wire.control(frame)
                del frame
                continue
            inbound.check()
            wire.read_failed(failure)
            del failure

    return receive
