"""`DialLimits`: the most dials that a governor lets begin, and lets be under way."""

from dataclasses import dataclass
from typing import Final

from recloser.fsm.numbers import check_count, check_seconds

AT_ONCE: Final = 200
"""Dials under way at one host at a time, unless the application says otherwise."""
CATCH_UP: Final = 0.1
"""Seconds of delay by a busy event loop that those who wait make up for."""


@dataclass(frozen=True, slots=True)
class DialLimits:
    """Limits for one host or key; raises `TypeError` or `ValueError`."""

    rate: float | None = None
    """Dials per second, evenly spaced; None for no limit."""
    at_once: int | None = None
    """Dials under way at a time, `on_open` included; None for no limit."""

    def __post_init__(self) -> None:
        if self.rate is not None:
            object.__setattr__(self, "rate", check_seconds("rate", self.rate, positive=True))
        if self.at_once is not None:
            check_count("at_once", self.at_once)
