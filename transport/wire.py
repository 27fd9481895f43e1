"""The contract of a transport: it dials, and each live connection is a wire of this base class."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Protocol

from recloser.fsm.errors import RecloserError
from recloser.fsm.record import NO_HEADERS, Close, varied
from recloser.transport.base import (
    NOBODY,
    Delivery,
    Frame,
    Interceptor,
    OnUndeliverable,
    Opcode,
    Read,
    Request,
    Undelivered,
)
from recloser.transport.errors import ConcurrentReceive
from recloser.transport.heartbeat import Heartbeat
from recloser.transport.intercept import InterceptedReader
from recloser.transport.receive_buffer import ReceiveBuffer


class Wire(ABC):
    """One live connection: the transport's half of a generation.

    A transport of your own derives its wire from this class. It must supply:

    - `read`, given to the constructor: a coroutine function that awaits the next frame. It may
      await futures, but needs no task of its own: no `asyncio.timeout`, no `asyncio.gather`.
      Cancelling it ends it at once and loses no frame. After the last frame it raises.
    - `send(message, item)`, `close(code, reason)`, `drop()` and `wait_closed()`.
    - `connection_lost(error)`: what an exception out of `read` means for the close record.

    It may supply what only some can do: each of these has a default below.

    The class does the rest. A consumer's own task awaits the socket through one coroutine: while
    `busy` is False a consumer sets it, awaits `read()`, and clears it in a `finally`; then it hands
    a frame that is no message to `control`, and an exception to `read_failed`. While `busy` is True
    it asks `take()` first. When nobody consumes, the wire reads ahead into a bounded buffer (F7).

    When the connection has ended, the wire calls `end(close)`, which tells the engine exactly
    once. `busy` stays True, and `take()` gives the messages that had arrived before.
    """

    __slots__ = (
        "_ended",
        "_reading",
        "_waiter",
        "busy",
        "context",
        "draining",
        "over",
        "read",
        "received",
        "undelivered",
    )

    def __init__(self, read: Read, ended: Callable[[Close], None]) -> None:
        self.read: Read = read
        """Await the next frame; once the connection has ended and all is read, it raises."""
        self.busy: bool = False
        """A consumer waits in `read()`, or `take()` has something to say."""
        self.over: bool = False
        """The end was told, or the wire was aborted."""
        self.context: Context = copy_context()
        """The context in which callbacks run: that of the dial, one object for all of them."""
        self.received: ReceiveBuffer = ReceiveBuffer()
        """The messages that were read and wait for a consumer."""
        self.draining: bool = False
        """The peer is gone, and what is left to read is bounded: a full buffer stops nothing."""
        self.undelivered: Undelivered = NOBODY
        """Answers for a message that `send` cannot take any more."""
        self._ended = ended
        self._reading: Coroutine[Any, Any, Frame] | None = None
        self._waiter: asyncio.Future[Any] | None = None

    # -- what a transport supplies ------------------------------------------------------

    @abstractmethod
    def send(self, message: str | bytes, item: object = None) -> Coroutine[Any, Any, Delivery]:
        """Hand one message to the connection; waits while its write buffer is full.

        `item`, if given, stands for the message in `unsent_messages` and `undelivered`. A
        message is `str`, `bytes`, `bytearray` or `memoryview`; raises `TypeError` for others.
        After `close` or the end the outcome is that of `undelivered(message, item)`. Raises
        `ConnectionError` if the connection ends while it waits, unless `undelivered.resend` is
        set: then the message is among the unsent ones, and the answer is `Delivery.QUEUED`.
        """

    @abstractmethod
    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake, once; the engine calls `abort` when the end is late."""

    @abstractmethod
    def drop(self) -> None:
        """Drop the socket, and release senders; also again, after the end, on a closed loop."""

    @abstractmethod
    def connection_lost(self, error: Exception) -> None:
        """Judge what `read` raised: call `end` with the record of it, once all was read."""

    @abstractmethod
    async def wait_closed(self) -> None:
        """Wait until the descriptor is free: soon after the end or `drop`, whatever the peer."""

    # -- what a transport may supply ----------------------------------------------------

    def control_received(self, frame: Frame) -> None:  # noqa: B027 - optional on purpose
        """Take care of a frame that is no message: answer a ping, `end` at a close frame."""

    def probe(self) -> None:  # noqa: B027 - optional on purpose
        """Ask the peer for a sign of life, if a heartbeat judges it, or end what is lost."""

    def set_heartbeat(self, heartbeat: Heartbeat | None) -> None:
        """Ping by this schedule from now on; None: ping no more."""
        raise RecloserError(f"{type(self).__name__} sends no pings: {heartbeat!r} cannot be set")

    def wake(self) -> None:  # noqa: B027 - optional on purpose
        """Look after the wire by and by: it has stopped to read, as its receive buffer is full."""

    def restrict(self, allowed: Callable[[], bool]) -> None:
        """Write nothing any more, no control frame either, once `allowed()` is False."""
        raise RecloserError(f"{type(self).__name__} cannot stop writing at {allowed!r}")

    def unsent_messages(self) -> list[Any]:
        """Give all messages, or their items, that may not have left, in order; also at the end."""
        return []

    @property
    def begun(self) -> int:
        """How many of the first `unsent_messages` may have left in part: an upper bound."""
        return len(self.unsent_messages())

    @property
    def has_sent(self) -> bool:
        """Whether a message may have left whole that is not among `unsent_messages`."""
        return True

    @property
    def congested(self) -> bool:
        """Whether a message would wait for room, with nothing of it written."""
        return False

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the peer chose."""
        return None

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the upgrade's answer, names in lower case."""
        return NO_HEADERS

    @property
    def sent_code(self) -> int | None:
        """The code of the close frame that was handed to the connection, if one was."""
        return None

    @property
    def closing(self) -> bool:
        """Whether messages beyond the bound are no longer wanted, only counted."""
        return self.sent_code is not None

    @property
    def closed(self) -> bool:
        """Whether the descriptor is known to be free: nothing is left to wait for."""
        return False

    # -- the end ------------------------------------------------------------------------

    def end(self, close: Close) -> None:
        """Tell the engine that the connection has ended, and why. A second call does nothing."""
        if not self.over:
            unsent = self.unsent
            self.finish()
            self._ended(varied(close, unsent=close.unsent + unsent) if unsent else close)

    def finish(self) -> None:
        """Stop reading, for good; a transport extends it by what it has to stop itself."""
        self.over = True
        self._stop_reading()
        self.busy = True

    def abort(self) -> None:
        """Drop the connection now; the engine is not told."""
        if not self.over:
            self._ended = lambda _: None
            self.drain_received()
            if not self.over:
                self.finish()
        self.drop()

    def drain_received(self) -> None:
        """Process buffered input first: a close frame in it decides the record."""
        self.draining = True
        self.read_now()

    def on_undeliverable(self, callback: OnUndeliverable, *, resend: bool) -> None:
        """Call this for a message that the ended wire cannot send; its outcome is that of `send`.

        `resend` says that `unsent_messages` will be sent again on another wire: a `send` that
        waits at the end gives QUEUED, and nothing may leave after the end.
        """
        self.undelivered = Undelivered(callback, resend=resend)

    @property
    def unsent(self) -> int:
        """Number of sent messages not known to have left the process: an upper bound."""
        return len(self.unsent_messages())

    # -- reading ------------------------------------------------------------------------

    @property
    def attended(self) -> bool:
        """Whether a consumer is parked in `read()`."""
        return self.busy and self._reading is None and not self.received.messages and not self.over

    @property
    def reading_ahead(self) -> bool:
        """Whether the wire itself waits for the next frame."""
        return self._reading is not None

    @property
    def full(self) -> bool:
        """Whether reading has stopped because the read messages are not consumed."""
        return self._reading is None and self.received.full and not self.over

    @property
    def unread(self) -> int:
        """Number of received messages that wait for a consumer, as far as is known."""
        return len(self.received.messages)

    def follow(self, earlier: ReceiveBuffer) -> None:
        """Let the messages of connections that have ended count against the receive buffer."""
        self.received.earlier = earlier
        self.read_ahead()

    def take(self) -> str | bytes | None:
        """Give a message that was read ahead; None: read, or see whether the wire is over.

        Raises `ConcurrentReceive` if another consumer is parked in `read()`.
        """
        if self.received.messages:
            message = self.received.pop()
            self.busy = self.over or self._reading is not None or bool(self.received.messages)
            return message
        if self._reading is not None:
            self._stop_reading()
        elif self.busy and not self.over:
            raise ConcurrentReceive
        return None

    def control(self, frame: Frame) -> None:
        """Take care of a frame that is no message, and that a consumer has read."""
        if self.over:
            self.busy = True
        else:
            self.control_received(frame)

    def read_failed(self, error: Exception) -> None:
        """Take care of an exception out of `read()`."""
        if self.over:
            self.busy = True
        else:
            self.connection_lost(error)

    def intercept(self, interceptor: Interceptor) -> None:
        """Show each message to this function as it arrives, and those that wait already.

        A consumer gets what it returns: the message as a rule, and nothing in place of None.
        """
        attended = self.attended
        self._stop_reading()
        for message in self.received.pop_all():
            if (kept := interceptor(message)) is not None:
                self.received.add(kept)
        self.busy = attended or self.over or bool(self.received.messages)
        self.read = InterceptedReader(self.read, interceptor, self.read_ahead, self.context).read
        self.read_ahead()

    def put_first(self, messages: Iterable[str | bytes]) -> None:
        """Put messages before those that wait for a consumer."""
        for message in (*messages, *self.received.pop_all()):
            self.received.add(message)
        self.busy = self.busy or bool(self.received.messages)

    def take_all(self) -> deque[str | bytes]:
        """Give all messages that wait for a consumer; of an ended connection, also the unread."""
        self._stop_reading()
        while self.over:
            reading = self.read()
            try:
                reading.send(None)
                reading.throw(asyncio.CancelledError())
            except StopIteration as done:
                self._received(done.value)
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the end has been told
                break
        self.busy = self.over
        return self.received.pop_all()

    def read_ahead(self) -> None:
        """Read the waiting frames and await more, unless a consumer does, or the buffer is full.

        One coroutine reads at a time: a consumer's, or this one, which is driven without a task.
        """
        if self.over or self._reading is not None or self.attended:
            return
        while not self.over and (not self.received.full or self.draining or self.closing):
            if self._drive(self.read()):
                return
        self.busy = self.over or bool(self.received.messages)
        self.wake()

    def read_now(self) -> None:
        """Read the frames that have arrived, before the loop calls back."""
        if (waiter := self._waiter) is not None and waiter.done() and not waiter.cancelled():
            self._go_on(waiter)
            return
        self._stop_reading()
        self.read_ahead()

    def _drive(self, reading: Coroutine[Any, Any, Frame]) -> bool:
        """Go on with a read until it is over or waits; return whether it waits.

        The read counts as under way in this call: an interceptor may call the wire.
        """
        self._reading, self._waiter = reading, None
        try:
            waiter = reading.send(None)
        except StopIteration as done:
            self._reading = None
            self._received(done.value)
        except Exception as error:  # noqa: BLE001 - any exception of read() is an end to name
            self._reading = None
            self.read_failed(error)
        else:
            self.busy = True
            if waiter is None:  # a bare yield, as in asyncio.sleep(0)
                waiter = asyncio.get_running_loop().create_future()
                waiter.set_result(None)
            self._waiter = waiter
            waiter.add_done_callback(self._go_on, context=self.context)
            return True
        return False

    def _stop_reading(self) -> None:
        """End the read that is under way; the frame that it awaits can still be read."""
        reading, waiter = self._reading, self._waiter
        if reading is None or waiter is None:
            return
        self._reading = self._waiter = None
        waiter.remove_done_callback(self._go_on)
        with suppress(asyncio.CancelledError):
            try:
                reading.throw(asyncio.CancelledError())
            except StopIteration as done:
                self._received(done.value)
            else:
                reading.close()
                raise RuntimeError("read() of a wire must end at once when it is cancelled")
        self.busy = self.over or bool(self.received.messages)

    def _go_on(self, waiter: asyncio.Future[Any]) -> None:
        if self._reading is None or waiter is not self._waiter:
            return  # the loop had been asked to call before that read was stopped
        self.busy = bool(self.received.messages)
        self._drive(self._reading)
        self.read_ahead()

    def _received(self, frame: Frame) -> None:
        if frame.type is not Opcode.TEXT and frame.type is not Opcode.BINARY:
            self.control(frame)
        else:
            self.received.receive(frame.data, last=self.draining)


class Transport(Protocol):
    """Dials. One per engine; its wires do not know of each other.

    `recloser.connect(transport=...)` takes one; `recloser.testing.check_transport` checks it.
    """

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> Wire:
        """Open a socket; raises `DialFailed`. Cancelling frees everything that was open.

        The engine keeps the deadline. `ended` may be called before this returns.
        """
        ...

    async def aclose(self) -> None:
        """Release the objects that the transport made, such as its session; it may dial again."""
        ...
