"""The receive path: one coroutine layer between a consumer and the wire."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import get_ident
from typing import Any, Final, Protocol, cast

from recloser.fsm.errors import ConcurrentReceive, WrongLoop
from recloser.transport.base import Opcode, Wire

_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY


class _Unplugged:
    """Stands in before the first wire: always busy, nothing to take. Spares a test a message."""

    __slots__ = ()
    busy = True
    unread = 0

    def take(self) -> None:
        """Give nothing."""

    def discard(self) -> int:
        """Drop nothing."""
        return 0


UNPLUGGED: Final = cast("Wire", _Unplugged())


class Inbound:
    """Where a consumer finds its next message, across generations."""

    __slots__ = ("_error", "_loop", "_quiet", "_thread", "_waiter", "wire")

    def __init__(self, wire: Wire, error: Callable[[], Exception]) -> None:
        self.wire = wire
        self._error: Callable[[], Exception] | None = error
        self._quiet = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waiter: asyncio.Future[None] | None = None

    @property
    def unread(self) -> int:
        """Messages of the last open generation that nobody took."""
        return self.wire.unread

    def plug(self, wire: Wire) -> None:
        """Go on with the wire of a new generation."""
        self.wire = wire
        self._wake()

    def reopen(self) -> None:
        """Let consumers wait again: there is something to wait for."""
        self._error = None
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()

    def end(self, error: Callable[[], Exception], *, quiet: bool) -> None:
        """Let consumers fail, once they have taken what is left; iteration ends if `quiet`."""
        self._error, self._quiet, self._loop = error, quiet, None
        self._wake()

    def check(self) -> None:
        """Raise `WrongLoop` unless called in the loop of the engine.

        Asked for each message that is sent, but of those received only where a consumer waits
        or fails: it would cost a tenth. Asking asyncio is a system call up to Python 3.11.
        """
        loop = self._loop
        if loop is not None and not (get_ident() == self._thread and loop.is_running()):
            raise WrongLoop

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def ready(self, *, iterating: bool) -> str | bytes | None:
        """Give a message that is left, or None once a wire can be read."""
        self.check()
        wire = self.wire
        message = wire.take()
        if message is not None or not wire.busy:
            return message
        if self._error is not None:
            if iterating and self._quiet:
                raise StopAsyncIteration
            raise self._error()
        if self._waiter is not None:
            raise ConcurrentReceive
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        return None


class Consumer(Protocol):
    """Who has a `receive` of the kind below."""

    @property
    def _inbound(self) -> Inbound: ...


def receiver(*, iterating: bool) -> Callable[[Consumer], Coroutine[Any, Any, str | bytes]]:
    """Make the body of `receive()` and of `__anext__()`.

    Both must be the one coroutine between the consumer and the wire (DESIGN section 5), so
    neither can call the other; they are made from one text instead.
    """

    async def receive(self: Consumer) -> str | bytes:
        inbound = self._inbound
        while True:
            wire = inbound.wire
            if wire.busy:
                left = await inbound.ready(iterating=iterating)
                if left is not None:
                    return left
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
                continue
            inbound.check()
            wire.read_failed(failure)

    return receive
