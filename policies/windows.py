"""Contiguous windows: the backoff of the standard policy, which keeps a fleet spread out."""

from typing import Final

from recloser.fsm.decisions import Context
from recloser.fsm.numbers import check_order, check_seconds
from recloser.fsm.record import Close
from recloser.fsm.value import Value, assign
from recloser.policies.backoff import Backoff

_MAX_STEPS: Final = 200


class Windows(Value, Backoff):
    """Windows laid end to end, each with one dial at a random moment of it.

    They last `first`, first * `factor` ... `longest` seconds. An end that is `Close.busy`
    does not move on to the next length: it repeats the window once, then grows it by
    `factor`, and may push it past `longest`, up to `longest_busy`: a population that comes
    every L seconds costs the server its refusals, and if L is too short for its size, no client
    gets in any more. Time counts from the start of the dial: a slow dial shortens the rest of
    its window, never the jitter of the next.

    Of the strategies that know only their own past, this one had the shortest tail and a third
    of the peak of full jitter over many outages (docs/policies.md).
    """

    __slots__ = ("_down", "_growth", "factor", "first", "longest", "longest_busy")
    __match_args__ = ("first", "factor", "longest", "longest_busy")

    first: float
    factor: float
    longest: float
    longest_busy: float
    _down: tuple[float, ...]
    _growth: tuple[float, ...]

    def __init__(
        self,
        first: float = 5.0,
        factor: float = 1.5,
        longest: float = 30.0,
        longest_busy: float = 300.0,
    ) -> None:
        check_seconds("first", first, positive=True)
        check_seconds("longest", longest)
        check_seconds("longest_busy", longest_busy)
        check_seconds("factor", factor)
        if factor <= 1:
            raise ValueError(f"factor must be above 1, not {factor!r}")
        check_order("first", first, "longest", longest)
        check_order("longest", longest, "longest_busy", longest_busy)
        assign(self, "first", first)
        assign(self, "factor", factor)
        assign(self, "longest", longest)
        assign(self, "longest_busy", longest_busy)
        assign(self, "_down", self._lengths(longest))
        assign(self, "_growth", tuple(each / first for each in self._lengths(longest_busy)))

    def _lengths(self, longest: float) -> tuple[float, ...]:
        lengths = [self.first]
        while lengths[-1] < longest and len(lengths) < _MAX_STEPS:
            lengths.append(min(longest, lengths[-1] * self.factor))
        return (*lengths[:-1], longest)

    def bound(self) -> float:
        """Return twice the longest window: from the start of one to the end of the next."""
        return 2.0 * self.longest_busy

    def __str__(self) -> str:
        shown = ", ".join(f"{each:.3g}" for each in self._down[:3])
        return f"windows {shown} .. {self.longest:g} s (busy: to {self.longest_busy:g} s)"

    def length(self, attempt: int, busy: int) -> float:
        """Return the window in seconds after `attempt` failures of which `busy` were busy."""
        down = self._down
        if busy == 0 < attempt:
            return down[attempt - 1] if attempt < len(down) else down[-1]
        growth = self._growth
        silent = min(max(attempt - busy - 1, 0), len(down) - 1)
        length = down[silent] * growth[min(busy // 2, len(growth) - 1)]
        return min(length, self.longest_busy)

    def delay(self, close: Close, context: Context, /) -> float:
        """Return the rest of the window of the dial that failed, and a moment in the next."""
        attempt, busy, before = context.attempt, context.busy, context.last_roll
        start = context.next_dial_in
        if before is not None and attempt > 1 and not context.previous_immediate:
            window = self.length(attempt - 1, busy - 1 if busy and close.busy else busy)
            start = max(start, window * (1.0 - before) - context.since_dial)
        return start + context.roll * self.length(attempt, busy)
