"""One dial at a time, one deadline, one record for each generation (A7, B3, C, D7)."""

import pytest

from recloser.fsm.decisions import Hold, Phase, Retry, Stop
from recloser.fsm.effects import Announce, Dial
from recloser.fsm.events import Ask, Expired, Healthy, Hint, Lost, Opened
from recloser.fsm.states import State, Wish
from tests.fsm.rig import ALL, KICKED, LIVE, Rig, snapshot


@pytest.mark.spec("C2")
@pytest.mark.parametrize("state", ALL)
def test_events_of_another_generation_change_nothing(state: State) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    current = rig.core.generation
    for generation in {current - 1, current + 1, 0, -1}:
        assert rig.do(Lost(generation, KICKED, unread=5)) == []
        assert rig.do(Opened(generation, unread=5)) == []
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


@pytest.mark.spec("C1", "D7")
@pytest.mark.parametrize("wish", [Wish.CLOSE, Wish.SUSPEND])
def test_waiting_is_cancelled_at_once(wish: Wish) -> None:
    rig = Rig(Retry(30)).put(State.BACKOFF)
    deadline = rig.core.deadline
    assert deadline is not None
    [effect] = rig.do(Ask(wish))
    assert isinstance(effect, Announce)
    assert rig.core.deadline is None
    assert rig.do(Expired(deadline), after=60.0) == []


@pytest.mark.spec("D7", "H1", "J1")
@pytest.mark.parametrize("state", ALL)
def test_who_has_a_deadline(state: State) -> None:
    rig = Rig().put(state)
    bounds = {State.CONNECTING: 20.0, State.OPEN: 10.0, State.CLOSING: 5.0, State.BACKOFF: 2.0}
    expected = bounds.get(state)
    assert rig.core.deadline == (None if expected is None else rig.now + expected)


@pytest.mark.spec("E3")
@pytest.mark.parametrize("rest", [(), (Ask(Wish.SUSPEND),)])
def test_a_connect_before_the_refresh_dial_does_not_lose_the_refresh(rest: tuple[Ask, ...]) -> None:
    rig = Rig(Retry(3, refresh=True)).put(State.OPEN)
    rig.lost()
    for ask in rest:
        rig.do(ask)
    dials = [each for each in rig.do(Ask(Wish.CONNECT)) if isinstance(each, Dial)]
    assert [dial.refresh for dial in dials] == [True]


@pytest.mark.spec("D7")
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
