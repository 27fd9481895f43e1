"""Backoffs: pure functions of the end, the attempt, the roll and the delay before.

In all of them jitter comes after the cap, so a fleet stays spread at the cap (D2). No attempt
number overflows. `recloser.policies.pace` adds the gap between two dials, and the wishes of the
server, to any of them.
"""

from abc import ABC, abstractmethod
from math import ceil, log
from typing import ClassVar

from recloser.fsm.decisions import Context
from recloser.fsm.numbers import check_order, check_seconds
from recloser.fsm.record import Close
from recloser.fsm.value import Value, assign


class Backoff(ABC):
    """One way of choosing a delay; frozen, so that one object serves every connection.

    Its `str` describes it in a few words, for a table.
    """

    __slots__ = ()

    @abstractmethod
    def bound(self) -> float:
        """Return the longest possible delay, in seconds."""

    @abstractmethod
    def delay(self, close: Close, context: Context, /) -> float:
        """Return the seconds from now to the next dial."""


class Uniform(Value, Backoff):
    """A random moment between `low` and `cap`, whatever the attempt."""

    __slots__ = __match_args__ = ("low", "cap")

    low: float
    cap: float

    def __init__(self, low: float, cap: float) -> None:
        check_seconds("low", low)
        check_seconds("cap", cap)
        check_order("low", low, "cap", cap)
        assign(self, "low", low)
        assign(self, "cap", cap)

    def __str__(self) -> str:
        if self.low == self.cap:
            return f"after {self.cap:g} s" if self.cap else "at once"
        return f"after {self.low:g}-{self.cap:g} s"

    def bound(self) -> float:
        """Return the cap."""
        return self.cap

    def delay(self, close: Close, context: Context, /) -> float:
        """Return low + roll * (cap - low)."""
        del close
        return self.low + context.roll * (self.cap - self.low)


__all__ = [
    "Backoff",
    "Decorrelated",
    "EqualJitter",
    "Exponential",
    "FullJitter",
    "Steps",
    "Uniform",
    "rfc6455",
]


class Steps(Value, Backoff):
    """A table of delays in seconds, one for each attempt; the last one repeats.

    With `jitter`, a share of 0 to 1, each delay is drawn from that share below it.
    """

    __slots__ = __match_args__ = ("table", "jitter")

    table: tuple[float, ...]
    jitter: float

    def __init__(self, table: tuple[float, ...], jitter: float = 0.0) -> None:
        if not table:
            raise ValueError("table must hold at least one delay")
        for each in table:
            check_seconds("each delay of the table", each)
        check_seconds("jitter", jitter)
        check_order("jitter", jitter, "a share of", 1.0)
        assign(self, "table", table)
        assign(self, "jitter", jitter)

    def bound(self) -> float:
        """Return the longest delay of the table."""
        return max(self.table)

    def __str__(self) -> str:
        return "steps of " + ", ".join(f"{each:g}" for each in self.table) + " s"

    def delay(self, close: Close, context: Context, /) -> float:
        """Return the entry of this attempt, less its jitter."""
        del close
        entry = self.table[max(0, min(context.attempt, len(self.table)) - 1)]
        return entry * (1.0 - self.jitter * context.roll)


class Exponential(Value, Backoff):
    """base * factor ** (attempt - 1), at most `cap`, without jitter: a fleet stays together.

    For comparison, and for a connection that has no siblings.
    """

    words: ClassVar[str] = "exponential"

    __slots__ = __match_args__ = ("base", "cap", "factor")

    base: float
    cap: float
    factor: float

    def __init__(self, base: float = 1.0, cap: float = 60.0, factor: float = 2.0) -> None:
        check_seconds("base", base, positive=True)
        check_seconds("cap", cap, positive=True)
        check_order("base", base, "cap", cap)
        check_seconds("factor", factor)
        if factor <= 1:
            raise ValueError(f"factor must be above 1, not {factor!r}")
        assign(self, "base", base)
        assign(self, "cap", cap)
        assign(self, "factor", factor)

    def __str__(self) -> str:
        return f"{self.words} {self.base:g} s, x{self.factor:g}, to {self.cap:g} s"

    def bound(self) -> float:
        """Return the cap."""
        return self.cap

    def ceiling(self, attempt: int) -> float:
        """Return the value before jitter, in seconds."""
        power = max(attempt - 1, 0)
        # The power is compared, not the value: at attempt 10**9 the value has no float.
        if power >= ceil(log(self.cap / self.base) / log(self.factor)):
            return self.cap
        return min(self.cap, self.base * self.factor**power)

    def delay(self, close: Close, context: Context, /) -> float:
        """Return the ceiling."""
        del close
        return self.ceiling(context.attempt)


class FullJitter(Exponential, init=False):
    """A random moment between 0 and the exponential ceiling (AWS: full jitter)."""

    __slots__ = ()

    words: ClassVar[str] = "full jitter"

    def delay(self, close: Close, context: Context, /) -> float:
        """Return roll * ceiling."""
        del close
        return context.roll * self.ceiling(context.attempt)


class EqualJitter(Exponential, init=False):
    """A random moment in the upper half of the exponential ceiling (AWS: equal jitter)."""

    __slots__ = ()

    words: ClassVar[str] = "equal jitter"

    def delay(self, close: Close, context: Context, /) -> float:
        """Return (1 + roll) * ceiling / 2."""
        del close
        return (1.0 + context.roll) * self.ceiling(context.attempt) / 2.0


class Decorrelated(Value, Backoff):
    """A random moment between `base` and three times the delay before.

    As published by AWS, except that the cap bounds the range and not the draw: otherwise most
    draws of a long outage would be the cap itself.
    """

    __slots__ = __match_args__ = ("base", "cap")

    base: float
    cap: float

    def __init__(self, base: float = 1.0, cap: float = 60.0) -> None:
        check_seconds("base", base, positive=True)
        check_seconds("cap", cap, positive=True)
        check_order("base", base, "cap", cap)
        assign(self, "base", base)
        assign(self, "cap", cap)

    def __str__(self) -> str:
        return f"decorrelated jitter {self.base:g} to {self.cap:g} s"

    def bound(self) -> float:
        """Return the cap."""
        return self.cap

    def delay(self, close: Close, context: Context, /) -> float:
        """Return base + roll * (min(cap, 3 * last delay) - base)."""
        del close
        before = self.base if context.last_delay is None else max(self.base, context.last_delay)
        return self.base + context.roll * (min(self.cap, 3.0 * before) - self.base)


def rfc6455(cap: float = 60.0) -> Backoff:
    """Return the backoff of RFC 6455 section 7.2.3: 0 to 5 s first, then longer and longer.

    The growth, which the RFC leaves open, is a doubling; `cap` is in seconds.
    """
    return FullJitter(base=5.0, cap=cap)
