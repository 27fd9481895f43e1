"""A policy as an ordered list of rules: the first whose condition holds decides."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final

from recloser.fsm.decisions import Context, Decision
from recloser.fsm.record import Close
from recloser.policies.actions import Action, Answer
from recloser.policies.conditions import Among, Holds, When
from recloser.policies.spans import Spans


@dataclass(frozen=True, slots=True)
class Rule:
    """When this, then that; with one sentence of why, and where it comes from."""

    name: str
    when: When
    then: Action
    why: str
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"a rule needs a name, not {self.name!r}")
        if not isinstance(self.when, When):
            raise TypeError(f"rule {self.name}: the condition is made by when(...)")
        if not isinstance(self.then, Action):
            raise TypeError(f"rule {self.name}: the action is made by retry(), hold(), stop() ...")


def _may(rule: Rule, name: str, *, fact: bool) -> bool:
    want = rule.when.get(name)
    return want is None or want == Among((fact,))


_Candidates = tuple[tuple[tuple[Holds, Answer], ...], Answer]
"""Tests with their answers, in order, and the answer if none of them holds."""


class _ByNumber:
    """The rules that may apply to a close code or a status, in order, found by bisection."""

    __slots__ = ("_cuts", "_lists")

    def __init__(self, number: str, known: tuple[str, ...], rules: list[Rule]) -> None:
        compiled = [
            (rule.when.get(number), rule.when.without(number, *known).compile(), rule)
            for rule in rules
        ]
        spans = [each.spans for each, _, _ in compiled if isinstance(each, Spans)]
        self._cuts: Final = sorted({edge for each in spans for span in each for edge in span})
        self._lists: Final[list[_Candidates]] = []
        for low in (-inf, *self._cuts):
            tests: list[tuple[Holds, Answer]] = []
            for numbers, holds, rule in compiled:
                if isinstance(numbers, Spans) and low not in numbers:
                    continue
                answer = rule.then.answers(rule.name)
                if holds is None:
                    self._lists.append((tuple(tests), answer))
                    break
                tests.append((holds, answer))

    def __getitem__(self, number: float) -> _Candidates:
        return self._lists[bisect_right(self._cuts, number)]


class RulePolicy:
    """A policy made of rules. Immutable, and a plain function of its arguments.

    The last rule must hold always, so that every end is decided. Names must differ. Raises
    `ValueError` otherwise.
    """

    __slots__ = ("_asked", "_lost", "_refused", "name", "rules")

    def __init__(self, name: str, rules: Iterable[Rule]) -> None:
        self.name: Final = name
        self.rules: Final = tuple(rules)
        names = [rule.name for rule in self.rules]
        twice = sorted({each for each in names if names.count(each) > 1})
        if twice:
            raise ValueError(f"policy {name}: two rules named {twice[0]}: give each its own name")
        if not self.rules or self.rules[-1].when.tests:
            raise ValueError(f"policy {name}: end with a rule for when(), which always holds")
        asked = [rule for rule in self.rules if _may(rule, "intentional", fact=True)]
        ended = [rule for rule in self.rules if _may(rule, "intentional", fact=False)]
        lost = [rule for rule in ended if _may(rule, "refused", fact=False)]
        refused = [rule for rule in ended if _may(rule, "refused", fact=True)]
        self._asked: Final = _ByNumber("code", ("intentional",), asked)
        self._lost: Final = _ByNumber("code", ("intentional", "refused"), lost)
        self._refused: Final = _ByNumber("status", ("intentional", "refused"), refused)

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Answer for the first rule that applies."""
        if close.intentional:
            candidates = self._asked[close.code]
        elif close.status is None:
            candidates = self._lost[close.code]
        else:
            candidates = self._refused[close.status]
        tests, otherwise = candidates
        for holds, answer in tests:
            if holds(close, context):
                return answer(close, context)
        return otherwise(close, context)

    def __repr__(self) -> str:
        return f"<policy {self.name}: {len(self.rules)} rules>"
