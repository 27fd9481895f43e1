"""The usual count of ends in a window, by the minutes before it, and what is far above it.

Closes of one kind come one by one, as calls come to a telephone exchange: a count over some
minutes scatters by the square root of its mean (Poisson). A daily rhythm and a slow growth
move the mean little from one hour to the next. What scatters more than that has its own
dispersion, which is measured.
"""

from collections.abc import Sequence
from math import exp, sqrt
from typing import Final, NamedTuple

SIGMAS: Final = 4.75
"""A count this far above the mean comes once in a million windows by chance."""


_LEAST: Final = 6
"""So few ends in a window are never out of the ordinary."""


class Scale(NamedTuple):
    """One length of window, and the past that it is compared with. Times are in minutes."""

    window: int
    blocks: int
    """Windows before it that tell what is usual."""
    dropped: int
    """The highest of them, left out: a wave of ends an hour ago must not hide the next one."""
    growth: float
    """The factor by which the mean may grow meanwhile, by daily rhythm alone."""
    raised: int
    """Minutes of the window that must be above the usual: a short burst is no rate."""

    @property
    def span(self) -> int:
        """The minutes of the past that are needed."""
        return self.window * (self.blocks + 1)


SHORT: Final = Scale(window=10, blocks=9, dropped=2, growth=1.25, raised=5)
LONG: Final = Scale(window=60, blocks=2, dropped=0, growth=1.4, raised=10)
HISTORY: Final = max(SHORT.span, LONG.span)
"""Minutes that are kept of each kind of end."""

_TRIM: Final = {0: 0.0, 2: 0.345}
"""How much the mean of the rest is too low when the highest of nine are dropped, in deviations."""


class Comparison(NamedTuple):
    """A count, and what was usual."""

    ends: int
    usual: float
    """The usual count of such a window."""
    unusual: bool
    calm: bool
    """The count is back where it usually is; between the two, an episode goes on."""


QUIET: Final = Comparison(0, 0.0, unusual=False, calm=True)


def compare(minutes: Sequence[int], scale: Scale, dispersion: float) -> Comparison:
    """Compare the last window of a series of counts, one a minute, with the windows before it.

    dispersion: variance of a minute by its mean; 1 for ends that come independently.
    """
    width = scale.window
    recent = minutes[-width:]
    count = sum(recent)
    if len(minutes) < scale.span or count <= _LEAST:
        return QUIET._replace(ends=count)
    past = minutes[-scale.span : -width]
    sums = sorted(sum(past[at : at + width]) for at in range(0, len(past), width))
    kept = sums[: len(sums) - scale.dropped]
    mean = (sum(kept) + 1) / len(kept)
    usual = mean + _TRIM[scale.dropped] * sqrt(dispersion * mean)
    most = scale.growth * usual
    deviation = sqrt(dispersion * most * (1 + scale.growth / len(kept)))
    if count <= most + SIGMAS / 2 * deviation:
        return Comparison(count, usual, unusual=False, calm=True)
    each = usual / width
    bound = 2.5 * each + 2 * sqrt(dispersion * each) + 3
    capped = sum(min(value, bound) for value in recent)
    raised = sum(value > scale.growth * each for value in recent)
    limit = most + SIGMAS * deviation + dispersion * SIGMAS**2 / 6
    return Comparison(
        count,
        usual,
        unusual=capped > limit and raised >= scale.raised,
        calm=capped <= most + SIGMAS / 2 * deviation,
    )


def bursts(minutes: Sequence[int], dispersion: float) -> bool:
    """Whether the last two minutes hold a burst: many connections that ended at one time."""
    count = sum(minutes[-2:])
    if count < _LEAST or len(minutes) < SHORT.span:
        return False
    most = 2 * 2 * (sum(minutes[-SHORT.span : -2]) + 1) / (SHORT.span - 2)
    return count > most + SIGMAS * sqrt(dispersion * most) + dispersion * SIGMAS**2 / 6


def rare_count(mean: float, chance: float = 1e-4) -> int:
    """Return the least count that a Poisson variable of this mean reaches with less than `chance`.

    >>> rare_count(0.1), rare_count(1.0)
    (4, 7)
    """
    term = exp(-mean)
    below, count = 0.0, 0
    while 1.0 - below >= chance:
        below += term
        count += 1
        term *= mean / count
    return count
