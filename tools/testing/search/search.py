"""Searches for evidence that breaks a law: first the finite part, then at random."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final

from recloser.fsm.decisions import Decision
from recloser.testing.evidence import cases
from recloser.testing.evidence.draws import Dice, Draws
from recloser.testing.evidence.ends import End
from recloser.testing.evidence.interview import Interview, Unanswered
from recloser.testing.evidence.literals import Literals, literals_of
from recloser.testing.evidence.lives import Life, Turn, counted, live, outage, plans
from recloser.testing.evidence.stories import Question, Story, acts_of
from recloser.testing.laws.law import Law
from recloser.testing.search.breach import Breach, Evidence, MakePolicy, problem_of
from recloser.testing.search.effort import Effort
from recloser.testing.search.fork import Fork, processors
from recloser.testing.search.random_search import Sieve
from recloser.testing.search.shrink import shorter, smallest

Progress = Callable[[str, float], None]
"""Called from time to time with the present step, and the share that is done, from 0 to 1."""

_CHUNK: Final = 4000
_CASES: Final = 130_000
"""About as many as the sweep has; for the progress alone."""
_FIRST: Final = 200
"""Questions that are put before all others, and again after them."""


class Search:
    """One search through all laws; `found` holds the first breach of each."""

    def __init__(
        self,
        make_policy: MakePolicy,
        laws: Iterable[Law],
        *,
        effort: Effort,
        examples: int,
        seed: int,
        max_delay: float,
        progress: Progress | None = None,
        processes: int = 1,
    ) -> None:
        self.found: dict[str, Breach] = {}
        self.questions: int = 0
        self.stories: int = 0
        self._make = make_policy
        self._laws = tuple(laws)
        self._effort = effort
        self._examples = examples
        self._seed = seed
        self._max_delay = max_delay
        self._progress = progress
        self._processes = processes

    def run(self) -> None:
        """Search everything; the cheap and exhaustive things come first."""
        known = literals_of(self._make, self._make())
        if min(self._processes, processors()) > 1:
            self._run_forked(known)
        else:
            self._sweep(known)
            self._rest(known)
        self._tell("done", 1.0)

    def _run_forked(self, known: Literals) -> None:
        """Let another process search the rest meanwhile, as if the questions broke no law.

        Where they do, and where the rest finds a breach or fails, the rest is searched here, as
        one process would: it needs the laws that hold so far, and a breach is no plain data.
        """
        with Fork(partial(self._soundly, known)) as fork:
            self._sweep(known)
            counts = None if self.found else fork.result()
        if counts is None:
            self._rest(known)
        else:
            self.questions += counts["questions"]
            self.stories += counts["stories"]

    def _soundly(self, known: Literals) -> dict[str, int] | None:
        """Search the rest in silence; return its counts, or None if it found a breach."""
        self._progress = None
        self._rest(known)
        return None if self.found else {"questions": self.questions, "stories": self.stories}

    def _rest(self, known: Literals) -> None:
        self._lives(known)
        self._fleets()
        self._storms()
        if self._examples:
            self._random(known)

    def _tell(self, what: str, share: float) -> None:
        if self._progress is not None:
            self._progress(what, share)

    def _left(self, *kinds: str) -> list[Law]:
        """Return the laws with such a check that hold so far."""
        return [
            law
            for law in self._laws
            if law.name not in self.found and any(getattr(law, kind) for kind in kinds)
        ]

    def problem(self, law: Law, evidence: Evidence) -> str | None:
        """Hold one law against one piece of evidence."""
        return problem_of(law, self._make, evidence, max_delay=self._max_delay)

    def _broken(self, law: Law, evidence: Evidence) -> None:
        problem = self.problem(law, evidence)
        if problem is not None:
            self.found[law.name] = Breach(law, evidence, problem)

    # -- questions ----------------------------------------------------------------------

    def _sweep(self, known: Literals) -> None:
        laws = self._left("decision", "memory")
        asker = Interview(self._make, max_delay=self._max_delay)
        groups: tuple[tuple[str, Callable[[], Iterable[cases.Case]]], ...] = (
            ("codes", partial(cases.made, cases.codes)),
            ("statuses", partial(cases.made, cases.statuses)),
            ("origins and causes", partial(cases.made, cases.causes)),
            ("edges of each field", partial(cases.made, cases.fields)),
            ("attempts", partial(cases.made, cases.attempts)),
            ("its own numbers and texts", partial(cases.literally, known, self._seed)),
        )
        witness = Interview(self._make, max_delay=self._max_delay)
        first = list(self._first_answers(witness)) if self._left("memory") else []
        asked = 0
        for what, make_group in groups:
            if not laws:
                break
            part = islice(make_group(), 0, None, self._effort.every)
            while laws and (chunk := list(islice(part, _CHUNK))):
                laws = self._ask(asker, laws, chunk)
                asked += len(chunk) * self._effort.every
                self._tell(what, min(0.5, 0.5 * asked / _CASES))
        self._recall(witness, first)
        self.questions += asker.questions + witness.questions

    def _first_answers(self, asker: Interview) -> Iterator[tuple[cases.Case, Decision]]:
        for close, context in islice(cases.codes(), _FIRST):
            try:
                yield (close, context), asker(close, context)
            except Unanswered:
                continue

    def _recall(self, asker: Interview, first: list[tuple[cases.Case, Decision]]) -> None:
        """Ask the first questions once more: a memory in a module shows by another answer."""
        for law in self._left("memory"):
            for (close, context), answer in first:
                try:
                    later = asker.again(close, context)
                except Unanswered:
                    continue
                if law.memory is not None and (problem := law.memory(answer, later)) is not None:
                    self.found[law.name] = Breach(law, Question(close, context), problem)
                    break

    def _ask(self, asker: Interview, laws: list[Law], chunk: list[cases.Case]) -> list[Law]:
        """Put questions under the laws that hold so far; return those that still do."""
        checks = [(law, law.concerns, law.decision) for law in laws if law.decision is not None]
        for close, context in chunk:
            found = asker.answer(close, context)
            answer = None if isinstance(found, Unanswered) else found
            for law, concerns, check in checks:
                if concerns is not None and not concerns(asker, close, context, answer):
                    continue
                try:
                    problem = check(asker, close, context)
                except Unanswered:
                    continue
                if problem is not None:
                    self._blame(law, Question(close, context), problem)
                    laws = [each for each in laws if each is not law]
                    checks = [each for each in checks if each[0] is not law]
        return laws

    def _blame(self, law: Law, question: Question, problem: str) -> None:
        if self.problem(law, question) is None:
            # It took all that was asked before: the answers depend on a hidden memory.
            self.found[law.name] = Breach(law, question, problem)
            return
        least = smallest(question, lambda each: self.problem(law, each) is not None)
        self._broken(law, least)

    # -- lives --------------------------------------------------------------------------

    def _lives(self, known: Literals) -> None:
        laws = self._left("life")
        asker = Interview(self._make, max_delay=self._max_delay)
        try:
            compared = outage(asker.again)
        except Unanswered:
            compared = []
        planned = [*plans(known)][:: self._effort.every]
        firsts: dict[tuple[object, ...], Turn] = {}
        for number, (ends, refresh, roll) in enumerate(planned):
            if not laws:
                break
            if number % 1000 == 0:
                self._tell("lives", 0.5 + 0.2 * number / len(planned))
            self.stories += 1
            try:
                first = _first_turn(firsts, ends, refresh, roll)
                asked = live(asker.again, ends, can_refresh=refresh, roll=roll, first=first)
            except Unanswered:
                continue
            life = Life(asked, compared, asker.again)
            for law in laws:
                if law.life is not None and law.life(life) is not None:
                    acts = acts_of(ends)
                    self._shortest(law, Story(acts, refresh, roll))
                    laws = self._left("life")
        self.questions += asker.questions

    def _shortest(self, law: Law, story: Story) -> None:
        if self.problem(law, story) is not None:
            self._broken(law, shorter(story, lambda each: self.problem(law, each) is not None))

    # -- fleets -------------------------------------------------------------------------

    def _fleets(self) -> None:
        for law in self._left("fleet"):
            for fleet in self._effort.fleets:
                self._tell("a thousand engines", 0.7)
                if law.name not in self.found:
                    self._broken(law, fleet)

    def _storms(self) -> None:
        for law in self._left("storm"):
            for scenario in self._effort.scenarios:
                self._tell("an outage", 0.75)
                if law.name not in self.found:
                    self._broken(law, scenario)

    # -- at random ----------------------------------------------------------------------

    def _random(self, known: Literals) -> None:
        draws = Draws(known)
        sieve = Sieve(self._make, self._max_delay)
        kinds: tuple[tuple[str, tuple[str, ...], Callable[[Dice], Question | Story], int], ...] = (
            ("questions at random", ("decision",), draws.question, 1),
            ("stories at random", ("decision", "life"), draws.story, 1),
            ("stories for the client", ("client",), partial(draws.story, most=6), 8),
        )
        for number, (what, checks, draw, share) in enumerate(kinds):
            self._tell(what, 0.8 + number * 0.06)
            dice = Dice(f"{what}, seed {self._seed}")
            for _ in range(max(10, self._examples // share)):
                if not (wanted := self._left(*checks)):
                    break
                example = draw(dice)
                for law, problem in sieve.broken(wanted, example):
                    if isinstance(example, Question):
                        self._blame(law, example, problem)
                    else:
                        self._shortest(law, example)
        self.questions += sieve.questions
        self.stories += sieve.stories


def _first_turn(
    firsts: dict[tuple[object, ...], Turn], ends: list[End], refresh: bool, roll: float | None
) -> Turn:
    """Return the turn with which all lives begin that this one may be like."""
    if ends.count(ends[0]) < len(ends):
        return Turn()
    return firsts.setdefault((refresh, roll, *counted(ends[0])), Turn(ends[0].close))
