"""What is told in-band, what was not read, and what a core keeps when something raises."""

from dataclasses import replace

import pytest

from recloser.fsm.decisions import Retry, Stop
from recloser.fsm.effects import Abort, Announce
from recloser.fsm.errors import IllegalTrigger
from recloser.fsm.events import Advise, Lost, Opened, Reconnect
from recloser.fsm.states import Guard, State, Trigger
from tests.fsm.rig import ALL, CUT, KICKED, LEFT, LIVE, Rig, snapshot


@pytest.mark.spec("B11")
def test_advice_reaches_the_policy_once() -> None:
    rig = Rig(Retry(1.0)).put(State.OPEN)
    rig.do(Advise("first"))
    rig.do(Advise("maintenance", retry_after=30.0, spread=60.0))
    rig.lost(LEFT)
    expected = replace(LEFT, advice="maintenance", retry_after=30.0, spread=60.0)
    assert rig.policy.asked[-1][0] == expected
    assert rig.policy.asked[-1][1].spread == 60.0
    rig.expire()
    rig.lost(LEFT)
    assert rig.policy.asked[-1][0] == LEFT


@pytest.mark.spec("B11")
def test_advice_adds_and_does_not_erase() -> None:
    refusal = replace(CUT, status=503, retry_after=7.0, spread=3.0)
    rig = Rig(Stop()).put(State.CONNECTING)
    rig.do(Advise("x"))
    rig.lost(refusal)
    assert rig.policy.asked[-1][0] == replace(refusal, advice="x")


@pytest.mark.spec("B11", "J1")
@pytest.mark.parametrize("state", [State.CLOSED, State.BACKOFF, State.PASSIVE])
def test_advice_without_a_generation_is_none(state: State) -> None:
    rig = Rig(Stop()).put(state)
    before = snapshot(rig.core)
    assert rig.do(Advise("x")) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("C3")
def test_unread_messages_are_counted_where_they_are_dropped() -> None:
    rig = Rig(Retry(1.0)).put(State.OPEN)
    rig.do(Lost(rig.core.generation, CUT, unread=4))
    assert rig.changes[-1].undelivered == 0, "they can be read until the next open"
    rig.expire()
    assert rig.changes[-1].undelivered == 0, "a dial drops none"
    rig.do(Opened(rig.core.generation, unread=3))
    assert rig.changes[-1].undelivered == 3
    rig.policy.answer = Stop()
    rig.close()
    rig.do(Lost(rig.core.generation, CUT, unread=2))
    assert rig.changes[-1].undelivered == 2


@pytest.mark.spec("F5")
def test_a_dial_has_one_deadline() -> None:
    rig = Rig(Retry(1.0))
    rig.connect()
    effects = rig.expire()
    assert [type(each) for each in effects] == [Abort, Announce]
    assert rig.state is State.BACKOFF
    assert rig.now == 120.0


@pytest.mark.parametrize("state", [State.OPEN])
def test_what_no_driver_does_raises_and_changes_nothing(state: State) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    with pytest.raises(IllegalTrigger, match="no row for opened in open"):
        rig.opened()
    assert snapshot(rig.core) == before


@pytest.mark.parametrize("state", LIVE)
def test_an_interrupted_policy_changes_nothing(state: State) -> None:
    rig = Rig(KeyboardInterrupt()).put(state)
    rig.do(Advise("kept"))
    before = snapshot(rig.core)
    with pytest.raises(KeyboardInterrupt):
        rig.lost(KICKED)
    assert snapshot(rig.core) == before
    rig.policy.answer = Stop()
    rig.lost(KICKED)
    assert rig.policy.asked[-1][0].advice == "kept"


@pytest.mark.spec("J1")
@pytest.mark.parametrize("state", ALL)
def test_a_closed_core_owns_nothing(state: State) -> None:
    rig = Rig(Stop()).put(state)
    rig.do(Advise("x"))
    rig.close()
    if rig.state is State.CLOSING:
        rig.lost()
    core = rig.core
    assert (core.state, core.deadline, core.guard, core._advice) == (State.CLOSED, None, None, None)


def test_a_reconnect_while_resting_is_a_connect() -> None:
    rig = Rig().put(State.PASSIVE, guard=Guard.SUSPENDED)
    rig.do(Reconnect())
    assert rig.changes[-1].trigger is Trigger.CONNECT
