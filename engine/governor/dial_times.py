"""The times of the dials of a return, which tell a queue at the host from chance.

A queue makes each dial take longer than the one before it. So does chance, which makes the next one
shorter again: what counts is the smoothed time against its least, and by more than times vary from
one dial to the next (their jitter, as in RFC 3550). A tenth of a second is the queue that LEDBAT
allows (RFC 6817).
"""

from math import inf
from typing import Final

_QUEUE: Final = 0.1
"""Seconds of a queue that are not seen yet, and for which one lasts before it is counted."""
_GAIN: Final = 0.25
"""Share of a dial in the smoothed time, at most: less where dials open faster, so that it is the
mean of a tenth of a second."""
_JITTERS: Final = 3.0
"""So many times the jitter the smoothed time may be longer without a queue."""
_MEMORY: Final = 64
"""Dials over which the jitter is averaged."""
_DRAINED: Final = 5.0
"""Seconds in which a queue of a second has drained at 0.8 of what the host takes. What lasts longer
is no queue: the host has become slower."""


class DialTimes:
    """The smoothed time of a dial, its least, and its jitter, in seconds."""

    __slots__ = (
        *("_at", "_chance", "_count", "_jitter", "_last", "_least"),
        *("_opened", "_slow_since", "_smooth"),
    )

    def __init__(self) -> None:
        self._smooth = self._jitter = self._last = self._at = 0.0
        self._least = inf
        """The least of the smoothed time."""
        self._chance = 0.0
        """How much shorter than usual chance may have made that."""
        self._opened = 0
        self._slow_since: float | None = None
        """When the smoothed time became longer than chance makes it."""
        self._count = 0
        """Dials that have opened since."""

    def opened(self, now: float, took: float) -> float | None:
        """Take a dial that has opened after so many seconds.

        Return the dials per second that the host takes if they stand in a queue there: infinity as
        long as too few have been counted. None: there is no queue.
        """
        self._opened += 1
        chance = _QUEUE
        if self._opened == 1:
            self._smooth = took
        else:
            differs = abs(took - self._last)
            self._jitter += (differs - self._jitter) / min(self._opened, _MEMORY)
            chance = max(_QUEUE, _JITTERS * self._jitter)
            gain = min(_GAIN, (now - self._at) / _QUEUE)
            self._smooth += gain * min(max(took - self._smooth, -chance), chance)
        self._last, self._at = took, now
        if self._smooth > self._least + max(chance, self._chance):
            if self._slow_since is None:
                self._slow_since, self._count = now, 0
                return inf
            self._count += 1
            passed = now - self._slow_since
            if passed < _DRAINED:
                return self._count / passed if passed >= _QUEUE else inf
            self._least = inf
        if self._smooth < self._least:
            self._least, self._chance = self._smooth, chance
        self._slow_since = None
        return None
