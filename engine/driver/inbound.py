"""The receive path: one coroutine layer between a consumer and the wire."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import get_ident
from typing import Any, Final, Protocol, cast

from recloser.driver.loop import WrongLoop
from recloser.transport.base import Opcode
from recloser.transport.wire import Wire
from recloser.waiter import Waiter

_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY


class _NoWire:
    """In the place of a wire before the first one: always busy, and empty.

    So `receive()` need not test for each message whether there is a wire.
    """

    __slots__ = ()
    busy = True
    unread = 0

    def take(self) -> None:
        """Return None: there is no message."""

    def discard(self) -> int:
        """Return 0: there is no message to drop."""
        return 0


NO_WIRE: Final = cast("Wire", _NoWire())


class Inbound:
    """The source of a consumer's next message, across generations."""

    __slots__ = ("_deliberate", "_error", "_loop", "_thread", "_waiter", "wire")

    def __init__(self, wire: Wire, error: Callable[[], Exception]) -> None:
        self.wire = wire
        self._error: Callable[[], Exception] | None = error
        self._deliberate = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waiter = Waiter()

    @property
    def unread(self) -> int:
        """Messages of the last open generation that were not consumed."""
        return self.wire.unread

    def attach(self, wire: Wire) -> None:
        """Go on with the wire of a new generation."""
        self.wire = wire
        self._waiter.wake()

    def reopen(self) -> None:
        """Let a consumer wait again: the engine has left `closed`."""
        self._error = None
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()

    def end(self, error: Callable[[], Exception], *, deliberate: bool) -> None:
        """Raise `error()` in `receive()` once no message is left.

        Iteration raises it too, unless the end is `deliberate`: then it ends.
        """
        self._error, self._deliberate, self._loop = error, deliberate, None
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
        if self._error is not None:
            if iterating and self._deliberate:
                raise StopAsyncIteration
            raise self._error()
        await self._waiter.wait()
        return None


class Consumer(Protocol):
    """An object whose `receive()` is made by `receiver`."""

    @property
    def _inbound(self) -> Inbound: ...


def receiver(*, iterating: bool) -> Callable[[Consumer], Coroutine[Any, Any, str | bytes]]:
    """Make the body of `receive()`, or of `__anext__()` if `iterating`.

    There is one coroutine between the consumer and the wire (docs/performance.md), so neither
    of the two can call the other: both are made from this text.
    """

    async def receive(self: Consumer) -> str | bytes:
        inbound = self._inbound
        while True:
            wire = inbound.wire
            if wire.busy:
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
                continue
            inbound.check()
            wire.read_failed(failure)

    return receive
