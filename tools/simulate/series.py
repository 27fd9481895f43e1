"""Cuts the moments of a storm into the two curves that are plotted."""

from bisect import bisect_right
from collections.abc import Sequence

from recloser.simulate.outcome import Outcome


def horizon(outcomes: Sequence[Outcome]) -> float:
    """Where the plots end: when the last engine of the last policy is back, or gives up."""
    ends = []
    for each in outcomes:
        last = each.fleet.time(1.0)
        ends.append(each.scenario.end if last is None else last)
    return max(ends)


def rate(moments: Sequence[float], end: float, columns: int) -> list[float]:
    """Count per second in each of `columns` equal parts of 0 to `end`."""
    counts = [0] * columns
    for moment in moments[: bisect_right(moments, end)]:
        counts[min(columns - 1, int(moment / end * columns))] += 1
    return [count * columns / end for count in counts]


def recovered(outcome: Outcome, end: float, columns: int) -> list[float]:
    """Give the share of the fleet that is open at the end of each part, from 0 to 1."""
    opened = outcome.fleet.opened
    return [
        bisect_right(opened, end * (column + 1) / columns) / outcome.fleet.engines
        for column in range(columns)
    ]
