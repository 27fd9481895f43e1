"""Time as the engine sees it: the clocks, and the one timer that follows the core's deadline."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakValueDictionary


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
        """Call `callback` once `monotonic()` has reached `when`."""
        ...


class LoopClock:
    """The event loop's clock."""

    __slots__ = ("__weakref__", "_loop")

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


_FAR: Final = 86_400.0
"""Seconds; a deadline beyond is armed in steps, since event loops refuse far timers."""


class Alarm:
    """Rings once for each deadline that it is set to."""

    __slots__ = ("_clock", "_deadline", "_ring", "_timer", "_when")

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._timer: Timer | None = None
        self._when = 0.0
        """The moment of the timer; with its clock, and whom it calls. None while none is set."""
        self._clock: Clock | None = None
        self._ring: Callable[[float], None] | None = None

    def set(self, deadline: float | None, clock: Clock, ring: Callable[[float], None]) -> None:
        """Call `ring(deadline)` at this deadline; the deadline before is forgotten."""
        if deadline == self._deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._clock = self._ring = None
        self._deadline = deadline
        if deadline is not None:
            when = self._when = min(deadline, clock.monotonic() + _FAR)
            self._clock, self._ring = clock, ring
            self._timer = clock.call_at(when, self._due)

    def _due(self) -> None:
        deadline, clock, ring = self._deadline, self._clock, self._ring
        self._timer = self._deadline = self._clock = self._ring = None
        if deadline is None or clock is None or ring is None:
            return
        if self._when < deadline:
            self.set(deadline, clock, ring)
        else:
            ring(deadline)
