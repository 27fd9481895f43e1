"""Hypothesis strategies for records, contexts and faults; public, for your own tests.

from hypothesis import given
from recloser.testing import strategies

@given(strategies.closes(), strategies.contexts())
def test_it_decides(close, context): ...
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from hypothesis import strategies as st

from recloser.fsm.decisions import Context, Decision, Hold, Phase, Retry, Stop, Unsent
from recloser.fsm.record import Close
from recloser.testing.doubles.faults import Fault
from recloser.testing.evidence.draws import NO_LITERALS, Draws, Source
from recloser.testing.evidence.literals import Literals
from recloser.testing.evidence.stories import Act, Story

T = TypeVar("T")


class _Examples:
    """A source that draws from Hypothesis, which makes smaller what it has drawn."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def whole(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def number(self, low: float, high: float) -> float:
        return self._draw(st.floats(low, high))

    def text(self, most: int) -> str:
        return self._draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=most))

    def several(self, make: Callable[[Source], T], least: int, most: int) -> list[T]:
        return self._draw(st.lists(_drawn(make), min_size=least, max_size=most))


@st.composite
def _drawn(draw: st.DrawFn, make: Callable[[Source], T]) -> T:
    return make(_Examples(draw))


def rolls(known: Literals = NO_LITERALS) -> st.SearchStrategy[float]:
    """Make numbers in [0, 1), the smallest and the largest among them."""
    return _drawn(Draws(known).roll)


def seconds(known: Literals = NO_LITERALS, *, most: float = 1e9) -> st.SearchStrategy[float]:
    """Make times, round ones among them."""
    return _drawn(partial(Draws(known).seconds, most=most))


def reasons(known: Literals = NO_LITERALS) -> st.SearchStrategy[str]:
    """Make texts that a close frame can carry."""
    return _drawn(Draws(known).reason)


def codes(known: Literals = NO_LITERALS) -> st.SearchStrategy[int]:
    """Make close codes: registered ones, private ones, and numbers that no registry knows."""
    return _drawn(Draws(known).code)


def ends(known: Literals = NO_LITERALS) -> st.SearchStrategy[Close]:
    """Make records of ends that are not intentional, as the transport would."""
    return _drawn(Draws(known).end)


def closes(known: Literals = NO_LITERALS) -> st.SearchStrategy[Close]:
    """Make records of any kind, also those that no known transport makes."""
    return _drawn(Draws(known).close)


def contexts(
    known: Literals = NO_LITERALS, phase: Phase | None = None
) -> st.SearchStrategy[Context]:
    """Make contexts whose facts do not contradict each other."""
    return _drawn(partial(Draws(known).context, phase=phase))


def decisions() -> st.SearchStrategy[Decision]:
    """Make decisions of each kind."""
    unsent = st.sampled_from(Unsent)
    return st.one_of(
        st.builds(Retry, seconds(), st.booleans(), st.just("rule"), unsent),
        st.builds(Hold, st.just("rule"), unsent),
        st.builds(Stop, st.just("rule"), unsent),
    )


def schedules(most: int = 12) -> st.SearchStrategy[list[float]]:
    """Make lists of pauses in seconds: short, long, and none at all."""
    pause = st.one_of(st.just(0.0), st.floats(0.0, 2.0), st.floats(0.0, 1e5))
    return st.lists(pause, max_size=most)


def acts(known: Literals = NO_LITERALS) -> st.SearchStrategy[Act]:
    """Make the acts that stories consist of."""
    return _drawn(Draws(known).act)


def stories(known: Literals = NO_LITERALS, most: int = 12) -> st.SearchStrategy[Story]:
    """Make whole stories for `recloser.testing.play`."""
    return _drawn(partial(Draws(known).story, most=most))


def fault_scripts(most: int = 6) -> st.SearchStrategy[tuple[Fault, ...]]:
    """Make fault scripts for a `ScriptedServer`, none of which takes longer than a moment."""
    closing = st.builds(
        Fault,
        do=st.just("close"),
        code=st.sampled_from((1000, 1001, 1011, 1012, 3000, 4000, 4999)),
        reason=st.sampled_from(("", "restart", "naïve ☂")),
        send=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    )
    refusing = st.builds(
        Fault, do=st.just("refuse"), status=st.sampled_from((401, 403, 404, 429, 500, 503))
    )
    breaking = st.builds(Fault, do=st.sampled_from(("cut", "reset")))
    return st.lists(st.one_of(closing, refusing, breaking), max_size=most).map(tuple)
