"""A move in the core: the successor is dialled while the connection goes on (C3.9 to C3.12)."""

from typing import Any

import pytest

from recloser.fsm.closecodes import GOING_AWAY
from recloser.fsm.decisions import Hold, Retry, Stop
from recloser.fsm.effects import (
    Announce,
    Dial,
    Drop,
    Effect,
    Failed,
    Farewell,
    Promote,
    Shut,
)
from recloser.fsm.events import (
    Ask,
    Event,
    Expired,
    Fail,
    Healthy,
    Lost,
    Move,
    Opened,
    Reconnect,
    Wait,
)
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import State, Wish
from tests.fsm.rig import ALL, CUT, LEFT, Rig, snapshot

MOVE = Move(4000, "older than its day")


def moving(answer: object = Retry(2.0), *, planned: bool = False, after: float = 3.0) -> Rig:
    """Open as generation 1, and dial the successor, number 2, `after` seconds later."""
    rig = Rig(answer).put(State.OPEN)
    rig.do(MOVE._replace(planned=planned), after)
    rig.effects.clear()
    return rig


def untold(effects: list[Effect]) -> list[Effect]:
    """The effects besides the announcements."""
    return [each for each in effects if not isinstance(each, Announce)]


@pytest.mark.spec("C3.9")
def test_a_move_dials_the_successor_and_keeps_the_connection() -> None:
    rig = Rig().put(State.OPEN)
    assert rig.do(MOVE, 3.0) == [Dial(2, 103.0, refresh=False, intentional=True)]
    assert (rig.state, rig.core.generation, rig.core.successor) == (State.OPEN, 1, 2)
    assert rig.core.deadline == 110.0  # the connection is stable before the dial is late
    rig.expire()
    assert (rig.core.deadline, rig.core.successor) == (123.0, 2)


@pytest.mark.spec("C3.9")
@pytest.mark.parametrize("state", ALL)
@pytest.mark.parametrize("about", [None, 0, 1, 2])
def test_only_an_open_connection_moves_and_only_the_one_that_is_meant(
    state: State, about: int | None
) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    found = rig.do(Move(generation=about), 3.0)
    if state is State.OPEN and about in (None, 1):
        assert found == [Dial(2, 103.0, refresh=False, intentional=True)]
    else:
        assert found == []
        assert snapshot(rig.core) == before


@pytest.mark.spec("C3.9")
@pytest.mark.parametrize("about", [None, 1, 2])
def test_there_is_one_move_at_a_time(about: int | None) -> None:
    rig = moving()
    before = snapshot(rig.core)
    assert rig.do(Move(generation=about), 1.0) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("C3.9", "D4.4")
def test_the_dial_of_a_successor_keeps_the_gap() -> None:
    rig = Rig().put(State.OPEN)
    assert rig.do(MOVE, 0.25) == [Dial(2, 101.0, refresh=False, intentional=True)]
    rig.do(Healthy())
    assert rig.core.deadline == 121.0


@pytest.mark.spec("C3.9")
def test_a_successor_that_is_ready_takes_the_place_of_the_connection() -> None:
    rig = moving(Stop())
    shut, announced = rig.do(Opened(2), 0.5)
    assert shut == Shut(1, 4000, "older than its day")
    assert isinstance(announced, Announce)
    assert (rig.state, rig.core.wish, rig.core.deadline) == (State.CLOSING, Wish.CONNECT, 104.0)
    assert rig.core.successor == 2
    assert untold(rig.lost(LEFT, 0.5)) == [Promote(2)]
    assert (rig.state, rig.core.generation, rig.core.successor) == (State.CONNECTING, 2, None)
    assert rig.core.deadline == 124.0  # a promoted successor has the whole time for `on_open`
    assert rig.core.run.dialled_at == 103.0
    rig.opened()
    assert rig.state is State.OPEN


@pytest.mark.spec("C3.9", "D4.8", "D10.2")
@pytest.mark.parametrize("planned", [False, True])
def test_what_is_left_before_it_was_stable_is_a_failure_unless_its_time_was_over(
    planned: bool,
) -> None:
    rig = moving(Stop(), planned=planned)
    rig.do(Opened(2))
    rig.lost(LEFT)
    assert rig.core.run.attempt == (0 if planned else 1)
    rig.opened()
    rig.do(Reconnect(), 3.0)
    rig.lost(LEFT)
    assert rig.core.run.attempt == (1 if planned else 2)


@pytest.mark.spec("C3.10")
def test_where_the_connection_ends_first_the_successors_dial_is_the_redial() -> None:
    rig = moving()
    found = rig.lost(after=1.0)
    assert untold(found) == [Promote(2)]
    assert [(each.previous, each.current) for each in rig.changes] == [
        (State.OPEN, State.BACKOFF),
        (State.BACKOFF, State.CONNECTING),
    ]
    assert (rig.core.generation, rig.core.successor, rig.core.deadline) == (2, None, 123.0)
    assert rig.core.run.attempt == 1


def refreshed() -> Retry:
    return Retry(2.0, refresh=True)


@pytest.mark.spec("C3.10")
@pytest.mark.parametrize(
    ("answer", "state"),
    [(refreshed(), State.BACKOFF), (Hold(), State.PASSIVE), (Stop(), State.CLOSED)],
)
def test_where_the_policy_says_otherwise_the_successor_is_dropped(
    answer: object, state: State
) -> None:
    rig = moving(answer)
    dropped, announced = rig.lost(after=1.0)
    assert dropped == Drop(2, GOING_AWAY, "")
    assert isinstance(announced, Announce)
    assert (rig.state, rig.core.successor) == (state, None)


@pytest.mark.spec("C3.11", "D4.8")
@pytest.mark.parametrize("answer", [Retry(30.0), Hold(), Stop(), ValueError("a bug")])
def test_where_the_successor_fails_the_connection_stays(answer: object) -> None:
    rig = moving(answer)
    rig.do(Healthy(), 1.0)
    [failed] = rig.do(Lost(2, CUT), 1.0)
    assert isinstance(failed, Failed)
    assert (failed.generation, failed.close) == (2, CUT)
    assert (failed.error is not None) == isinstance(answer, ValueError)
    assert (rig.state, rig.core.generation, rig.core.successor) == (State.OPEN, 1, None)
    assert (rig.core.deadline, rig.core.run.attempt) == (None, 1)
    [dial] = rig.do(MOVE, 0.25)
    assert isinstance(dial, Dial)
    assert dial.not_before == (135.0 if answer == Retry(30.0) else 105.25)
    assert dial.generation == 3


@pytest.mark.spec("C3.11")
def test_a_successor_that_needs_a_new_credential_gets_it_at_the_next_move_alone() -> None:
    rig = moving(refreshed())
    rig.core.can_refresh = True
    rig.do(Lost(2, Close.refused(401)), 1.0)
    [dial] = rig.do(MOVE, 5.0)
    assert isinstance(dial, Dial)
    assert dial.refresh
    assert not rig.core.run.refresh_next


@pytest.mark.spec("C3.11", "F5")
def test_a_successor_that_is_late_has_failed() -> None:
    rig = moving()
    rig.expire()
    assert rig.state is State.OPEN
    assert rig.core.deadline == 123.0
    [failed] = rig.expire()
    assert isinstance(failed, Failed)
    assert failed.close == Close.by_engine(Cause.CONNECT_TIMEOUT)
    assert (rig.state, rig.core.deadline) == (State.OPEN, None)


@pytest.mark.spec("C3.9")
def test_the_moments_of_the_connection_pass_while_the_successor_is_dialled() -> None:
    rig = moving(after=9.0)
    assert rig.expire() == []
    assert rig.now == 110.0
    assert (rig.core.stable_at, rig.core.successor) == (None, 2)


@pytest.mark.spec("C3.12")
@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [
        (Ask(Wish.CLOSE, 1000, "bye"), 1000, "bye"),
        (Ask(Wish.SUSPEND, 1001, "rest"), 1001, "rest"),
        (Reconnect(4001, "anew"), 4001, "anew"),
    ],
)
def test_who_leaves_the_connection_leaves_the_successor_too(
    event: Event, code: int, reason: str
) -> None:
    rig = moving()
    found = untold(rig.do(event, 1.0))
    assert found == [Shut(1, code, reason), Drop(2, code, reason)]
    assert rig.core.successor is None


@pytest.mark.spec("C3.12")
@pytest.mark.parametrize(
    "event",
    [
        Ask(Wish.CONNECT),
        *(make for old in (0, 7) for make in (Wait(old), Lost(old, CUT), Opened(old))),
    ],
)
def test_nothing_else_touches_the_move(event: Any) -> None:
    rig = moving()
    before = snapshot(rig.core)
    assert rig.do(event, 1.0) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("C3.12", "B11")
def test_an_end_that_the_application_declares_ends_the_successor_too() -> None:
    rig = moving()
    close = Close.by_engine(Cause.HOOK, sent_code=4002)
    found = rig.do(Fail(1, close, reason="no answer"), 1.0)
    assert untold(found) == [Farewell(1, 4002, "no answer"), Promote(2)]


@pytest.mark.spec("F5")
def test_the_deadline_of_a_successor_counts_from_its_permit_on() -> None:
    rig = moving()
    rig.do(Healthy())
    assert rig.do(Wait(2), 15.0) == []
    assert rig.core.deadline == 138.0
    rig.lost()
    assert rig.core.run.dialled_at == 118.0
    assert rig.core.deadline == 138.0


@pytest.mark.spec("F5")
def test_a_permit_for_the_connection_itself_comes_too_late() -> None:
    """The dial of generation 1 is over: a `Wait` of it moves no deadline, not the successor's."""
    rig = moving()
    before = snapshot(rig.core)
    rig.do(Wait(1), 5.0)
    assert snapshot(rig.core) == before


@pytest.mark.spec("F5")
def test_a_permit_for_a_successor_that_is_ready_comes_too_late() -> None:
    rig = moving()
    rig.do(Opened(2))
    before = snapshot(rig.core)
    rig.do(Wait(2), 1.0)
    assert snapshot(rig.core) == before


@pytest.mark.spec("C3.12")
def test_an_old_deadline_of_a_successor_changes_nothing() -> None:
    rig = moving()
    rig.do(Healthy())
    rig.do(Wait(2), 15.0)
    assert rig.do(Expired(123.0)) == []
    assert rig.core.successor == 2
