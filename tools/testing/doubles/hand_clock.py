"""A clock that a test moves by hand, for engines and cores."""

import heapq
import itertools
from collections.abc import Callable


class _Timer:
    """A call that can be cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the call; harmless after it was made."""
        self.callback = None


class HandClock:
    """A `recloser.clock.Clock` that stands still until `advance` is called.

    >>> clock = HandClock()
    >>> timer = clock.call_at(5.0, lambda: print("due"))
    >>> clock.advance(4.0)
    >>> clock.advance(1.0)
    due
    >>> clock.monotonic(), clock.timers
    (5.0, 0)
    """

    def __init__(self, *, monotonic: float = 0.0, wall: float = 0.0) -> None:
        self._now = monotonic
        self._offset = wall - monotonic
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []

    def monotonic(self) -> float:
        """Return the seconds that it was moved by."""
        return self._now

    def wall(self) -> float:
        """Return seconds since the epoch, which move along; see `jump`."""
        return self._now + self._offset

    def call_at(self, when: float, callback: Callable[[], None]) -> _Timer:
        """Call `callback` in the `advance` that reaches `when`."""
        timer = _Timer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    @property
    def timers(self) -> int:
        """Number of calls that are set; a test should end with 0."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Let time pass; calls that become due are made at their moment, in order.

        Raises `ValueError` for a negative number: a clock does not go back.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock does not go back: advance by at least 0, not {seconds!r}")
        until = self._now + seconds
        while self._timers and self._timers[0][0] <= until:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = until

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, forward or back, as NTP or a suspended machine does."""
        self._offset += seconds
