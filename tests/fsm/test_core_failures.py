"""Failures are counted, spread, and forgotten only for a reason (D)."""

from itertools import pairwise

import pytest

from recloser.fsm.decisions import Context, Decision, Hold, Retry, Stop
from recloser.fsm.effects import Dial
from recloser.fsm.events import Ask, Event, Healthy, Hint, Reconnect
from recloser.fsm.record import Close
from recloser.fsm.states import State, Wish
from tests.fsm.rig import ALL, KICKED, LEFT, Rig, snapshot


@pytest.mark.spec("D1")
def test_opening_does_not_forget_failures() -> None:
    """A server that accepts and closes at once sees the count grow."""
    rig = Rig(lambda close, context: Retry(float(context.attempt)))
    rig.connect()
    for _ in range(6):
        rig.opened(after=0.1)
        rig.lost(LEFT, after=0.1)
        rig.expire()
    assert [context.attempt for _, context in rig.policy.asked] == [1, 2, 3, 4, 5, 6]
    assert [change.delay for change in rig.changes if change.delay] == [1, 2, 3, 4, 5, 6]


def flapping() -> Rig:
    """An engine that is open after three failures."""
    rig = Rig(Retry(2.0))
    rig.connect()
    for _ in range(3):
        rig.lost(after=1.0)
        rig.expire()
    rig.opened(after=1.0)
    assert rig.core.run.attempt == 3
    return rig


@pytest.mark.spec("D1")
def test_a_stable_period_forgets_failures() -> None:
    rig = flapping()
    rig.effects.clear()
    rig.expire()
    assert rig.effects == []
    assert (rig.core.run.attempt, rig.core.deadline, rig.state) == (0, None, State.OPEN)
    rig.lost(after=5.0)
    _, context = rig.policy.asked[-1]
    assert (context.attempt, context.uptime, context.elapsed) == (1, 15.0, 0.0)


@pytest.mark.spec("D1")
def test_mark_healthy_forgets_failures() -> None:
    rig = flapping()
    assert rig.do(Healthy()) == []
    assert (rig.core.run.attempt, rig.core.deadline) == (0, None)
    assert rig.do(Healthy()) == []
    rig.lost(after=1.0)
    assert rig.policy.asked[-1][1].attempt == 1


@pytest.mark.spec("D1")
@pytest.mark.parametrize("state", [each for each in ALL if each is not State.OPEN])
def test_mark_healthy_means_nothing_elsewhere(state: State) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    assert rig.do(Healthy()) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("D1", "D6")
@pytest.mark.parametrize("state", [State.CLOSED, State.BACKOFF, State.PASSIVE])
def test_an_explicit_connect_starts_afresh(state: State) -> None:
    rig = Rig(Retry(2.0)).put(state)
    rig.connect(after=1.0)
    rig.lost(after=3.0)
    _, context = rig.policy.asked[-1]
    assert (context.attempt, context.elapsed, context.last_delay) == (1, 3.0, None)


@pytest.mark.spec("D1", "A10")
@pytest.mark.parametrize("asked", [[Ask(Wish.CLOSE), Ask(Wish.CONNECT)], [Reconnect(4000)]])
def test_a_connect_that_waited_for_the_closing_starts_afresh(asked: list[Event]) -> None:
    rig = flapping()
    rig.policy.answer = Stop()
    for event in asked:
        rig.do(event)
    rig.lost()
    assert rig.changes[-1].attempt == 0
    rig.lost(after=3.0)
    _, context = rig.policy.asked[-1]
    assert (context.attempt, context.elapsed, context.last_delay) == (1, 3.0, None)


@pytest.mark.spec("D1")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN])
def test_a_connect_that_asks_for_nothing_forgets_nothing(state: State) -> None:
    rig = Rig(Retry(2.0)).put(State.CONNECTING)
    rig.lost()
    rig.expire()
    if state is State.OPEN:
        rig.opened()
    rig.connect()
    assert rig.core.run.attempt == 1


@pytest.mark.spec("D4", "D1")
@pytest.mark.parametrize("start", [State.BACKOFF, State.PASSIVE])
def test_a_wake_keeps_the_count_and_the_gap(start: State) -> None:
    answer: Decision = Retry(60.0) if start is State.BACKOFF else Hold()
    rig = Rig(answer)
    rig.connect()
    rig.lost(after=0.25)
    effects = rig.do(Hint(), after=0.25)
    dial = effects[-1]
    assert isinstance(dial, Dial)
    assert dial.not_before == 101.0
    assert rig.core.deadline == 121.0
    assert rig.core.run.attempt == 1
    rig.lost(after=1.0)
    assert rig.policy.asked[-1][1].attempt == 2


@pytest.mark.spec("D4")
def test_wakes_never_dial_twice_in_a_second() -> None:
    rig = Rig(Retry(60.0))
    rig.connect()
    for _ in range(20):
        rig.now = max(rig.now, rig.dials[-1].not_before)
        rig.lost()
        rig.do(Hint(), after=0.1)
    starts = [dial.not_before for dial in rig.dials]
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(starts))


@pytest.mark.spec("D4")
def test_two_dials_in_a_row_are_told_apart() -> None:
    """A policy sees that the dial before was immediate, and can wait this time."""
    rig = Rig(lambda close, context: Retry(5.0 if context.previous_immediate else 0.0))
    rig.connect()
    for _ in range(4):
        rig.lost(after=2.0)
        rig.expire()
    assert [context.previous_immediate for _, context in rig.policy.asked] == [
        False,
        True,
        False,
        True,
    ]


@pytest.mark.spec("D8")
def test_same_events_same_story() -> None:
    def story(roll: float) -> list[object]:
        def decide(close: Close, context: Context) -> Retry:
            return Retry(context.attempt * context.roll)

        rig = Rig(decide, roll=roll)
        rig.connect()
        for _ in range(5):
            rig.lost(after=1.0)
            rig.expire()
        return [rig.effects, rig.policy.asked]

    assert story(0.5) == story(0.5)
    assert story(0.5) != story(0.6)


def test_refresh_is_asked_of_the_next_dial_alone() -> None:
    rig = Rig(Retry(1.0, refresh=True), can_refresh=True)
    rig.connect()
    rig.lost(KICKED)
    rig.expire()
    assert [dial.refresh for dial in rig.dials] == [False, True]
    assert [context.refreshed for _, context in rig.policy.asked] == [False]
    assert all(context.can_refresh for _, context in rig.policy.asked)
    rig.policy.answer = Retry(1.0)
    rig.lost(KICKED)
    rig.expire()
    assert [dial.refresh for dial in rig.dials] == [False, True, False]
    assert rig.policy.asked[-1][1].refreshed
