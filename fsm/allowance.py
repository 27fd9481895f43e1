"""The allowances of a budget: how long a dial must wait so that no window holds too many.

A service counts the dials of a client over minutes, hours or days, whatever became of them, and
bans who exceeds the count. A stable connection forgets failures; it does not forget dials.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recloser.fsm.numbers import check_count, check_seconds


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many dials within any span of so many seconds; raises `TypeError` or `ValueError`."""

    dials: int
    seconds: float

    def __post_init__(self) -> None:
        check_count("dials", self.dials)
        object.__setattr__(self, "seconds", check_seconds("seconds", self.seconds, positive=True))


def wait_for_budget(allowances: Iterable[Allowance], dials: Sequence[float], now: float) -> float:
    """Return the seconds from `now` before which another dial would exceed an allowance.

    `dials` are the moments of the dials before, in order, on the clock of `now`. A moment
    after `now` counts as `now`: a clock was set back, and what it forgets, the service may not.
    """
    past = bisect_right(dials, now)
    longest = 0.0
    for each in allowances:
        if len(dials) >= each.dials:
            at = len(dials) - each.dials
            oldest = dials[at] if at < past else now
            longest = max(longest, oldest + each.seconds - now)
    return longest
