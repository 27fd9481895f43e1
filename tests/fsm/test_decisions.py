"""Decisions are checked where they are made, so that a policy's bug shows in the policy."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.decisions import (
    MIN_GAP,
    Context,
    Hold,
    Phase,
    Policy,
    Retry,
    Session,
    Stop,
    Unsent,
    drawn_retry,
    earliest_dial,
)
from recloser.fsm.run import Run
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import TABLE
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


@given(
    st.floats(0, 1e308),
    st.booleans(),
    st.text(max_size=5),
    st.sampled_from(Unsent),
    st.one_of(st.none(), st.sampled_from(Session)),
)
def test_the_retry_of_a_rule_is_like_any_other(
    delay: float, refresh: bool, rule: str, unsent: Unsent, session: Session | None
) -> None:
    drawn = drawn_retry(delay, refresh, rule, unsent, session)
    made = Retry(delay, refresh, rule, unsent, session)
    assert type(drawn) is Retry
    assert (drawn, hash(drawn), repr(drawn)) == (made, hash(made), repr(made))
    assert pickle.loads(pickle.dumps(drawn)) == copy.deepcopy(drawn) == made
    with pytest.raises(FrozenInstanceError):
        drawn.delay = 1.0  # type: ignore[misc] # the point of the test


@pytest.mark.spec("B4.2")
@pytest.mark.parametrize("delay", [-1e-9, float("nan"), float("inf"), "1", None])
def test_the_delay_of_a_rule_is_checked(delay: Any) -> None:
    """A backoff of one's own may give anything."""
    with pytest.raises((TypeError, ValueError), match="delay must be"):
        drawn_retry(delay, False, "rule", Unsent.KEEP, None)
    whole = drawn_retry(2, False, "rule", Unsent.KEEP, None)
    assert type(whole.delay) is float


def test_refresh_is_true_or_false() -> None:
    with pytest.raises(TypeError, match="refresh must be True or False"):
        Retry(1.0, refresh=1)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("delay", [0, 2.0])
@pytest.mark.parametrize("session", ["new", True, 1.0])
def test_a_session_is_a_member_or_nothing(delay: float, session: object) -> None:
    """Whatever else is in order: a delay that is a float is looked at by a quicker test."""
    with pytest.raises(TypeError, match="session must be"):
        Retry(delay, session=session)  # type: ignore[arg-type] # the point of the test
    assert Retry(delay, session=Session.NEW).session is Session.NEW


@pytest.mark.parametrize(
    "make", [lambda **k: Retry(0, **k), lambda **k: Retry(2.0, **k), Hold, Stop]
)
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


def test_the_decisions_are_the_guards_of_a_lost_generation() -> None:
    guards = {Retry(1).guard, Hold().guard, Stop().guard}
    assert guards == {Guard.RETRY, Guard.HOLD, Guard.STOP}
    for state in (State.CONNECTING, State.OPEN):
        rows = {row.guard for row in TABLE if row[:2] == (state, Trigger.LOST)}
        assert rows == guards


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_period_is_stable_from_the_moment_that_the_engine_says(up: float, after: float) -> None:
    context = Context(phase=Phase.OPEN, attempt=1, uptime=up, stable_after=after)
    assert context.stable is (up >= after)
    assert not Context(phase=Phase.DIAL, attempt=1, stable_after=after).stable


@pytest.mark.spec("D4.3", "D4.4")
@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_policy_and_core_have_one_formula_for_the_next_dial(
    open_for: float, gap: float, since: float
) -> None:
    run = Run()
    run.dialling(0.0)
    run.ended(Retry(gap), open_for, 0.5)
    run.dialling(open_for + gap)
    now = open_for + gap + since
    context = run.context(now, can_refresh=False, roll=0.5)
    run.ended(Retry(0), now, 0.5)
    assert now + context.next_dial_in == pytest.approx(run.earliest(now))
    least = MIN_GAP if run.immediate else max(0.0, MIN_GAP - since)
    assert context.next_dial_in == pytest.approx(least)


def test_the_moments_of_a_dial_are_given_by_name() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        earliest_dial(1.0, 0.0, ended_at=None, immediate=False)  # type: ignore[call-arg]  # the wrong call is tried
