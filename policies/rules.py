"""A policy as an ordered list of rules: the first whose condition holds decides."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from math import inf
from typing import Final

from recloser.fsm.decisions import Context, Decision
from recloser.fsm.record import Cause, Close
from recloser.policies.actions import Action, Answer
from recloser.policies.conditions import Among, Holds, When, covers, meets
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


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of an end before any rule is tried, so that no rule needs to test it."""

    known: tuple[tuple[str, Among], ...] = ()
    never: tuple[tuple[str, Among], ...] = ()
    advised: bool = False

    def rules(self, rules: Iterable[Rule]) -> list[Rule]:
        """Leave out the rules that cannot apply."""
        return [rule for rule in rules if self._may(rule.when)]

    def _may(self, when: When) -> bool:
        wanted = dict(when.tests)
        if "advice" in wanted and not self.advised:
            return False
        if any(fact in wanted and not meets(wanted[fact], known) for fact, known in self.known):
            return False
        return not any(fact in wanted and covers(not_, wanted[fact]) for fact, not_ in self.never)

    def rest(self, when: When) -> When:
        """Leave out the tests that always hold."""
        return When(
            tuple(
                (fact, want)
                for fact, want in when.tests
                if not any(fact == name and covers(want, known) for name, known in self.known)
            )
        )


_NOT_ASKED: Final = ("intentional", Among((False,)))
_NOT_REFUSED: Final = ("refused", Among((False,)))
_FRAME: Final = ("cause", Among((Cause.CLOSE_FRAME,)))
_ASKED: Final = _Facts(known=(("intentional", Among((True,))),), advised=True)
_ADVISED: Final = _Facts(known=(_NOT_ASKED,), advised=True)
_REFUSED: Final = _Facts(known=(_NOT_ASKED, ("refused", Among((True,)))))
_FRAMED: Final = _Facts(known=(_NOT_ASKED, _NOT_REFUSED, _FRAME))
_BROKEN: Final = _Facts(known=(_NOT_ASKED, _NOT_REFUSED), never=(_FRAME,))

_Candidates = tuple[tuple[tuple[Holds, Answer], ...], Answer]
"""Tests with their answers, in order, and the answer if none of them holds."""


class _ByNumber:
    """The rules that may apply to a close code or a status, in order, found by bisection."""

    __slots__ = ("_cuts", "_lists")

    def __init__(self, number: str, facts: _Facts, rules: Iterable[Rule]) -> None:
        compiled = [
            (rule.when.get(number), facts.rest(rule.when).without(number).compile(), rule)
            for rule in facts.rules(rules)
        ]
        spans = [each.spans for each, _, _ in compiled if isinstance(each, Spans)]
        self._cuts: Final = sorted({edge for each in spans for span in each for edge in span})
        self._lists: Final[list[_Candidates]] = []
        for low in (-inf, *self._cuts):
            here = [
                (holds, rule)
                for numbers, holds, rule in compiled
                if not isinstance(numbers, Spans) or low in numbers
            ]
            # The last rule of a policy holds always, so there is one that decides the rest.
            tested = list(takewhile(lambda each: each[0] is not None, here))
            tests = tuple(
                (holds, rule.then.answers(rule.name)) for holds, rule in tested if holds is not None
            )
            otherwise = here[len(tested)][1]
            self._lists.append((tests, otherwise.then.answers(otherwise.name)))

    def __getitem__(self, number: float) -> _Candidates:
        return self._lists[bisect_right(self._cuts, number)]


class RulePolicy:
    """A policy made of rules. Immutable, and a plain function of its arguments.

    The last rule must hold always, so that every end is decided. Names must differ. Raises
    `ValueError` otherwise.
    """

    __slots__ = ("_advised", "_asked", "_broken", "_framed", "_refused", "name", "rules")

    def __init__(self, name: str, rules: Iterable[Rule]) -> None:
        self.name: Final = name
        self.rules: Final = tuple(rules)
        names = [rule.name for rule in self.rules]
        twice = sorted({each for each in names if names.count(each) > 1})
        if twice:
            raise ValueError(f"policy {name}: two rules named {twice[0]}: give each its own name")
        if not self.rules or self.rules[-1].when.tests:
            raise ValueError(f"policy {name}: end with a rule for when(), which always holds")
        self._asked: Final = _ByNumber("code", _ASKED, self.rules)
        self._advised: Final = _ByNumber("code", _ADVISED, self.rules)
        self._refused: Final = _ByNumber("status", _REFUSED, self.rules)
        self._framed: Final = _ByNumber("code", _FRAMED, self.rules)
        self._broken: Final = _ByNumber("code", _BROKEN, self.rules)

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Answer for the first rule that applies."""
        if close.intentional:
            tests, otherwise = self._asked[close.code]
        elif close.advice is not None:
            tests, otherwise = self._advised[close.code]
        elif close.status is not None:
            tests, otherwise = self._refused[close.status]
        elif close.cause is Cause.CLOSE_FRAME:
            tests, otherwise = self._framed[close.code]
        else:
            tests, otherwise = self._broken[close.code]
        for holds, answer in tests:
            if holds(close, context):
                return answer(close, context)
        return otherwise(close, context)

    def __repr__(self) -> str:
        return f"<policy {self.name}: {len(self.rules)} rules>"
