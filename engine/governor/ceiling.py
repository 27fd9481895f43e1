"""The most dials per second of a return, by what the host took in an earlier one.

It is steady for a while. Then it rises, since the host may take more by now.
"""

from typing import Final

from recloser.governor.intake import Intake
from recloser.governor.limits import CATCH_UP

_STEADY: Final = 90.0
"""Seconds for which it does not rise, from the beginning of the return and from each refusal on,"""
_STALE: Final = 10.0
"""and how many if what the host took was found"""
_FRESH: Final = 86_400.0
"""more seconds ago than this."""
_RISE: Final = 1.05
"""Its growth in a second after that."""


class Ceiling:
    """How many dials a second a return may have at most."""

    __slots__ = ("_rate", "_since", "_steady", "found_at", "known", "next_at")

    def __init__(self, intake: Intake, crowd: int, now: float) -> None:
        """Begin with what the host took, for a return of so many engines."""
        self.known: float = intake.of(crowd)
        """Dials per second that it began with."""
        self.found_at: float = intake.at
        """When that was found."""
        self.next_at: float = now
        """When it leaves the next dial."""
        self._rate = self.known
        self._since = now
        self._steady = _STEADY if now - intake.at < _FRESH else _STALE

    def at(self, now: float) -> float:
        """Return the dials per second of this moment."""
        risen = now - self._since - self._steady
        return self._rate if risen <= 0 else self._rate * _RISE**risen

    def granted(self, now: float) -> None:
        """Take a dial that begins now."""
        self.next_at = max(self.next_at, now - CATCH_UP) + 1 / self.at(now)

    def reached(self, now: float, seen: float = 0.0) -> None:
        """Take a refusal or a queue: the host has no room for more.

        `seen`: the dials per second that it has been seen to take.
        """
        self._rate = max(self._rate, seen)
        self._since = now
