"""The pace at which those who waited for a host dial once it is back.

Nobody knows what a host that has just come back can take. The pace begins low and doubles each
second while dials open, or with 200 dials that open if they take less than a second: a large
crowd learns faster. By dials alone it becomes no more than twice the pace at which those 200 have
opened. Once the host has refused a dial the pace follows the host: a refusal lowers it, a dial that
opens raises it a little.
"""

from typing import Final

SLOWEST: Final = 2.0
"""Dials per second with which a return begins at least."""
FULL_RETURN: Final = 180.0
"""Seconds over which those who wait are spread, before the host has shown what it can take."""
RAMP: Final = 2.0
"""The greatest growth of the pace in a step, until the host refuses a dial. A step is a second, or
`STEP` dials that open in less."""
STEP: Final = 200
"""So many dials that open show as much of the host as a second does."""
_LEAST: Final = 0.25
"""Dials per second at which the pace falls no further."""
_RAISE: Final = 0.1
"""A dial that opens raises the pace by this share, once the host has refused one."""
_LOWER: Final = 0.3
"""A dial that is refused lowers the pace by this share."""
_COARSE: Final = 2.5
"""Dials per second up to which these shares hold. A faster pace changes by less at each dial."""
_ROW: Final = 6
"""After so many dials in a row that open, and three seconds of them at least, the host has room
again, and the share grows."""
_IN_FLIGHT: Final = 10.0
"""Seconds of the pace that may be in flight: a slow host gets no more."""


class Pace:
    """Dials per second at one host after its return."""

    __slots__ = (
        *("_at", "_base", "_began", "_fixed", "_ramp", "_row", "_searching"),
        "rate",
    )

    def __init__(self, rate: float, now: float, *, ramp: float = RAMP, fixed: bool = False) -> None:
        self.rate: float = rate
        self._ramp = ramp
        self._fixed = fixed
        """The rate is what the host or the operator has said: it does not grow."""
        self._searching = True
        """The host has refused nothing yet."""
        self._row = 0
        """Dials that have opened since one was refused."""
        self._at = now
        self._base = rate
        """The rate at the beginning of the step."""
        self._began = now

    @property
    def in_flight(self) -> float:
        """How many dials may be under way at a time."""
        return max(10.0, self.rate * _IN_FLIGHT)

    def at_least(self, rate: float) -> None:
        """Go as fast as the host asks for, unless it has refused a dial."""
        if self._searching:
            self.rate = max(self.rate, rate)

    def opened(self, now: float) -> None:
        """Go on, or faster: a dial has opened."""
        if self._searching and self._fixed:
            return
        self._row += 1
        if self._searching:
            self.rate *= self._ramp ** min(now - self._at, 1.0)
            self._at = now
            if self._row == STEP:
                self._step(now)
        else:
            seconds = min(max(now - self._at, 1.0), 10.0)
            room = max(1.0, self._row / max(_ROW, 3 * self.rate))
            self.rate *= (1 + _RAISE * room * min(1.0, _COARSE / self.rate)) ** seconds
            self._at = now

    def refused(self, now: float) -> None:
        """Go slower: a dial has failed."""
        self._searching = False
        self._row = 0
        self._at = now
        self.rate *= 1 - _LOWER * min(1.0, _COARSE / self.rate) ** 0.5
        self.rate = max(_LEAST, self.rate)

    def _step(self, now: float) -> None:
        took = now - self._began
        reached = min(self._base, STEP / took) if took > 0 else self._base
        self.rate = max(self.rate, self._ramp * reached)
        self._base, self._began, self._row = self.rate, now, 0
