"""Sets of numbers as intervals, so that two conditions are compared without trying values."""

from collections.abc import Iterable
from math import inf

from recloser.fsm.value import Value, assign

Interval = tuple[float, float]
"""From the first number, included, to the second, excluded."""

Numbers = int | range | Iterable[int | range]
"""A set of whole numbers as it is written: `1000`, `range(4000, 5000)`, or several of these."""


class IntervalSet(Value):
    """A set of numbers: intervals in ascending order that do not touch."""

    __slots__ = __match_args__ = ("intervals",)

    intervals: tuple[Interval, ...]

    def __init__(self, intervals: tuple[Interval, ...]) -> None:
        assign(self, "intervals", intervals)

    def __contains__(self, value: float) -> bool:
        return any(low <= value < high for low, high in self.intervals)

    def covers(self, other: "IntervalSet") -> bool:
        """Whether every number of `other` is in this set."""
        for first, last in other.intervals:
            for low, high in self.intervals:
                if low <= first and last <= high:
                    break
            else:
                return False
        return True

    def meets(self, other: "IntervalSet") -> bool:
        """Whether the two have a number in common."""
        return any(
            low < last and first < high
            for low, high in self.intervals
            for first, last in other.intervals
        )

    def common(self, other: "IntervalSet") -> "IntervalSet":
        """Return the numbers of both."""
        return IntervalSet(
            tuple(
                (max(low, first), min(high, last))
                for low, high in self.intervals
                for first, last in other.intervals
                if max(low, first) < min(high, last)
            )
        )

    def bounds(self) -> str:
        """Return the set in words that are right for numbers with fractions, such as times."""
        return ", ".join(map(_bounds, self.intervals))

    def __str__(self) -> str:
        return ", ".join(map(_text, self.intervals))


def _bounds(interval: Interval) -> str:
    low, high = interval
    if low == -inf:
        return f"below {high:g}"
    if high == inf:
        return f"at least {low:g}"
    return f"at least {low:g} and below {high:g}"


def _text(interval: Interval) -> str:
    low, high = interval
    if isinstance(low, int) and isinstance(high, int):
        return f"{low}" if high - low == 1 else f"{low}-{high - 1}"
    return _bounds(interval)


def join(intervals: Iterable[Interval]) -> IntervalSet:
    """Make one set of all numbers that are in any of the intervals."""
    joined: list[Interval] = []
    for low, high in sorted(intervals):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return IntervalSet(tuple(joined))


def numbers(value: Numbers) -> IntervalSet:
    """Make a set of whole numbers; raises `TypeError` or `ValueError` for anything else.

    >>> str(numbers([1000, range(4000, 5000)]))
    '1000, 4000-4999'
    """
    parts = [value] if isinstance(value, int | range) else list(value)
    intervals: list[Interval] = []
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | range):
            raise TypeError(f"expected an int or a range, not {part!r}")
        if isinstance(part, range) and (part.step != 1 or not part):
            raise ValueError(f"a range must hold something and go in steps of 1, not {part!r}")
        intervals.append((part, part + 1) if isinstance(part, int) else (part.start, part.stop))
    if not intervals:
        raise ValueError("expected at least one number: an empty set matches nothing")
    return join(intervals)


def at_least(low: float) -> IntervalSet:
    """Make the set of all numbers from `low` on; raises as `below` does."""
    return IntervalSet(((_bound(low), inf),))


def below(high: float) -> IntervalSet:
    """Make the set of all numbers under `high`; `TypeError` or `ValueError` for no number."""
    return IntervalSet(((-inf, _bound(high)),))


def _bound(given: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"a bound must be a number, not {given!r}")
    if given != given:  # noqa: PLR0124 - so NaN is told; nothing is above or below it
        raise ValueError("a bound must be a number, and NaN is none")
    return given
