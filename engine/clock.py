"""Time as the engine sees it: the clocks, and the one timer that follows the core's deadline."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakValueDictionary

from recloser.timer_queue import TimerQueue


class Timer(Protocol):
    """The result of `Clock.call_at`."""

    def cancel(self) -> None:
        """Forget the call; harmless after it was made."""
        ...


class Clock(Protocol):
    """The clocks of an engine, and its one timer. A test may give its own."""

    def monotonic(self) -> float:
        """Seconds that never go back; all deadlines are on this clock."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for time stamps alone."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once `monotonic()` has reached `when`, however far that is."""
        ...


class LoopClock:
    """The event loop's clock. Its timers share one of the loop's."""

    __slots__ = ("__weakref__", "_time", "_timers")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        plain = type(loop).time is asyncio.BaseEventLoop.time
        self._time: Callable[[], float] = time.monotonic if plain else loop.time
        self._timers = TimerQueue(loop)

    def monotonic(self) -> float:
        """Return the loop's time in seconds."""
        return self._time()

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Set a timer."""
        return self._timers.call_at(when, callback)


class _RunningClock:
    """The clock of the loop that runs, for an engine that belongs to none yet."""

    __slots__ = ()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_at(when, callback)


RUNNING: Final[Clock] = _RunningClock()
"""The clock of an engine before its first use."""

_CLOCKS: Final[WeakValueDictionary[asyncio.AbstractEventLoop, LoopClock]] = WeakValueDictionary()


def loop_clock(loop: asyncio.AbstractEventLoop) -> LoopClock:
    """Return the clock of a loop: one for all engines there, as long as one of them has it."""
    found = _CLOCKS.get(loop)
    if found is None:
        found = _CLOCKS[loop] = LoopClock(loop)
    return found


class Alarm:
    """Rings once for each deadline that it is set to; it is what its timer calls."""

    __slots__ = ("_deadline", "_ring", "_timer")

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._timer: Timer | None = None
        """That of the deadline, with whom it rings for; None while none is set."""
        self._ring: Callable[[float], None] | None = None

    def set(self, deadline: float | None, clock: Clock, ring: Callable[[float], None]) -> None:
        """Call `ring(deadline)` at this deadline; the deadline before is forgotten."""
        if deadline == self._deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._ring = None
        self._deadline = deadline
        if deadline is not None:
            self._ring = ring
            self._timer = clock.call_at(deadline, self)

    def __call__(self) -> None:
        """Ring: the deadline has come."""
        deadline, ring = self._deadline, self._ring
        self._timer = self._deadline = self._ring = None
        if deadline is not None and ring is not None:
            ring(deadline)
