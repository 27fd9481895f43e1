"""The limits that the application sets to every connection: its age, and its silence."""

from collections.abc import Callable
from math import inf
from typing import Protocol

from recloser.driver.generation import Generation
from recloser.driver.session_limit import Engine, SessionLimit
from recloser.driver.watchdog import Watched, watch_messages
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.numbers import check_order, check_seconds

MaxAge = float | tuple[float, float]
"""The greatest age of a connection in seconds, or the bounds between which each one is drawn."""


class LimitedEngine(Engine, Watched, Protocol):
    """The engine, as the limits of its connections see it."""


class Limits(NamedTuple):
    """The limits of every connection of one engine."""

    stale_after: float | None
    """Seconds without a message that end a connection."""
    youngest: float
    """The least age in seconds at which a connection is left; infinite where it is not."""
    oldest: float
    """The greatest such age."""
    roll: Callable[[], float]
    """Draws the age of each connection."""
    gapless: bool
    """Whether the next connection comes before one is left for its age."""

    def watch(self, engine: LimitedEngine, generation: Generation) -> None:
        """Begin to watch a generation that has opened."""
        number = generation.number
        if self.stale_after is not None and generation.wire is not None:
            dog = watch_messages(engine, number, self.stale_after, generation.wire)
            generation.watches += (dog,)
        if self.youngest < inf:
            age = self.youngest + (self.oldest - self.youngest) * self.roll()
            limit = SessionLimit(
                engine, number, age, lambda: generation.scope, gapless=self.gapless
            )
            generation.watches += (limit,)


def limits_of(
    stale_after: float | None,
    max_age: MaxAge | None,
    roll: Callable[[], float],
    *,
    gapless: bool,
) -> Limits | None:
    """Make the limits, None for none; raises `TypeError` or `ValueError` for bad seconds."""
    if not isinstance(gapless, bool):
        raise TypeError(f"gapless must be True or False, not {gapless!r}")
    if gapless and max_age is None:
        raise ValueError("gapless says how a connection is left for its age: give max_age, too")
    if stale_after is None and max_age is None:
        return None
    if stale_after is not None:
        check_seconds("stale_after", stale_after, positive=True)
    if max_age is None:
        return Limits(stale_after, inf, inf, roll, gapless)
    bounds = max_age if isinstance(max_age, tuple) else (max_age, max_age)
    if len(bounds) != 2:  # noqa: PLR2004 - the two ends of a window
        raise ValueError(f"max_age must be seconds, or (low, high) in seconds, not {max_age!r}")
    low, high = (check_seconds("max_age", each, positive=True) for each in bounds)
    check_order("the low end of max_age", low, "the high end", high)
    return Limits(stale_after, low, high, roll, gapless)
