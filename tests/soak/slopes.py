"""Whether something grows: the slope of its samples by least squares, and what it may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Final

BATCHES: Final = 24
"""Samples follow each other closely and are alike: their means over so many spans are not."""
WARM_UP: Final = 0.2
"""The share of a run whose samples are left out: caches fill, pools grow."""
_T: Final = 2.074
"""Student's t for 95 % on both sides, and 22 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Slope:
    """The growth over the whole run, in the unit of the samples."""

    growth: float
    margin: float
    """Half of the interval in which the growth is with 95 % confidence."""

    def grows(self, allowed: float) -> bool:
        """Whether all of the interval is above what is allowed."""
        return self.growth - self.margin > allowed

    def __str__(self) -> str:
        return f"{self.growth:+.2f} +- {self.margin:.2f}"


def slope(samples: Sequence[float]) -> Slope:
    """Fit a line to samples at equal distances; raises `ValueError` for too few."""
    late = samples[int(len(samples) * WARM_UP) :]
    size = len(late) // BATCHES
    if size == 0:
        raise ValueError(f"{len(samples)} samples are too few for {BATCHES} batches: run longer")
    ys = [fmean(late[at * size : (at + 1) * size]) for at in range(BATCHES)]
    xs = [(at + 0.5) / BATCHES for at in range(BATCHES)]
    middle_x, middle_y = fmean(xs), fmean(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    rise = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread
    left = [y - middle_y - rise * (x - middle_x) for x, y in zip(xs, ys, strict=True)]
    error = sqrt(sum(each * each for each in left) / (BATCHES - 2) / spread)
    return Slope(rise / (1 - WARM_UP), _T * error / (1 - WARM_UP))
