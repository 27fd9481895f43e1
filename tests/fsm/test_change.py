"""One record is enough to tell what is going on (I4)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Hold, Retry, Session, Stop
from recloser.fsm.record import Close
from recloser.fsm.states import State, Trigger
from tests.fsm.rig import KICKED, Rig


def reading(change: StateChange) -> str:
    """Read one record as the docstring of `StateChange` says."""
    if change.current is State.BACKOFF:
        return "waiting"
    if change.current is State.PASSIVE:
        return "resting"
    if change.deliberate:
        return "closed by us"
    return "gave up" if change.gave_up else "going on"


def last(rig: Rig) -> StateChange:
    return rig.changes[-1]


@pytest.mark.parametrize("answer", [Retry(1, session=Session.NEW), Retry(1), Hold(), Stop()])
def test_the_session_is_that_of_the_retry(answer: object) -> None:
    rig = Rig(answer).put(State.CONNECTING)
    rig.lost(KICKED)
    assert last(rig).session is getattr(answer, "session", None)


@pytest.mark.spec("I4.1")
@pytest.mark.parametrize("before", [State.CONNECTING, State.OPEN])
@pytest.mark.parametrize(
    ("answer", "text"), [(Retry(1), "waiting"), (Hold(), "resting"), (Stop(), "gave up")]
)
def test_what_a_policy_decided(before: State, answer: object, text: str) -> None:
    rig = Rig(answer).put(before)
    rig.lost(KICKED)
    assert reading(last(rig)) == text


@pytest.mark.spec("I4.1")
@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_what_the_application_asked_for(state: State) -> None:
    rig = Rig(Stop()).put(state)
    rig.close()
    if rig.state is State.CLOSING:
        rig.lost(KICKED)
    assert reading(last(rig)) == "closed by us"


@pytest.mark.spec("I4.2", "B5")
@pytest.mark.parametrize("ask", [Rig.close, Rig.suspend, Rig.connect])
def test_a_policy_that_fails_gives_up_whatever_the_application_asked_for(
    ask: Callable[[Rig], object],
) -> None:
    rig = Rig(Retry(1)).put(State.CLOSING)
    ask(rig)
    rig.lost(KICKED)
    assert reading(last(rig)) == "gave up"
    assert last(rig).error is not None


@pytest.mark.spec("I4.2")
@pytest.mark.parametrize("current", State)
@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("close", [None, KICKED, replace(KICKED, intentional=True)])
@pytest.mark.parametrize("error", [None, ValueError()])
def test_an_end_is_either_deliberate_or_given_up(
    current: State, trigger: Trigger, close: Close | None, error: Exception | None
) -> None:
    change = StateChange(
        previous=State.OPEN,
        current=current,
        trigger=trigger,
        at=0.0,
        generation=1,
        attempt=0,
        close=close,
        error=error,
    )
    assert (change.deliberate or change.gave_up) is (current is State.CLOSED)
    assert not (change.deliberate and change.gave_up)
    asked = trigger is Trigger.CLOSE or (close is not None and close.intentional)
    assert change.deliberate is (current is State.CLOSED and asked and error is None)


def test_the_fields_of_one_story() -> None:
    rig = Rig(Retry(2.5, rule="r"))
    rig.connect()
    rig.opened(after=1.0)
    rig.lost(KICKED, after=3.0)
    first, second, third = rig.changes
    assert (first.previous, first.current, first.trigger) == (
        State.CLOSED,
        State.CONNECTING,
        Trigger.CONNECT,
    )
    assert (first.at, first.generation, first.attempt, first.close) == (100.0, 1, 0, None)
    assert (second.at, second.current, second.uptime) == (101.0, State.OPEN, None)
    assert (third.at, third.rule, third.delay, third.uptime) == (104.0, "r", 2.5, 3.0)
    assert third.close == KICKED
    assert third.decision == Retry(2.5, rule="r")
    assert (third.attempt, third.generation, third.error) == (1, 1, None)


@pytest.mark.spec("I7")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN, State.CLOSING])
def test_what_the_policy_was_told_is_in_the_record(state: State) -> None:
    rig = Rig(Stop() if state is State.CLOSING else Retry(1)).put(state)
    rig.lost(KICKED)
    assert rig.policy.asked == [(last(rig).close, last(rig).context)]


@pytest.mark.spec("I7")
def test_where_no_policy_was_asked_there_is_no_context() -> None:
    rig = Rig().put(State.BACKOFF)
    rig.close()
    assert (last(rig).trigger, last(rig).context) == (Trigger.CLOSE, None)
