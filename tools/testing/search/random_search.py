"""The random part of the search: what is drawn is held against the laws that hold so far."""

from collections.abc import Iterator, Sequence

from recloser.testing.evidence.interview import Exchange, Interview, Unanswered
from recloser.testing.evidence.lives import Life, outage
from recloser.testing.evidence.play import play
from recloser.testing.evidence.stories import Question, Story
from recloser.testing.laws.law import Law
from recloser.testing.search.breach import MakePolicy


class Sieve:
    """Finds the laws that an example breaks; what it finds is confirmed elsewhere."""

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

    def broken(self, laws: Sequence[Law], example: Question | Story) -> Iterator[tuple[Law, str]]:
        """Yield the laws that do not hold on this example, each with the fault in a sentence."""
        if isinstance(example, Question):
            yield from self._badly_answered(laws, [example])
            return
        self.stories += 1
        for law in laws:
            if law.client is not None and (problem := law.client(self._policy, example)):
                yield law, problem
        staged = [law for law in laws if law.client is None]
        if not staged:
            return
        trace = play(self._policy, example)
        life = Life(trace.asked, self._outage, self._asker.again, trace.problem)
        for law in staged:
            if law.life is not None and (problem := law.life(life)):
                yield law, problem
            else:
                yield from self._badly_answered([law], trace.questions)

    def _badly_answered(
        self, laws: Sequence[Law], questions: Sequence[Question]
    ) -> Iterator[tuple[Law, str]]:
        for law in laws:
            if law.decision is None:
                continue
            for each in questions:
                try:
                    problem = law.decision(self._asker, each.close, each.context)
                except Unanswered:
                    continue
                if problem is not None:
                    yield law, problem
                    break
