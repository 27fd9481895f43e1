"""The random part of the search: Hypothesis draws, and shrinks what breaks a law."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from recloser.testing import strategies
from recloser.testing.evidence.interview import Exchange, Interview, Unanswered
from recloser.testing.evidence.literals import Literals
from recloser.testing.evidence.lives import Life, outage
from recloser.testing.evidence.play import play
from recloser.testing.evidence.stories import Question, Story
from recloser.testing.laws.law import Law
from recloser.testing.search.breach import MakePolicy

T = TypeVar("T")


class _FoundError(AssertionError):
    """Tells Hypothesis that an example is one."""


_MOST_DRAWN: Final = 12
"""Draws that a process keeps: three for each of the policies that it checked last."""
_DRAWN: Final[dict[tuple[object, ...], list[Any]]] = {}
"""The examples of draws in which no law broke, in order; the oldest draw first."""


def smallest_example(
    kind: Callable[[Literals], st.SearchStrategy[T]],
    known: Literals,
    broken: Callable[[T], bool],
    *,
    examples: int,
    first: int,
) -> T | None:
    """Return the smallest example for which `broken` holds, of `examples`; None if none does.

    `first` is the seed: the same one draws the same examples. Hypothesis takes ten times as long
    to draw an example as a law to judge it, so the examples are kept, and are drawn again only
    where one of them has to be made smaller.
    """
    key = (kind, known, examples, first)
    if key in _DRAWN and not any(map(broken, _DRAWN[key])):
        return None
    drawn: list[T] = []
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
    @given(kind(known))
    def search(example: T) -> None:
        drawn.append(example)
        if broken(example):
            found.append(example)
            raise _FoundError

    try:
        search()
    except (_FoundError, Flaky):
        # Hypothesis ends with the smallest. A policy that remembers may answer it otherwise by now.
        return found[-1]
    _DRAWN[key] = drawn
    if len(_DRAWN) > _MOST_DRAWN:
        del _DRAWN[next(iter(_DRAWN))]
    return None


def prepare() -> None:
    """Let Hypothesis begin while few objects are alive.

    At its first use in a process it looks through all of them: 0.2 s once the questions are there.
    """

    @settings(max_examples=1, phases=(Phase.generate,), database=None, deadline=None)
    @given(st.just(0))
    def draw(_: int) -> None:
        pass

    draw()


def short_stories(known: Literals) -> st.SearchStrategy[Story]:
    """Make stories for the real client, which takes longer to play one."""
    return strategies.stories(known, most=6)


def questions(known: Literals) -> st.SearchStrategy[Question]:
    """Make questions: any record with any context."""
    return st.builds(Question, strategies.closes(known), strategies.contexts(known))


class Sieve:
    """Finds the first law that an example breaks; what it finds is confirmed elsewhere."""

    def __init__(self, make_policy: MakePolicy, max_delay: float) -> None:
        self.stories: int = 0
        self._policy = make_policy()
        self._asker = Interview(make_policy, max_delay=max_delay)
        self._outage: Sequence[Exchange] = []
        try:
            self._outage = outage(self._asker.again)
        except Unanswered:
            self._outage = []

    @property
    def questions(self) -> int:
        """Number of questions, without those of stories."""
        return self._asker.questions

    def first_broken(self, laws: Sequence[Law], example: Question | Story) -> Law | None:
        """Return the first of the laws that does not hold on this example."""
        if isinstance(example, Question):
            return next((law for law in laws if self._answered_badly(law, example)), None)
        self.stories += 1
        for law in laws:
            if law.client is not None and law.client(self._policy, example) is not None:
                return law
        staged = [law for law in laws if law.client is None]
        if not staged:
            return None
        trace = play(self._policy, example)
        life = Life(trace.asked, self._outage, self._asker.again, trace.problem)
        for law in staged:
            if law.life is not None and law.life(life) is not None:
                return law
            if any(self._answered_badly(law, each) for each in trace.questions):
                return law
        return None

    def _answered_badly(self, law: Law, question: Question) -> bool:
        if law.decision is None:
            return False
        try:
            return law.decision(self._asker, question.close, question.context) is not None
        except Unanswered:
            return False
