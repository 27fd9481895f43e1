"""The random part of the search: Hypothesis draws, and shrinks what breaks a law."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from recloser.fsm.decisions import Phase as Where
from recloser.testing import strategies
from recloser.testing.literals import Literals
from recloser.testing.stories import Question

T = TypeVar("T")


class _FoundError(AssertionError):
    """Tells Hypothesis that an example is one."""


def smallest_example(
    strategy: st.SearchStrategy[T],
    broken: Callable[[T], bool],
    *,
    examples: int,
    first: int,
) -> T | None:
    """Return the smallest example for which `broken` holds, of `examples`; None if none does.

    `first` is the seed: the same one draws the same examples.
    """
    found: list[T] = []

    @seed(first)
    @settings(
        max_examples=examples,
        phases=(Phase.generate, Phase.shrink),
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(strategy)
    def search(example: T) -> None:
        if broken(example):
            found.append(example)
            raise _FoundError

    try:
        search()
    except _FoundError:
        return found[-1]  # Hypothesis ends with the smallest
    return None


def questions(known: Literals) -> st.SearchStrategy[Question]:
    """Make questions whose phase fits their record as a rule."""
    dialled = st.builds(Question, strategies.closes(known), strategies.contexts(known, Where.DIAL))
    opened = st.builds(Question, strategies.closes(known), strategies.contexts(known, Where.OPEN))
    return st.one_of(dialled, opened)
