"""Sets of numbers as spans, so that two conditions can be compared without trying values."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

Span = tuple[float, float]
"""From the first number, included, to the second, excluded."""

Numbers = int | range | Iterable[int | range]
"""How a set of whole numbers is written: `1000`, `range(4000, 5000)`, or several of these."""


@dataclass(frozen=True, slots=True)
class Spans:
    """A set of numbers: spans in order that do not touch."""

    spans: tuple[Span, ...]

    def __contains__(self, value: float) -> bool:
        return any(low <= value < high for low, high in self.spans)

    def covers(self, other: "Spans") -> bool:
        """Whether every number of `other` is in this set."""
        return all(
            any(low <= first and last <= high for low, high in self.spans)
            for first, last in other.spans
        )

    def meets(self, other: "Spans") -> bool:
        """Whether the two have a number in common."""
        return any(
            low < last and first < high for low, high in self.spans for first, last in other.spans
        )

    def __str__(self) -> str:
        return ", ".join(map(_text, self.spans))


def _text(span: Span) -> str:
    low, high = span
    if low == -inf:
        return f"below {high:g}"
    if high == inf:
        return f"at least {low:g}"
    return f"{low:g}" if high - low == 1 else f"{low:g}-{high - 1:g}"


def join(spans: Iterable[Span]) -> Spans:
    """Make one set of all that the spans hold."""
    joined: list[Span] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return Spans(tuple(joined))


def numbers(value: Numbers) -> Spans:
    """Make a set of whole numbers; raises `TypeError` or `ValueError` for what is none.

    >>> str(numbers([1000, range(4000, 5000)]))
    '1000, 4000-4999'
    """
    parts = [value] if isinstance(value, int | range) else list(value)
    spans: list[Span] = []
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | range):
            raise TypeError(f"expected an int or a range, not {part!r}")
        if isinstance(part, range) and (part.step != 1 or not part):
            raise ValueError(f"a range must hold something and go in steps of 1, not {part!r}")
        spans.append((part, part + 1) if isinstance(part, int) else (part.start, part.stop))
    if not spans:
        raise ValueError("expected at least one number: an empty set matches nothing")
    return join(spans)


def at_least(low: float) -> Spans:
    """Make the set of all numbers from `low` on."""
    return Spans(((low, inf),))


def below(high: float) -> Spans:
    """Make the set of all numbers under `high`."""
    return Spans(((-inf, high),))
