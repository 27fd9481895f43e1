"""Time as the engine sees it: one clock for deadlines, one for time stamps."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What `Clock.call_at` gives."""

    def cancel(self) -> None:
        """Forget the call; harmless after it was made."""
        ...


class Clock(Protocol):
    """Where an engine reads the time and sets its one timer. A test may bring its own."""

    def monotonic(self) -> float:
        """Seconds that never go back; all deadlines are on this clock."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for time stamps alone."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once `monotonic()` has reached `when`."""
        ...


class LoopClock:
    """The event loop's clock."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """Return the loop's time in seconds."""
        return self._loop.time()

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Set a timer of the loop."""
        return self._loop.call_at(when, callback)
