"""The one timer of an engine: it follows the core's deadline."""

from collections.abc import Callable
from functools import partial
from typing import Final

from recloser.clock import Clock, Timer

_FAR: Final = 86_400.0
"""Seconds; a deadline beyond is armed in steps, since event loops refuse far timers."""


class Alarm:
    """Rings once for each deadline that it is set to."""

    __slots__ = ("_deadline", "_timer")

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._timer: Timer | None = None

    def set(self, deadline: float | None, clock: Clock, ring: Callable[[float], None]) -> None:
        """Have `ring(deadline)` called when it has come, instead of the one before."""
        if deadline == self._deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._deadline = deadline
        if deadline is not None:
            when = min(deadline, clock.monotonic() + _FAR)
            self._timer = clock.call_at(when, partial(self._due, deadline, when, clock, ring))

    def _due(
        self, deadline: float, when: float, clock: Clock, ring: Callable[[float], None]
    ) -> None:
        self._timer = self._deadline = None
        if when < deadline:
            self.set(deadline, clock, ring)
        else:
            ring(deadline)
