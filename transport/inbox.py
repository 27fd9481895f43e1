"""The reading half of a wire: a consumer reads by itself; when there is none, it is read here."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final

from recloser.fsm.errors import ConcurrentReceive
from recloser.transport.base import Frame, Interceptor, Opcode
from recloser.transport.intercept import InterceptedReader

LIMIT: Final = 512 * 1024
"""Bytes of messages kept for a consumer that is busy, besides the like in aiohttp's queue."""

OVERHEAD: Final = 128
"""Bytes that a message counts besides its length, as in aiohttp's queue."""

_NOTHING: Final[deque[str | bytes]] = deque(maxlen=0)


class Inbox(ABC):
    """One coroutine reads at a time: a consumer's, or one driven by hand from callbacks.

    The latter costs no task. `read()` yields the future it waits for; a callback on that
    future drives it on, and throwing `CancelledError` into it gives the queue back whole.
    """

    __slots__ = (
        "_excess",
        "_reading",
        "_size",
        "_stash",
        "_waiter",
        "busy",
        "context",
        "limit",
        "over",
        "read",
    )

    def __init__(self, read: Callable[[], Coroutine[Any, Any, Frame]]) -> None:
        self.read = read
        self.busy = False
        self.over = False
        self.context = copy_context()
        """In which callbacks run: that of the dial, and one object for all of them."""
        self.limit: float = LIMIT
        """Bytes beyond which reading stops; infinite where the rest is bounded anyhow."""
        self._stash = _NOTHING
        self._size = 0
        self._excess = 0
        self._reading: Coroutine[Any, Any, Frame] | None = None
        self._waiter: asyncio.Future[Any] | None = None

    @abstractmethod
    def control(self, frame: Frame) -> None:
        """See `Wire.control`."""

    @abstractmethod
    def read_failed(self, error: Exception) -> None:
        """See `Wire.read_failed`."""

    @property
    @abstractmethod
    def closing(self) -> bool:
        """Whether messages beyond the bound are no longer wanted, only counted."""

    @property
    def attended(self) -> bool:
        """Whether a consumer is parked in `read()`."""
        return self.busy and self._reading is None and not self._stash and not self.over

    @property
    def full(self) -> bool:
        """Whether reading has stopped because nobody takes what was read."""
        return self._reading is None and self._size >= self.limit and not self.over

    @property
    def unread(self) -> int:
        """See `Wire.unread`."""
        return len(self._stash) + self._excess

    def take(self) -> str | bytes | None:
        """See `Wire.take`."""
        if self._stash:
            message = self._stash.popleft()
            self._size -= len(message) + OVERHEAD
            self.busy = self.over or self._reading is not None or bool(self._stash)
            return message
        if self._reading is not None:
            self.unwatch()
        elif self.busy and not self.over:
            raise ConcurrentReceive
        return None

    def intercept(self, interceptor: Interceptor) -> None:
        """See `Wire.intercept`."""
        attended = self.attended
        self.unwatch()
        heard, self._stash, self._size = self._stash, _NOTHING, 0
        for message in heard:
            if not interceptor(message):
                self._keep(message)
        self.busy = attended or self.over or bool(self._stash)
        self.read = InterceptedReader(self.read, interceptor, self.watch, self.context).read
        self.watch()

    def discard(self) -> int:
        """See `Wire.discard`."""
        dropped = self.unread
        self._stash, self._size, self._excess = _NOTHING, 0, 0
        self.busy = self.over or self._reading is not None
        return dropped

    def watch(self) -> None:
        """Read what there is and wait for more, unless somebody does or the stash is full."""
        if self._reading is not None or self.attended:
            return
        while not self.over and (self._size < self.limit or self.closing):
            if self._drive(self.read()):
                return
        self.busy = self.over or bool(self._stash)

    def _drive(self, reading: Coroutine[Any, Any, Frame]) -> bool:
        """Go on with a read until it is over, or waits; whether it waits.

        It counts as under way meanwhile: who hears the message may call the wire.
        """
        self._reading, self._waiter = reading, None
        try:
            waiter = reading.send(None)
        except StopIteration as done:
            self._reading = None
            self._seen(done.value)
        except Exception as error:  # noqa: BLE001 - any exception of read() is an end to name
            self._reading = None
            self.read_failed(error)
        else:
            self._waiter = waiter
            self.busy = True
            waiter.add_done_callback(self._arrived, context=self.context)
            return True
        return False

    def unwatch(self) -> None:
        """Give the queue back, with all that is in it."""
        reading, waiter = self._reading, self._waiter
        if reading is None or waiter is None:
            return
        self._reading = self._waiter = None
        waiter.remove_done_callback(self._arrived)
        with suppress(asyncio.CancelledError):
            reading.throw(asyncio.CancelledError())
        self.busy = self.over or bool(self._stash)

    def _arrived(self, waiter: asyncio.Future[Any]) -> None:
        del waiter
        if self._reading is None:
            return
        self.busy = bool(self._stash)
        self._drive(self._reading)
        self.watch()

    def _seen(self, frame: Frame) -> None:
        if frame.type is not Opcode.TEXT and frame.type is not Opcode.BINARY:
            self.control(frame)
        elif self._size >= self.limit:
            self._excess += 1
        else:
            self._keep(frame.data)

    def _keep(self, message: str | bytes) -> None:
        if self._stash is _NOTHING:
            self._stash = deque()
        self._stash.append(message)
        self._size += len(message) + OVERHEAD
