"""The event loop that an engine belongs to."""

import asyncio
from typing import Final

from recloser.clock import RUNNING, Clock, loop_clock
from recloser.fsm.errors import RecloserError


class WrongLoop(RecloserError, RuntimeError):
    """An engine was called from another thread or event loop than its own."""

    def __str__(self) -> str:
        return (
            "call the engine from its own event loop; from a thread, use call_soon_threadsafe with "
            "what is not awaited, and run_coroutine_threadsafe with a coroutine function of yours "
            "in which the rest is called and awaited"
        )


class LoopBinding:
    """Binds an engine to the loop of its first use; an engine that holds nothing may move."""

    __slots__ = ("_given", "loop")

    def __init__(self, clock: Clock | None) -> None:
        self._given: Final = clock
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def clock(self) -> Clock:
        """The clock that the application gave, or that of the loop."""
        if self._given is not None:
            return self._given
        return RUNNING if self.loop is None else loop_clock(self.loop)

    def move(self, running: asyncio.AbstractEventLoop, *, closed: bool, released: bool) -> None:
        """Bind to the running loop, which is another one than before, or the first.

        An engine moves when its machine is `closed` and everything is `released`, or its old
        loop is closed. Raises `WrongLoop` in every other loop or thread than that of the engine.
        """
        before = self.loop
        if before is not None and not (closed and (released or before.is_closed())):
            raise WrongLoop
        self.loop = running


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop; raises `WrongLoop` where none runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise WrongLoop from None
