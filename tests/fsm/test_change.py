"""One record is enough to tell what is going on (I4)."""

import pytest

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Hold, Retry, Stop
from recloser.fsm.states import State, Trigger
from tests.fsm.rig import KICKED, Rig


def reading(change: StateChange) -> str:
    """Read one record as the docstring of `StateChange` says."""
    if change.current is State.BACKOFF:
        return "waiting"
    if change.current is State.PASSIVE:
        return "resting"
    if change.current is not State.CLOSED:
        return "going on"
    if change.trigger is not Trigger.LOST or (change.close and change.close.intentional):
        return "closed by us"
    return "gave up"


def last(rig: Rig) -> StateChange:
    return rig.changes[-1]


@pytest.mark.spec("I4")
@pytest.mark.parametrize("before", [State.CONNECTING, State.OPEN])
@pytest.mark.parametrize(
    ("answer", "text"), [(Retry(1), "waiting"), (Hold(), "resting"), (Stop(), "gave up")]
)
def test_what_a_policy_decided(before: State, answer: object, text: str) -> None:
    rig = Rig(answer).put(before)
    rig.lost(KICKED)
    assert reading(last(rig)) == text


@pytest.mark.spec("I4")
@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_what_the_application_asked_for(state: State) -> None:
    rig = Rig(Stop()).put(state)
    rig.close()
    if rig.state is State.CLOSING:
        rig.lost(KICKED)
    assert reading(last(rig)) == "closed by us"


@pytest.mark.spec("I4")
def test_a_policy_error_while_closing_is_still_closed_by_us() -> None:
    rig = Rig(Retry(1)).put(State.CLOSING)
    rig.lost(KICKED)
    assert reading(last(rig)) == "closed by us"
    assert last(rig).error is not None


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
