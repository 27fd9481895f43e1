"""The dials per second that a host takes: a return finds them in which some are refused.

A host may hold a second of its work before it refuses a dial. At a refusal nothing is left of that,
so what opens from then on is what it takes.
"""

from typing import Final, NamedTuple

BACKLOG: Final = 1.0
"""Seconds of its work that a host may hold before it refuses a dial."""
_SECONDS: Final = 3.0
"""Seconds for which dials are counted at least,"""
_DIALS: Final = 20
"""and how many of them."""
_ROUND: Final = 10.0
"""Seconds after which a refusal begins a new count: the pace may have been low in this one."""
_PROMPT: Final = 1.0
"""Seconds within which a refusal tells of this moment."""
_FEW: Final = 30
"""Refusals that may be chance, or another process at the same host."""
_PART: Final = 0.5
"""Share of the dials of a return that must open after the first refusal, so that what is counted
then is more to be trusted than what the search has seen: the host may have held more."""
_SHARE: Final = 0.01
"""Share of the dials of a return whose refusal may be chance."""


class Intake(NamedTuple):
    """What a host took in a return."""

    rate: float
    """Dials per second."""
    crowd: int
    """How many engines came back."""
    at: float
    """When it was found."""

    def of(self, crowd: int) -> float:
        """Return the dials per second at which so many engines come back in the same time.

        A smaller crowd gets no less, as the host takes that.
        """
        return self.rate * max(1.0, crowd / self.crowd)


class IntakeMeter:
    """Counts the dials of a return, again and again from a refusal on."""

    __slots__ = (
        *("_before", "_counted", "_held", "_rate", "_refused", "_seen", "_since"),
        *("found_at", "opened"),
    )

    def __init__(self, opened: int, seen: float, now: float, began: float) -> None:
        """Take the first dial that has been refused, after so many have opened.

        `seen`: the dials per second that the host has taken until now, at least.
        """
        self._before = opened
        self._seen = seen
        self.opened: int = opened
        """Dials that have opened in the return."""
        self.found_at: float = now
        """When the last of those opened by which the rate was found."""
        self._refused = 1
        self._rate = 0.0
        """The most dials that the host has taken in a second, on average of a count."""
        self._begin(now, began)

    def count(self, now: float, began: float) -> None:
        """Take a dial that has opened, and had begun then."""
        self.opened += 1
        if began <= self._since:
            return
        self._counted += 1
        passed = now - self._since
        if passed >= _SECONDS and self._counted > _DIALS:
            rate = (self._counted - 1) / (passed + self._held)
            if rate > self._rate:
                self._rate, self.found_at = rate, now

    def refused(self, now: float, began: float) -> None:
        """Take a dial that has been refused, and had begun then."""
        self._refused += 1
        if now - self._since >= _ROUND and self._counted > _DIALS:
            self._begin(now, began)

    def _begin(self, now: float, began: float) -> None:
        self._since = now
        self._counted = 0
        """Dials that have opened, and had begun after that."""
        self._held = 0.0 if now - began < _PROMPT else BACKLOG
        """Seconds of its work that the host may have held by then."""

    @property
    def rate(self) -> float | None:
        """Dials per second; None: the refusals may be chance."""
        least = max(_FEW, _SHARE * (self.opened + self._refused))
        if self._refused < least:
            return None
        counts = self.opened - self._before >= _PART * self.opened
        return self._rate if counts and self._rate > 0.0 else max(self._rate, self._seen)
