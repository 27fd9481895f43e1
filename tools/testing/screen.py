"""Holds many laws against many examples quickly: one policy, one play of each story."""

from collections.abc import Sequence

from recloser.testing.breach import MakePolicy
from recloser.testing.law import Asked, Asker, Law, Life, Unanswered
from recloser.testing.lives import outage
from recloser.testing.playing import play
from recloser.testing.stories import Question, Story


class Screen:
    """Finds the first law that an example breaks; what it finds is confirmed elsewhere."""

    def __init__(self, make_policy: MakePolicy, max_delay: float) -> None:
        self.stories = 0
        self._policy = make_policy()
        self._asker = Asker(make_policy, max_delay=max_delay)
        self._outage: Sequence[Asked] = []
        try:
            self._outage = outage(self._asker.again)
        except Unanswered:
            self._outage = []

    @property
    def questions(self) -> int:
        """How many questions have been put, those of stories aside."""
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
        life = Life(trace.asked, self._outage, trace.problem)
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
