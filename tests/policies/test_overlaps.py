"""Overlaps: what two rules have in common, and who decides it."""

from typing import Any

import pytest

from recloser.fsm import Cause, Origin
from recloser.policies import Rule, hold, stop, when
from recloser.policies.overlaps import find


@pytest.mark.spec("L8")
@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ({"code": range(1, 9)}, {"code": range(5, 20)}, {"code": range(5, 9)}),
        (
            {"cause": (Cause.EOF, Cause.TCP)},
            {"cause": (Cause.TCP, Cause.TLS)},
            {"cause": Cause.TCP},
        ),
        (
            {"code": range(1, 9), "reason": "a"},
            {"code": range(5, 20), "reason": "b"},
            {"code": range(5, 9), "reason": ("a", "b")},
        ),
        (
            {"code": range(1, 9), "origin": Origin.PEER},
            {"code": range(5, 20), "stable": True},
            {"code": range(5, 9), "origin": Origin.PEER, "stable": True},
        ),
        (
            {"code": range(1, 9)},
            {"code": range(5, 20), "attempt": 3, "reason": "b"},
            {"code": range(5, 9), "attempt": 3, "reason": "b"},
        ),
    ],
    ids=["numbers", "words", "texts", "other facts", "more facts"],
)
def test_a_rule_for_what_two_have_in_common_settles_their_overlap(
    first: dict[str, Any], second: dict[str, Any], common: dict[str, Any]
) -> None:
    rules = (
        Rule("first", when(**first), hold(), "One way."),
        Rule("second", when(**second), stop(), "Another."),
    )
    [found] = find(rules)
    assert found.kind == "overlap"
    assert not find((Rule("both", when(**common), hold(), "Where both hold."), *rules))


@pytest.mark.spec("L8")
def test_a_rule_for_the_rest_is_reached_until_refused_upgrades_are_decided_too() -> None:
    others, rest = (
        Rule("others", when(refused=False), stop(), "No upgrade was refused."),
        Rule("rest", when(), stop(), "Any end."),
    )
    assert not find((others, rest))
    refused = Rule("refused", when(refused=True), hold(), "An upgrade was refused.")
    [found] = find((refused, others, rest))
    assert (found.kind, found.rule) == ("unreachable", "rest")


@pytest.mark.spec("L8")
@pytest.mark.parametrize("fact", ["code", "status"])
def test_rules_that_share_the_numbers_of_a_later_one_decide_it_together(fact: str) -> None:
    first, second, both = (
        Rule(name, when(**{fact: numbers}), stop(), "Some numbers.")
        for name, numbers in (
            ("first", range(400, 404)),
            ("second", range(404, 408)),
            ("both", range(401, 406)),
        )
    )
    [found] = find((first, second, both))
    assert found == ("unreachable", "both", ("first", "second"))
    assert not find((first, both))
