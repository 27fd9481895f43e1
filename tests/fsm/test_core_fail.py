"""An end that the application declares: `Fail`, and calls that are bound to a generation."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.decisions import Context, Decision, Hold, Retry, Stop
from recloser.fsm.effects import Announce, Farewell
from recloser.fsm.events import Advise, Ask, Event, Fail, Hint, Lost, Opened, Reconnect
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import State, Trigger, Wish
from recloser.policies import standard
from tests.fsm.rig import ALL, KICKED, LIVE, Rig, snapshot

DECLARED = Close.declared(sent_code=4000)


def fail(rig: Rig, advice: Advise | None = None, after: float = 0.0) -> None:
    rig.do(Fail(rig.core.generation, DECLARED, advice, "leave"), after=after)


@pytest.mark.spec("B21.1", "B21.2", "A7")
@pytest.mark.parametrize(
    ("answer", "ended"),
    [(Retry(3.0), State.BACKOFF), (Hold(), State.PASSIVE), (Stop(), State.CLOSED)],
)
def test_the_policy_decides_and_it_counts_as_a_failure(answer: Decision, ended: State) -> None:
    rig = Rig(answer).put(State.OPEN)
    fail(rig, after=0.5)
    farewell, announce = rig.effects
    assert type(farewell) is Farewell
    assert farewell == Farewell(1, 4000, "leave")
    assert isinstance(announce, Announce)
    change = announce.change
    assert (change.current, change.trigger, change.attempt) == (ended, Trigger.LOST, 1)
    assert change.uptime == 0.5
    assert change.close == DECLARED
    assert (DECLARED.origin, DECLARED.cause) == (Origin.APPLICATION, Cause.DECLARED)
    assert (DECLARED.code, DECLARED.intentional, DECLARED.clean) == (1006, False, False)
    assert not change.deliberate
    assert [close for close, _ in rig.policy.asked] == [DECLARED]


@pytest.mark.spec("B21.3", "A1")
@pytest.mark.parametrize("state", [state for state in ALL if state is not State.OPEN])
def test_nothing_happens_unless_open(state: State) -> None:
    rig = Rig(Retry(0.0)).put(state)
    before = snapshot(rig.core)
    fail(rig, Advise("x"))
    assert rig.effects == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("B21.3", "A1", "A3.1")
@pytest.mark.parametrize("wish", [Wish.CLOSE, Wish.SUSPEND])
@pytest.mark.parametrize("first", ["fail", "wish"])
def test_a_close_or_a_rest_wins_before_it_and_after_it(wish: Wish, first: str) -> None:
    rig = Rig(lambda close, _: Stop() if close.intentional else Retry(1.0)).put(State.OPEN)
    if first == "fail":
        fail(rig)
    rig.do(Ask(wish))
    fail(rig)
    late: list[Event] = [Lost(1, KICKED), Opened(1), Hint(), Lost(1, KICKED)]
    for event in late:
        rig.do(event, after=30.0)
    assert rig.state is (State.CLOSED if wish is Wish.CLOSE else State.PASSIVE)
    assert not rig.dials
    assert len([change for change in rig.changes if change.close is not None]) == 1


@pytest.mark.spec("B21.4", "B11")
def test_what_it_says_adds_to_the_advice_before() -> None:
    rig = Rig(Retry(1.0)).put(State.OPEN)
    rig.do(Advise("maintenance", retry_after=30.0, spread=60.0))
    fail(rig, Advise(None, retry_after=5.0))
    asked = rig.policy.asked[-1][0]
    assert asked == replace(DECLARED, advice="maintenance", retry_after=5.0, spread=60.0)
    rig.expire()
    rig.opened()
    fail(rig, Advise("gone"))
    assert rig.policy.asked[-1][0] == replace(DECLARED, advice="gone")
    rig.expire()
    rig.opened()
    fail(rig)
    assert rig.policy.asked[-1][0] == DECLARED


@pytest.mark.spec("B21.5")
@pytest.mark.parametrize("state", ALL)
def test_a_call_for_another_generation_changes_nothing(state: State) -> None:
    rig = Rig(Retry(1.0)).put(state)
    before = snapshot(rig.core)
    others = {rig.core.generation - 1, rig.core.generation + 1}
    if state is not State.OPEN:
        others.add(rig.core.generation)
    for number in others:
        assert rig.do(Fail(number, DECLARED)) == []
        assert rig.do(Reconnect(4000, generation=number)) == []
    for number in others - ({rig.core.generation} if state in LIVE else set()):
        assert rig.do(Advise("late", generation=number)) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("B21.5")
def test_a_call_for_the_open_generation_does_what_it_says() -> None:
    rig = Rig(Retry(1.0)).put(State.OPEN)
    rig.do(Advise("soon", generation=1))
    assert rig.core.advice is not None
    rig.do(Reconnect(4000, generation=1))
    assert (rig.state, rig.core.wish) == (State.CLOSING, Wish.CONNECT)


@pytest.mark.parametrize("error", [KeyboardInterrupt()])
def test_an_interrupted_policy_changes_nothing(error: BaseException) -> None:
    rig = Rig(error).put(State.OPEN)
    rig.do(Advise("kept"))
    before = snapshot(rig.core)
    with pytest.raises(KeyboardInterrupt):
        fail(rig, Advise("said"))
    assert snapshot(rig.core) == before


@pytest.mark.spec("B21.1", "D1.1", "D4.3", "D4.4")
@given(st.lists(st.floats(0, 5.0), min_size=1, max_size=20), st.floats(0, 1, exclude_max=True))
def test_a_server_that_says_go_away_at_each_open_sees_growing_gaps(
    moments: list[float], roll: float
) -> None:
    """Under the standard policy: counted, and never two dials within a second of each other."""
    policy = standard()

    def decide(close: Close, context: Context) -> Decision:
        return policy.decide(close, context)

    rig = Rig(decide, roll=roll)
    rig.connect()
    for count, moment in enumerate(moments, start=1):
        rig.now = max(rig.now, rig.dials[-1].not_before)
        rig.opened()
        fail(rig, after=moment)
        assert rig.core.run.attempt == count
        assert rig.changes[-1].rule == "declared"
        rig.expire()
    starts = [dial.not_before for dial in rig.dials]
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in pairwise(starts))


@pytest.mark.spec("D4.11")
@pytest.mark.parametrize("uptime", [0.0, 0.5, 60.0])
@pytest.mark.parametrize("failures", [0, 2])
def test_a_planned_end_keeps_the_run_as_it_was(uptime: float, failures: int) -> None:
    rig = Rig(Retry(2.0))
    rig.connect()
    for _ in range(failures):
        rig.lost()
        rig.expire()
    rig.opened()
    rig.policy.answer = Stop()
    rig.do(Reconnect(planned=True, generation=rig.core.generation), after=uptime)
    rig.lost()
    assert rig.state is State.CONNECTING
    assert rig.changes[-1].attempt == failures
    assert rig.dials[-1].not_before >= rig.dials[-2].not_before + 1.0
    rig.policy.answer = Retry(2.0)
    rig.lost()
    assert rig.policy.asked[-1][1].attempt == failures + 1


@pytest.mark.spec("D4.11", "D4.8")
def test_what_was_planned_is_forgotten_with_its_generation() -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.do(Reconnect(planned=True))
    rig.lost()
    rig.opened()
    rig.do(Reconnect())
    rig.lost()
    assert rig.changes[-1].attempt == 1


@pytest.mark.spec("D4.11", "A3.1")
@pytest.mark.parametrize("wish", Wish)
def test_a_wish_that_comes_while_it_is_left_is_the_last(wish: Wish) -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.do(Reconnect(planned=True))
    rig.do(Ask(wish))
    rig.lost()
    ends = {Wish.CLOSE: State.CLOSED, Wish.SUSPEND: State.PASSIVE, Wish.CONNECT: State.CONNECTING}
    assert rig.state is ends[wish]


@pytest.mark.spec("D4.11", "B16.1")
def test_a_planned_end_breaks_the_row_of_refusals() -> None:
    too_big = Close.by_engine(Cause.TOO_BIG, sent_code=1009)
    rig = Rig(lambda close, _: Stop() if close.intentional else Retry(2.0)).put(State.OPEN)
    rig.lost(too_big)
    rig.expire()
    rig.opened()
    rig.do(Reconnect(planned=True))
    rig.lost()
    rig.opened()
    rig.lost(too_big)
    assert rig.policy.asked[-1][1].refusals == 1
