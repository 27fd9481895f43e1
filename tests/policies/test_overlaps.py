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
