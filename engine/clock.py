"""Time as the engine sees it: the clocks, and the one timer that follows the core's deadline."""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context, copy_context
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

    __slots__ = ("__weakref__", "call_at", "monotonic")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        plain = type(loop).time is asyncio.BaseEventLoop.time
        self.monotonic: Callable[[], float] = time.monotonic if plain else loop.time
        """Returns the loop's time in seconds. It is asked for a dozen times at each event."""
        self.call_at = TimerQueue(loop).call_at

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()


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
    """Rings once for each deadline that it is set to; it is what its timer calls.

    A deadline that is put off leaves the timer as it is. That one calls too early, and is set anew:
    most deadlines are put off or forgotten before they come. It rings in the context of who set the
    deadline.
    """

    __slots__ = ("_clock", "_context", "_deadline", "_moment", "_ring", "_timer")

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._timer: Timer | None = None
        """With when it calls, who rings, and by which clock; None while no deadline is set."""
        self._moment = 0.0
        self._ring: Callable[[float], None] | None = None
        self._clock: Clock | None = None
        self._context: Context | None = None
        """That of who has put the deadline off; the timer keeps that of who set it."""

    def set(self, deadline: float | None, clock: Clock, ring: Callable[[float], None]) -> None:
        """Call `ring(deadline)` at this deadline; the deadline before is forgotten."""
        if deadline == self._deadline:
            return
        self._deadline = deadline
        timer = self._timer
        if timer is not None:
            if deadline is not None and deadline > self._moment and clock is self._clock:
                self._ring, self._context = ring, copy_context()
                return
            timer.cancel()
            self._timer = self._ring = self._clock = self._context = None
        if deadline is not None:
            self._moment, self._ring, self._clock = deadline, ring, clock
            self._timer = clock.call_at(deadline, self)

    def __call__(self) -> None:
        """Ring if the deadline has come; otherwise wait for it."""
        deadline, ring, clock = self._deadline, self._ring, self._clock
        if deadline is None or ring is None or clock is None:
            return  # a clock of the application has called after `cancel`
        if self._context is not None:
            context, self._context, self._moment = self._context, None, deadline
            self._timer = context.run(clock.call_at, deadline, self)
            return
        self._timer = self._deadline = self._ring = self._clock = None
        ring(deadline)
