"""A policy as an ordered list of rules: the first whose condition holds decides."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Final

from recloser.fsm.decisions import Context, Decision, Policy
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Cause, Close
from recloser.fsm.value import Value, assign
from recloser.policies.actions import Action, Answer
from recloser.policies.conditions import Among, Holds, Wanted, When, covers, meets
from recloser.policies.intervals import IntervalSet


class Rule(Value):
    """A condition and an action, with one sentence of reason and the source."""

    __slots__ = __match_args__ = ("name", "when", "then", "why", "source")

    name: str
    when: When
    then: Action
    why: str
    source: str

    def __init__(self, name: str, when: When, then: Action, why: str, source: str = "") -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"a rule needs a name, not {name!r}")
        if not isinstance(when, When):
            raise TypeError(f"rule {name}: the condition is made by when(...)")
        if not isinstance(then, Action):
            raise TypeError(f"rule {name}: the action is made by retry(), hold(), stop() ...")
        assign(self, "name", name)
        assign(self, "when", when)
        assign(self, "then", then)
        assign(self, "why", why)
        assign(self, "source", source)


class _Facts(NamedTuple):
    """The facts known of an end before a rule is tried: their tests can be left out."""

    known: tuple[tuple[str, Among], ...] = ()
    advised: bool = False

    def may(self, when: When) -> bool:
        """Whether the condition can hold for such an end."""
        wanted = dict(when.tests)
        if "advice" in wanted and not self.advised:
            return False
        return all(fact not in wanted or meets(wanted[fact], known) for fact, known in self.known)

    def rest(self, when: When, number: str) -> When:
        """Leave out the tests that always hold, and that of the number."""
        known = dict(self.known)
        return When(
            tuple(
                (fact, want)
                for fact, want in when.tests
                if fact != number and not (fact in known and covers(want, known[fact]))
            )
        )


_NOT_ASKED: Final = ("intentional", Among((False,)))
_ASKED: Final = _Facts(known=(("intentional", Among((True,))),), advised=True)
_ADVISED: Final = _Facts(known=(_NOT_ASKED,), advised=True)
_REFUSED: Final = _Facts(known=(_NOT_ASKED, ("refused", Among((True,)))))
_OTHERS: Final = _Facts(known=(_NOT_ASKED, ("refused", Among((False,)))))

_Candidates = tuple[tuple[tuple[Holds, Answer], ...], Answer]
"""Tests with their answers, in order, and the answer if all tests fail."""


class _ByNumber:
    """The rules that may apply to a close code or a status, in order, found by bisection."""

    __slots__ = ("cuts", "lists")

    def __init__(self, number: str, facts: _Facts, rules: Iterable[tuple[Rule, Answer]]) -> None:
        compiled = [
            (rule.when.get(number), facts.rest(rule.when, number).compile(), answer)
            for rule, answer in rules
            if facts.may(rule.when)
        ]
        sets = [each.intervals for each, _, _ in compiled if isinstance(each, IntervalSet)]
        self.cuts: Final[list[float]] = sorted(
            {edge for each in sets for interval in each for edge in interval}
        )
        tests: list[list[tuple[Holds, Answer]]] = [[] for _ in range(len(self.cuts) + 1)]
        # The last rule of a policy always holds: it decides the rest.
        otherwise: dict[int, Answer] = {}
        for numbers, holds, answer in compiled:
            for place in self._places(numbers):
                if place in otherwise:
                    continue
                if holds is None:
                    otherwise[place] = answer
                else:
                    tests[place].append((holds, answer))
        self.lists: Final[list[_Candidates]] = [
            (tuple(each), otherwise[place]) for place, each in enumerate(tests)
        ]

    def _places(self, numbers: Wanted | None) -> Iterable[int]:
        """Return the indices of the lists that a rule for these numbers belongs to."""
        if not isinstance(numbers, IntervalSet):
            return range(len(self.cuts) + 1)
        return chain.from_iterable(
            range(bisect_right(self.cuts, low), bisect_right(self.cuts, high))
            for low, high in numbers.intervals
        )


def _by_cause(
    number: str, facts: _Facts, rules: Sequence[tuple[Rule, Answer]]
) -> Callable[[Cause], _ByNumber]:
    """Return what gives the rules for a cause; they are looked through when it is first met."""

    @cache
    def of(cause: Cause) -> _ByNumber:
        known = *facts.known, ("cause", Among((cause,)))
        return _ByNumber(number, facts._replace(known=known), rules)

    return of


class RulePolicy:
    """A policy made of rules. Immutable, and a plain function of its arguments.

    The last rule must hold always, so that every end is decided. Names must differ. Raises
    `ValueError` otherwise.
    """

    __slots__ = ("_advised", "_asked", "_others", "_refused", "name", "rules")

    def __init__(self, name: str, rules: Iterable[Rule]) -> None:
        self.name: Final = name
        self.rules: Final = tuple(rules)
        names = Counter(rule.name for rule in self.rules)
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise ValueError(f"policy {name}: two rules named {twice[0]}: give each its own name")
        if not self.rules or self.rules[-1].when.tests:
            raise ValueError(f"policy {name}: end with a rule for when(), which always holds")
        answers = [(rule, rule.then.answers(rule.name)) for rule in self.rules]
        self._asked: Final = _by_cause("code", _ASKED, answers)
        self._advised: Final = _by_cause("code", _ADVISED, answers)
        self._refused: Final = _by_cause("status", _REFUSED, answers)
        self._others: Final = _by_cause("code", _OTHERS, answers)

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Answer for the first rule that applies."""
        number: float = close.code
        if close.intentional:
            kind = self._asked
        elif close.advice is not None:
            kind = self._advised
        elif close.status is not None:
            kind, number = self._refused, close.status
        else:
            kind = self._others
        found = kind(close.cause)
        tests, otherwise = found.lists[bisect_right(found.cuts, number)]
        for holds, answer in tests:
            if holds(close, context):
                return answer(close, context)
        return otherwise(close, context)

    def __repr__(self) -> str:
        return f"<policy {self.name}: {len(self.rules)} rules>"


def rules_of(policy: Policy) -> tuple[Rule, ...]:
    """Return the rules of a policy, in order; empty if the policy has no attribute `rules`."""
    return tuple(getattr(policy, "rules", ()))
