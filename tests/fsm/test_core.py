"""The core with a hand clock: records, deadlines, dials and the count of failures (A7, B, C, D).

What the application asks for is in `test_core_intent.py`.
"""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.decisions import Context, Decision, Hold, Phase, Retry, Stop
from recloser.fsm.effects import Abort, Announce, Dial
from recloser.fsm.errors import IllegalTrigger
from recloser.fsm.events import Advise, Ask, Event, Expired, Healthy, Hint, Lost, Opened, Reconnect
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import Guard, State, Trigger, Wish
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


@pytest.mark.spec("B11", "J1.1")
@pytest.mark.parametrize("state", [State.CLOSED, State.BACKOFF, State.PASSIVE])
def test_advice_without_a_generation_is_none(state: State) -> None:
    rig = Rig(Stop()).put(state)
    before = snapshot(rig.core)
    assert rig.do(Advise("x")) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("C3.7")
def test_a_change_tells_of_the_messages_that_no_consumer_gets() -> None:
    rig = Rig(Retry(1.0)).put(State.OPEN)
    rig.do(Lost(rig.core.generation, CUT, undelivered=4))
    assert rig.changes[-1].undelivered == 4
    rig.expire()
    assert rig.changes[-1].undelivered == 0
    rig.do(Opened(rig.core.generation, undelivered=3))
    assert rig.changes[-1].undelivered == 3
    rig.policy.answer = Stop()
    rig.close()
    rig.do(Lost(rig.core.generation, CUT, undelivered=2))
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


@pytest.mark.spec("J1.2")
@pytest.mark.parametrize("state", ALL)
def test_a_closed_core_owns_nothing(state: State) -> None:
    rig = Rig(Stop()).put(state)
    rig.do(Advise("x"))
    rig.close()
    if rig.state is State.CLOSING:
        rig.lost()
    core = rig.core
    assert (core.state, core.deadline, core.guard, core.advice) == (State.CLOSED, None, None, None)


def test_a_reconnect_while_resting_is_a_connect() -> None:
    rig = Rig().put(State.PASSIVE, guard=Guard.SUSPENDED)
    rig.do(Reconnect())
    assert rig.changes[-1].trigger is Trigger.CONNECT


@pytest.mark.spec("C2")
@pytest.mark.parametrize("state", ALL)
def test_events_of_another_generation_change_nothing(state: State) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    current = rig.core.generation
    for generation in {current - 1, current + 1, 0, -1}:
        assert rig.do(Lost(generation, KICKED, undelivered=5)) == []
        assert rig.do(Opened(generation, undelivered=5)) == []
    assert snapshot(rig.core) == before
    assert not rig.policy.asked


@pytest.mark.spec("C2", "A7")
@pytest.mark.parametrize("answer", [Retry(3), Hold(), Stop()])
def test_a_generation_ends_once(answer: object) -> None:
    rig = Rig(answer).put(State.OPEN)
    rig.lost()
    before = snapshot(rig.core)
    assert rig.lost(KICKED) == []
    assert rig.opened() == []
    assert snapshot(rig.core) == before
    assert len(rig.policy.asked) == 1


@pytest.mark.spec("C2")
@pytest.mark.parametrize("state", ALL)
def test_an_old_deadline_changes_nothing(state: State) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    for deadline in (-1.0, 0.0, rig.now, 1e9):
        assert rig.do(Expired(deadline)) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("C1", "C4")
def test_connect_in_backoff_dials_now_and_never_twice() -> None:
    rig = Rig(Retry(30)).put(State.BACKOFF)
    deadline = rig.core.deadline
    assert deadline is not None
    [dial] = [each for each in rig.connect(after=1.0) if isinstance(each, Dial)]
    assert dial.not_before == rig.now
    assert rig.connect() == []
    assert rig.do(Hint()) == []
    assert rig.do(Expired(deadline), after=60.0) == []
    assert rig.dials == [dial]


@pytest.mark.spec("C1", "D7.1")
@pytest.mark.parametrize("wish", [Wish.CLOSE, Wish.SUSPEND])
def test_waiting_is_cancelled_at_once(wish: Wish) -> None:
    rig = Rig(Retry(30)).put(State.BACKOFF)
    deadline = rig.core.deadline
    assert deadline is not None
    [effect] = rig.do(Ask(wish))
    assert isinstance(effect, Announce)
    assert rig.core.deadline is None
    assert rig.do(Expired(deadline), after=60.0) == []


@pytest.mark.spec("D7.2", "H1.1", "J1.2")
@pytest.mark.parametrize("state", ALL)
def test_who_has_a_deadline(state: State) -> None:
    rig = Rig().put(state)
    bounds = {State.CONNECTING: 20.0, State.OPEN: 10.0, State.CLOSING: 5.0, State.BACKOFF: 2.0}
    expected = bounds.get(state)
    assert rig.core.deadline == (None if expected is None else rig.now + expected)


@pytest.mark.spec("E3.1")
@pytest.mark.parametrize("rest", [(), (Ask(Wish.SUSPEND),)])
def test_a_connect_before_the_refresh_dial_does_not_lose_the_refresh(rest: tuple[Ask, ...]) -> None:
    rig = Rig(Retry(3, refresh=True)).put(State.OPEN)
    rig.lost()
    for ask in rest:
        rig.do(ask)
    dials = [each for each in rig.do(Ask(Wish.CONNECT)) if isinstance(each, Dial)]
    assert [dial.refresh for dial in dials] == [True]


@pytest.mark.spec("D7.3")
@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_the_clock_may_jump(jump: float) -> None:
    """A deadline is a moment on the clock it was made from; the core itself never compares."""
    rig = Rig(Retry(2.0)).put(State.BACKOFF)
    deadline = rig.core.deadline
    assert deadline is not None
    rig.do(Expired(deadline), after=jump)
    assert rig.state is State.CONNECTING
    assert rig.core.deadline == rig.now + 20.0


@pytest.mark.spec("B3", "A7")
@pytest.mark.parametrize("state", LIVE)
def test_the_policy_is_asked_before_any_dial(state: State) -> None:
    """Once, for the first dial and an end that was asked for included."""
    rig = Rig(Stop()).put(state)
    rig.lost(KICKED)
    assert len(rig.policy.asked) == 1
    close, context = rig.policy.asked[0]
    assert close.code == 4401
    assert close.intentional is (state is State.CLOSING)
    assert context.phase is (Phase.OPEN if state is State.OPEN else Phase.DIAL)
    assert context.attempt == (0 if state is State.CLOSING else 1)


@pytest.mark.spec("B3")
def test_nothing_else_asks_the_policy() -> None:
    rig = Rig()
    rig.connect()
    rig.opened()
    rig.do(Healthy())
    rig.do(Hint())
    rig.close()
    rig.suspend()
    assert not rig.policy.asked


@pytest.mark.spec("A7")
def test_every_record_is_announced_before_the_next_dial() -> None:
    rig = Rig(Retry(0.0))
    rig.connect()
    for _ in range(5):
        rig.opened(after=1.0)
        rig.lost(after=1.0)
        rig.expire()
    told = [
        (each.change.current, each.change.close is not None)
        if isinstance(each, Announce)
        else "dial"
        for each in rig.effects
    ]
    cycle = [(State.OPEN, False), (State.BACKOFF, True), (State.CONNECTING, False), "dial"]
    assert told == [(State.CONNECTING, False), "dial", *cycle * 5]


@pytest.mark.spec("D1.1")
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


@pytest.mark.spec("D1.2")
def test_a_stable_period_forgets_failures() -> None:
    rig = flapping()
    rig.effects.clear()
    rig.expire()
    assert rig.effects == []
    assert (rig.core.run.attempt, rig.core.deadline, rig.state) == (0, None, State.OPEN)
    rig.lost(after=5.0)
    _, context = rig.policy.asked[-1]
    assert (context.attempt, context.uptime, context.elapsed) == (1, 15.0, 0.0)


@pytest.mark.spec("D1.2")
def test_mark_healthy_forgets_failures() -> None:
    rig = flapping()
    assert rig.do(Healthy()) == []
    assert (rig.core.run.attempt, rig.core.deadline) == (0, None)
    assert rig.do(Healthy()) == []
    rig.lost(after=1.0)
    assert rig.policy.asked[-1][1].attempt == 1


@pytest.mark.spec("D1.2")
@pytest.mark.parametrize("state", [each for each in ALL if each is not State.OPEN])
def test_mark_healthy_means_nothing_elsewhere(state: State) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    assert rig.do(Healthy()) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("D1.2", "D6.4")
@pytest.mark.parametrize("state", [State.CLOSED, State.BACKOFF, State.PASSIVE])
def test_an_explicit_connect_starts_afresh(state: State) -> None:
    rig = Rig(Retry(2.0)).put(state)
    rig.connect(after=1.0)
    rig.lost(after=3.0)
    _, context = rig.policy.asked[-1]
    assert (context.attempt, context.elapsed, context.last_delay) == (1, 3.0, None)


@pytest.mark.spec("D1.2")
@pytest.mark.parametrize(
    "asked",
    [[Ask(Wish.CLOSE), Ask(Wish.CONNECT)], [Reconnect(4000), Ask(Wish.CONNECT)]],
    ids=["close", "reconnect"],
)
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


@pytest.mark.spec("D1.2")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN])
def test_a_connect_that_asks_for_nothing_forgets_nothing(state: State) -> None:
    rig = Rig(Retry(2.0)).put(State.CONNECTING)
    rig.lost()
    rig.expire()
    if state is State.OPEN:
        rig.opened()
    rig.connect()
    assert rig.core.run.attempt == 1


@pytest.mark.spec("D4.7", "D1.2")
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


@pytest.mark.spec("D4.4", "D4.7")
def test_wakes_never_dial_twice_in_a_second() -> None:
    rig = Rig(Retry(60.0))
    rig.connect()
    for _ in range(20):
        rig.now = max(rig.now, rig.dials[-1].not_before)
        rig.lost()
        rig.do(Hint(), after=0.1)
    starts = [dial.not_before for dial in rig.dials]
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(starts))


@pytest.mark.spec("D4.5")
@pytest.mark.parametrize("ended", [State.BACKOFF, State.PASSIVE])
def test_a_dial_that_is_asked_for_waits_for_no_gap(ended: State) -> None:
    rig = Rig(Retry(60.0) if ended is State.BACKOFF else Hold())
    rig.connect()
    rig.lost(after=0.25)
    assert rig.state is ended
    rig.connect(after=0.25)
    assert [dial.not_before for dial in rig.dials] == [rig.now - 0.5, rig.now]


@pytest.mark.spec("D4.8", "A10")
@pytest.mark.parametrize("ended", [State.BACKOFF, State.PASSIVE])
def test_a_reconnect_after_the_end_keeps_the_count_and_the_gap(ended: State) -> None:
    """What the server said in-band may be read when the connection is gone already."""
    rig = Rig(Retry(60.0) if ended is State.BACKOFF else Hold())
    rig.connect()
    for count in (1, 2, 3):
        rig.opened(after=0.1)
        rig.lost(after=0.1)
        assert rig.state is ended
        rig.do(Reconnect(4000), after=0.1)
        assert rig.core.run.attempt == count
    starts = [dial.not_before for dial in rig.dials]
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(starts))


@pytest.mark.spec("D4.8", "D1.2", "A10")
@given(st.lists(st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)), min_size=1, max_size=20))
def test_reconnects_at_each_open_are_paced_and_counted(steps: list[tuple[float, float]]) -> None:
    """A server that says "go away" in its first message, and an application that obeys."""
    rig = Rig(Stop())
    rig.connect()
    for count, (until_asked, until_closed) in enumerate(steps, start=1):
        rig.now = max(rig.now, rig.dials[-1].not_before)
        rig.opened()
        rig.do(Reconnect(4000), after=until_asked)
        rig.lost(LEFT, after=until_closed)
        assert rig.state is State.CONNECTING
        assert rig.changes[-1].attempt == rig.core.run.attempt == count
        assert rig.changes[-1].close is not None
        assert rig.changes[-1].close.intentional
    starts = [dial.not_before for dial in rig.dials]
    assert all(later >= earlier + 1.0 for earlier, later in pairwise(starts))
    rig.now = max(rig.now, starts[-1])
    rig.lost()
    assert rig.policy.asked[-1][1].attempt == len(steps) + 1


@pytest.mark.spec("D4.8", "D1.2")
@pytest.mark.parametrize("how", ["time", "said"])
def test_a_reconnect_of_a_connection_that_was_stable_is_no_failure(how: str) -> None:
    rig = flapping()
    rig.policy.answer = Stop()
    if how == "time":
        rig.expire()
    else:
        rig.do(Healthy())
    rig.do(Reconnect(4000), after=1.0)
    rig.lost()
    assert rig.changes[-1].attempt == 0
    assert rig.dials[-1].not_before == rig.now


@pytest.mark.spec("D4.8")
def test_a_reconnect_that_gives_up_a_dial_is_no_failure() -> None:
    rig = Rig(Stop())
    rig.connect()
    rig.close(after=0.25)
    rig.do(Reconnect(4000))
    rig.lost()
    assert rig.changes[-1].attempt == 0
    assert rig.dials[-1].not_before == rig.now + 0.75


@pytest.mark.spec("D4.3")
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


@pytest.mark.spec("O1.1", "O1.4")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN])
def test_without_its_lease_an_engine_rests_whatever_its_policy_says(state: State) -> None:
    rig = Rig(Stop("stopping")).put(state)
    asked = len(rig.policy.asked)
    rig.lost(Close.by_engine(Cause.LEASE))
    assert (rig.core.state, rig.core.guard) == (State.PASSIVE, Guard.HELD)
    assert (rig.core.run.attempt, len(rig.policy.asked)) == (0, asked)
    rig.do(Hint())
    assert rig.core.state is State.CONNECTING
    rig.close()
    rig.lost(Close.by_engine(Cause.LEASE))
    assert rig.core.state is State.CLOSED
    assert rig.policy.asked[-1][0].intentional
