"""Decisions are checked where they are made, so that a policy's bug shows in the policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.decisions import Hold, Policy, Retry, Stop, Unsent
from tests.fsm.rig import Scripted


@pytest.mark.spec("B4.2")
@pytest.mark.parametrize(
    "delay", [-1, -1e-9, float("nan"), float("inf"), float("-inf"), 10**400, -(10**400)]
)
def test_a_delay_is_finite_and_not_negative(delay: float) -> None:
    with pytest.raises(ValueError, match="delay must be finite and at least 0"):
        Retry(delay)


@pytest.mark.spec("B4.2")
@pytest.mark.parametrize("delay", ["1", None, True, 1j, b""])
def test_a_delay_is_a_number(delay: object) -> None:
    with pytest.raises(TypeError, match="delay must be a number of seconds"):
        Retry(delay)  # type: ignore[arg-type] # the point of the test


@given(st.one_of(st.integers(0, 10**30), st.floats(0, 1e308)))
def test_every_other_delay_is_kept_as_a_float(delay: float) -> None:
    kept = Retry(delay).delay
    assert type(kept) is float
    assert kept == float(delay)


def test_refresh_is_true_or_false() -> None:
    with pytest.raises(TypeError, match="refresh must be True or False"):
        Retry(1.0, refresh=1)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("make", [lambda **k: Retry(0, **k), Hold, Stop])
class TestEveryDecision:
    def test_a_rule_is_text(self, make: type[Hold]) -> None:
        with pytest.raises(TypeError, match="rule must be a str"):
            make(rule=None)  # type: ignore[arg-type] # the point of the test

    def test_unsent_is_a_member(self, make: type[Hold]) -> None:
        with pytest.raises(TypeError, match="unsent must be Unsent"):
            make(unsent="drop")  # type: ignore[arg-type] # the point of the test

    def test_unsent_messages_are_kept_unless_said(self, make: type[Hold]) -> None:
        assert make().unsent is Unsent.KEEP
        assert make(unsent=Unsent.DROP).unsent is Unsent.DROP

    def test_decisions_are_values(self, make: type[Hold]) -> None:
        assert make(rule="r") == make(rule="r") != make(rule="s")
        assert hash(make()) == hash(make())
        with pytest.raises(AttributeError):
            make().rule = "other"  # type: ignore[misc] # the point of the test


def test_any_object_with_decide_is_a_policy() -> None:
    assert isinstance(Scripted(Stop()), Policy)
    assert not isinstance(object(), Policy)
