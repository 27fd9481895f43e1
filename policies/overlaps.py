"""Finds rules that can never decide, and rules that overlap partially."""

from collections.abc import Iterable
from typing import Final

from recloser.fsm.named_tuple import NamedTuple
from recloser.policies.conditions import Among, Like, When, covers, when
from recloser.policies.intervals import IntervalSet, join
from recloser.policies.rules import Rule


class Finding(NamedTuple):
    """A fact about the order of rules that its author may not have intended."""

    kind: str
    """"unreachable": earlier rules decide every end that this rule fits; "overlap": see `find`."""
    rule: str
    """The later rule."""
    earlier: tuple[str, ...]
    """The names of the rules before it that decide first."""

    def __str__(self) -> str:
        names = " and ".join(self.earlier)
        if self.kind == "unreachable":
            return f"rule {self.rule} is unreachable: {names} decides first; move or drop it"
        return f"rules {names} and {self.rule} overlap in part: say which is meant where both hold"


_REFUSED: Final = when(refused=True)
_NOT_REFUSED: Final = when(refused=False)


def find(rules: Iterable[Rule]) -> tuple[Finding, ...]:
    """Return the findings, in the order of the later rules.

    A rule is unreachable if an earlier one holds wherever it does, or if several earlier ones
    together hold all its codes or statuses. Two rules overlap if they have different actions,
    and their value sets for the same fact overlap partially: each set holds a value that the
    other does not. A special rule before a general one is no finding: the order of rules is
    made for that. Nor is an overlap that a rule before both of them decides.
    """
    seen: list[Rule] = []
    findings: list[Finding] = []
    for rule in rules:
        names = hidden(rule, seen)
        if names:
            findings.append(Finding("unreachable", rule.name, names))
        else:
            crossing = (
                each
                for at, each in enumerate(seen)
                if each.then != rule.then
                and _cross(each, rule)
                and not hidden(_narrowed(rule, each), seen[:at])
            )
            findings.extend(Finding("overlap", rule.name, (each.name,)) for each in crossing)
        seen.append(rule)
    return tuple(findings)


def _narrowed(rule: Rule, other: Rule) -> Rule:
    """Return the rule, for those ends alone that the other one fits as well."""
    return Rule(rule.name, _both(other.when, rule.when), rule.then, rule.why, rule.source)


def hidden(rule: Rule, earlier: Iterable[Rule]) -> tuple[str, ...]:
    """Return the names of the earlier rules that decide all ends of this one; empty if none do."""
    seen = tuple(earlier)
    condition = rule.when
    if condition.get("refused") is None and any(each.when == _REFUSED for each in seen):
        # Every refused upgrade has been decided, so only the others come this far.
        condition = When((*condition.tests, *_NOT_REFUSED.tests))
    for each in seen:
        if each.when.covers(condition):
            return (each.name,)
    for fact in ("code", "status"):
        wanted = condition.get(fact)
        if not isinstance(wanted, IntervalSet):
            continue
        rest = condition.without(fact)
        parts = [
            (each.name, numbers)
            for each in seen
            for numbers in (each.when.get(fact),)
            if isinstance(numbers, IntervalSet)
            and numbers.meets(wanted)
            and each.when.without(fact).covers(rest)
        ]
        if parts and join(each for _, part in parts for each in part.intervals).covers(wanted):
            return tuple(name for name, _ in parts)
    return ()


def _both(one: When, other: When) -> When:
    """Return the condition that both hold."""
    wanted = dict(one.tests)
    for fact, theirs in other.tests:
        mine = wanted.get(fact)
        if isinstance(mine, IntervalSet) and isinstance(theirs, IntervalSet):
            wanted[fact] = mine.common(theirs)
        elif isinstance(mine, Among) and isinstance(theirs, Among):
            wanted[fact] = Among(tuple(each for each in mine.values if each in theirs.values))
        elif isinstance(mine, Like) and isinstance(theirs, Like):
            wanted[fact] = Like(tuple(dict.fromkeys((*mine.patterns, *theirs.patterns))))
        else:
            wanted[fact] = theirs
    return When(tuple(wanted.items()))


def _cross(one: Rule, other: Rule) -> bool:
    if not one.when.meets(other.when):
        return False
    return any(
        # Whether one text fits two expressions cannot be told from them.
        theirs is not None
        and not isinstance(mine, Like)
        and not (covers(mine, theirs) or covers(theirs, mine))
        for fact, mine in one.when.tests
        for theirs in (other.when.get(fact),)
    )
