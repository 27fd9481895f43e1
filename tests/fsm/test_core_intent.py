"""What the application asks for decides: closing, suspending, hints, reconnecting (A)."""

from itertools import product

import pytest

from recloser.fsm.decisions import Hold, Retry, Stop
from recloser.fsm.effects import Announce, Dial, Shut
from recloser.fsm.events import Ask, Event, Expired, Healthy, Hint, Lost, Opened, Reconnect, Wait
from recloser.fsm.judge import POLICY_ERROR
from recloser.fsm.record import Cause, Origin
from recloser.fsm.states import Guard, State, Trigger, Wish
from tests.fsm.rig import ALL, CUT, KICKED, LEFT, LIVE, Rig, snapshot

ENDS = {Wish.CLOSE: State.CLOSED, Wish.SUSPEND: State.PASSIVE, Wish.CONNECT: State.CONNECTING}


def ended(rig: Rig) -> Rig:
    """Let the closing come to its end, if one is under way."""
    if rig.state is State.CLOSING:
        rig.lost(KICKED)
    return rig


@pytest.mark.spec("A1", "A9")
@pytest.mark.parametrize("answer", [Retry(0), Hold(), Stop(), ValueError("x")], ids=str)
@pytest.mark.parametrize("state", ALL)
def test_after_a_close_nothing_dials(state: State, answer: object) -> None:
    rig = Rig(answer).put(state)
    deadline, generation = rig.core.deadline, rig.core.generation
    rig.close()
    pending: list[Event] = [
        Opened(generation),
        Hint(),
        Healthy(),
        Lost(generation, KICKED),
        Lost(generation, CUT),
        Opened(generation),
        Hint(),
        Healthy(),
        *([] if deadline is None else [Expired(deadline)]),
    ]
    for event in pending:
        rig.do(event, after=30.0)
    assert rig.state is State.CLOSED
    assert not rig.dials
    assert rig.core.deadline is None
    rig.connect()
    assert len(rig.dials) == 1


@pytest.mark.spec("A2.2", "A12.2")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN])
def test_intent_outlives_crossing_closes(state: State) -> None:
    """The peer answers our close with 4401: intentional, and 4401."""
    rig = Rig(Stop()).put(state)
    [shut, announce] = rig.close()
    assert isinstance(shut, Shut)
    assert isinstance(announce, Announce)
    rig.lost(KICKED)
    close = rig.changes[-1].close
    assert close is not None
    assert (close.code, close.reason, close.cause) == (4401, "go", Cause.CLOSE_FRAME)
    assert (close.intentional, close.wish, close.origin) == (
        True,
        Wish.CLOSE,
        Origin.APPLICATION,
    )
    assert rig.policy.asked[0][0] == close
    assert not rig.dials


@pytest.mark.spec("A3.1")
@pytest.mark.parametrize("answer", [Stop(), Hold()], ids=["stop", "hold"])
@pytest.mark.parametrize("state", ALL)
def test_the_last_wish_wins(state: State, answer: object) -> None:
    """All interleavings of up to four calls, from every state."""
    for length in range(1, 5):
        for wishes in product(Wish, repeat=length):
            if answer == Hold() and wishes[-1] is Wish.CLOSE:
                continue
            rig = Rig(answer).put(state)
            for wish in wishes:
                rig.do(Ask(wish))
            ended(rig)
            # Suspending in closed does nothing, so there the wish before it still stands.
            kept = [
                wish
                for i, wish in enumerate(wishes)
                if not (wish is Wish.SUSPEND and gone(state, wishes[:i]))
            ]
            expected = ENDS[kept[-1]] if kept else state
            if (
                expected is State.CONNECTING
                and state is State.OPEN
                and set(wishes) == {Wish.CONNECT}
            ):
                expected = State.OPEN
            assert rig.state is expected, wishes
            assert len(rig.dials) <= 2


def gone(state: State, wishes: tuple[Wish, ...]) -> bool:
    """Whether the calls so far have led to closed with no generation left to wind up."""
    for wish in wishes:
        if state in LIVE:
            state = State.CLOSING if wish is not Wish.CONNECT or state is State.CLOSING else state
        elif wish is Wish.CONNECT:
            state = State.CONNECTING
        elif wish is Wish.CLOSE:
            state = State.CLOSED
        elif state is not State.CLOSED:
            state = State.PASSIVE
    return state is State.CLOSED


@pytest.mark.spec("A3.2")
def test_connect_while_closing_is_remembered() -> None:
    rig = Rig(Stop()).put(State.CLOSING)
    assert rig.connect() == []
    effects = rig.lost(KICKED)
    assert [type(each) for each in effects] == [Announce, Dial]
    assert rig.changes[-1].trigger is Trigger.LOST
    close = rig.changes[-1].close
    assert close is not None
    assert close.wish is Wish.CONNECT


@pytest.mark.spec("A3.3")
def test_suspend_in_closed_does_nothing() -> None:
    rig = Rig()
    before = snapshot(rig.core)
    assert rig.suspend() == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("A3.1")
def test_the_last_wish_of_an_earlier_closing_is_forgotten() -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.suspend()
    rig.lost()
    rig.connect()
    rig.close()
    rig.lost()
    assert rig.state is State.CLOSED


@pytest.mark.spec("A6.1")
def test_the_first_code_wins_on_the_wire() -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.do(Ask(Wish.SUSPEND, 4001, "brb"))
    rig.do(Ask(Wish.CLOSE, 1000, "bye"))
    assert rig.shuts == [Shut(1, 4001, "brb")]


@pytest.mark.spec("A4.1", "A4.2", "A8")
@pytest.mark.parametrize("wish", Wish)
def test_closing_has_a_deadline_that_no_call_extends(wish: Wish) -> None:
    rig = Rig(Stop()).put(State.CLOSING)
    deadline = rig.core.deadline
    assert deadline == rig.now + 5.0
    rig.do(Ask(wish), after=4.0)
    assert rig.core.deadline is not None
    assert rig.core.deadline <= deadline
    deadline = rig.core.deadline
    rig.do(Expired(deadline, sent_code=1000, unsent=3, undelivered=2), after=1.0)
    assert [each.generation for each in rig.aborts] == [1]
    change = rig.changes[-1]
    assert change.close is not None
    assert (change.close.cause, change.close.code) == (Cause.CLOSE_TIMEOUT, 1006)
    assert (change.close.sent_code, change.unsent, change.undelivered) == (1000, 3, 2)
    assert rig.state is ENDS[wish]


@pytest.mark.spec("A10")
@pytest.mark.parametrize("way", ["reconnect", "close, connect", "suspend, connect"])
@pytest.mark.parametrize("after", [0.0, 0.25, 4.75])
def test_who_wants_to_dial_again_waits_half_a_second_for_the_answer(way: str, after: float) -> None:
    rig = Rig(Stop()).put(State.OPEN)
    begun = rig.now
    if way == "reconnect":
        rig.do(Reconnect(4000))
        after = 0.0
    else:
        rig.do(Ask(Wish(way.partition(",")[0])))
        rig.do(Ask(Wish.CONNECT), after=after)
    assert rig.core.deadline == min(begun + 5.0, begun + after + 0.5)
    rig.do(Expired(rig.core.deadline), after=rig.core.deadline - rig.now)
    assert rig.state is State.CONNECTING
    assert [each.generation for each in rig.aborts] == [1]


@pytest.mark.spec("A7", "I4")
@pytest.mark.parametrize("leave", [Reconnect(4000), Ask(Wish.CLOSE)], ids=["reconnect", "close"])
def test_a_record_stands_in_the_change_of_its_own_generation(leave: Event) -> None:
    rig = Rig(lambda close, _: Stop() if close.intentional else Retry(1.0)).put(State.OPEN)
    rig.do(leave)
    rig.do(Ask(Wish.CONNECT))
    rig.do(Lost(1, LEFT))
    assert (rig.changes[-1].current, rig.changes[-1].generation) == (State.CONNECTING, 1)
    rig.do(Opened(2))
    assert rig.changes[-1].generation == 2
    rig.do(Lost(2, CUT))
    assert rig.changes[-1].generation == 2
    rig.do(Expired(rig.core.deadline or 0.0), after=1.0)
    assert (rig.changes[-1].current, rig.changes[-1].generation) == (State.CONNECTING, 3)


@pytest.mark.spec("A4.1")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN, State.CLOSING])
@pytest.mark.parametrize("wish", [Wish.CLOSE, Wish.SUSPEND])
def test_a_shorter_bound_on_closing(state: State, wish: Wish) -> None:
    rig = Rig(Stop()).put(state)
    rig.do(Ask(wish, within=1.0))
    assert rig.core.deadline == rig.now + 1.0
    rig.do(Ask(wish, within=60.0), after=0.5)
    assert rig.core.deadline == rig.now + 0.5


@pytest.mark.parametrize("state", [State.CLOSED, State.BACKOFF, State.PASSIVE])
@pytest.mark.parametrize("wish", [Wish.CLOSE, Wish.SUSPEND])
def test_a_bound_means_nothing_where_nothing_closes(state: State, wish: Wish) -> None:
    rig = Rig().put(state)
    rig.do(Ask(wish, within=1.0))
    assert rig.core.deadline is None


@pytest.mark.spec("A5.1", "A3.1")
def test_opened_after_close_is_ignored() -> None:
    rig = Rig(Stop()).put(State.CONNECTING)
    rig.close()
    before = snapshot(rig.core)
    assert rig.opened() == []
    assert snapshot(rig.core) == before
    rig.lost()
    assert rig.state is State.CLOSED
    assert rig.changes[-1].uptime is None


@pytest.mark.spec("A8")
def test_what_the_engine_aborts_is_never_intentional() -> None:
    rig = Rig(Retry(1.0)).put(State.CONNECTING)
    rig.expire()
    [aborted] = rig.aborts
    assert aborted.generation == 1
    close = rig.changes[-1].close
    assert close is not None
    assert (close.intentional, close.origin, close.cause, close.sent_code) == (
        False,
        Origin.ENGINE,
        Cause.CONNECT_TIMEOUT,
        None,
    )
    assert not rig.shuts


@pytest.mark.spec("A9", "A13", "H2")
@pytest.mark.parametrize("guard", [Guard.HELD, Guard.SUSPENDED])
def test_a_hint_wakes_only_what_a_policy_put_to_rest(guard: Guard) -> None:
    rig = Rig().put(State.PASSIVE, guard=guard)
    rig.do(Hint(), after=60.0)
    assert rig.state is (State.CONNECTING if guard is Guard.HELD else State.PASSIVE)


@pytest.mark.spec("A13")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN, State.CLOSING, State.BACKOFF])
def test_a_rest_that_was_asked_for_is_the_applications(state: State) -> None:
    rig = Rig(Hold()).put(state)
    rig.suspend()
    if rig.state is State.CLOSING:
        rig.lost()
    assert rig.state is State.PASSIVE
    assert rig.do(Hint()) == []
    assert rig.state is State.PASSIVE


@pytest.mark.spec("A9")
@pytest.mark.parametrize("state", [State.CLOSED, State.CONNECTING, State.OPEN, State.CLOSING])
def test_a_hint_changes_nothing_elsewhere(state: State) -> None:
    rig = Rig().put(state)
    before = snapshot(rig.core)
    assert rig.do(Hint()) == []
    assert snapshot(rig.core) == before


@pytest.mark.spec("A10")
@pytest.mark.parametrize("state", ALL)
def test_reconnect_in_every_state(state: State) -> None:
    rig = Rig(Stop()).put(state)
    before = snapshot(rig.core)
    rig.do(Reconnect(4000, "again"))
    match state:
        case State.CLOSED | State.CONNECTING:
            assert rig.effects == []
            assert snapshot(rig.core) == before
        case State.OPEN:
            assert rig.shuts == [Shut(1, 4000, "again")]
            assert rig.state is State.CLOSING
            rig.lost()
            assert len(rig.dials) == 1
            assert rig.changes[-1].close is not None
            assert rig.changes[-1].close.intentional
        case State.CLOSING:
            assert rig.effects == []
            rig.lost()
            assert len(rig.dials) == 1
        case _:
            assert len(rig.dials) == 1
    assert rig.state is (State.CLOSED if state is State.CLOSED else State.CONNECTING)
    failed = state in (State.OPEN, State.BACKOFF, State.PASSIVE)
    assert rig.core.run.attempt == int(failed), "an end before the stable period, asked for or not"


@pytest.mark.spec("A12.1")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN])
def test_a_close_that_comes_second_still_wins(state: State) -> None:
    """The peer's close is taken first, ours in the same tick: one record, no dial."""
    rig = Rig(Retry(0.0)).put(state)
    rig.lost(KICKED)
    rig.close()
    assert rig.state is State.CLOSED
    assert len([change for change in rig.changes if change.close is not None]) == 1
    assert not rig.dials


@pytest.mark.spec("B4.1", "B4.5", "B5")
@pytest.mark.parametrize("wish", Wish)
@pytest.mark.parametrize("answer", [Retry(0), None, ValueError("x")], ids=str)
def test_a_policy_error_closes_whatever_was_wished(wish: Wish, answer: object) -> None:
    rig = Rig(answer).put(State.CLOSING)
    rig.do(Ask(wish))
    rig.lost(KICKED)
    change = rig.changes[-1]
    assert change.current is State.CLOSED
    assert change.rule == POLICY_ERROR
    assert change.error is not None
    assert not rig.dials


@pytest.mark.spec("B4.1", "B4.5")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN])
def test_a_policy_error_closes_a_live_connection(state: State) -> None:
    rig = Rig("nonsense").put(state)
    rig.lost(KICKED)
    assert rig.state is State.CLOSED
    assert rig.changes[-1].error is not None
    assert rig.core.deadline is None
    assert not rig.dials


def test_before_the_first_dial_there_is_no_generation() -> None:
    assert Rig().core.generation == 0
    assert Rig().connect()[-1] == Dial(1, 100.0, refresh=False, intentional=True)


@pytest.mark.spec("C4", "D4.7")
@pytest.mark.parametrize(
    ("state", "guard", "event", "intentional"),
    [
        (State.CLOSED, Guard.HELD, Ask(Wish.CONNECT), True),
        (State.BACKOFF, Guard.HELD, Ask(Wish.CONNECT), True),
        (State.BACKOFF, Guard.HELD, Reconnect(), True),
        (State.BACKOFF, Guard.HELD, Hint(), False),
        (State.BACKOFF, Guard.HELD, Expired(102.0), False),
        (State.PASSIVE, Guard.HELD, Hint(), False),
        (State.PASSIVE, Guard.HELD, Ask(Wish.CONNECT), True),
        (State.PASSIVE, Guard.SUSPENDED, Reconnect(), True),
    ],
)
def test_a_dial_says_whether_the_application_asked_for_it(
    state: State, guard: Guard, event: Event, intentional: bool
) -> None:
    rig = Rig(Stop()).put(state, guard=guard)
    rig.do(event, after=2.0)
    assert [each.intentional for each in rig.dials] == [intentional]


@pytest.mark.spec("D4.8")
@pytest.mark.parametrize("later", [Ask(Wish.CONNECT), Reconnect()])
def test_the_dial_that_follows_a_close_was_asked_for(later: Event) -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.close()
    rig.do(later)
    rig.lost()
    assert [each.intentional for each in rig.dials] == [True]


@pytest.mark.spec("D4.8", "D4.11")
def test_what_is_left_counts_unless_it_was_planned_and_a_plan_is_for_one_generation() -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.do(Reconnect(planned=True))
    rig.lost()
    assert rig.core.run.attempt == 0
    rig.opened()
    rig.close()
    rig.do(Reconnect())
    rig.lost()
    assert rig.core.run.attempt == 1


@pytest.mark.spec("D4.8")
def test_what_is_closed_and_left_for_another_before_it_was_stable_counts() -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.close()
    rig.do(Reconnect())
    rig.lost()
    assert rig.core.run.attempt == 1


@pytest.mark.spec("D1.2")
@pytest.mark.parametrize("later", [[], [Ask(Wish.CONNECT)], [Reconnect(), Ask(Wish.CLOSE)]])
def test_what_is_closed_for_good_or_to_start_afresh_is_no_failure(later: list[Event]) -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.close()
    for event in later:
        rig.do(event)
    rig.lost()
    assert rig.policy.asked[-1][1].attempt == 0


@pytest.mark.spec("D4.5")
@pytest.mark.parametrize("now", [0.25, 100.0])
def test_a_connect_after_a_close_dials_at_once_on_every_clock(now: float) -> None:
    rig = Rig(Stop())
    rig.now = now
    rig.connect()
    rig.close()
    rig.connect()
    rig.lost()
    assert [each.not_before for each in rig.dials] == [now, now]


@pytest.mark.spec("B4")
@pytest.mark.parametrize("last", [None, Reconnect()])
def test_an_interruption_of_a_policy_changes_nothing(last: Event | None) -> None:
    rig = Rig(KeyboardInterrupt()).put(State.OPEN)
    if last is not None:
        rig.do(last)
    before = snapshot(rig.core)
    with pytest.raises(KeyboardInterrupt):
        rig.lost()
    assert snapshot(rig.core) == before


@pytest.mark.spec("F5")
def test_the_change_that_ends_a_dial_tells_how_long_it_waited_and_no_other_does() -> None:
    rig = Rig(Retry(2.0))
    rig.connect()
    rig.do(Wait(1), 3.0)
    rig.opened(after=1.0)
    rig.lost(after=1.0)
    rig.expire()
    rig.do(Wait(2), 4.0)
    rig.lost(after=1.0)
    told = [(each.current, each.waited) for each in rig.changes]
    assert told == [
        (State.CONNECTING, 0.0),
        (State.OPEN, 3.0),
        (State.BACKOFF, 0.0),
        (State.CONNECTING, 0.0),
        (State.BACKOFF, 4.0),
    ]
