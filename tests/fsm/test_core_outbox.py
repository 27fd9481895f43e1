"""Each change states the number of messages in the outbox, and counts none twice."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Hold, Retry, Stop, Unsent
from recloser.fsm.errors import IllegalTrigger, PolicyError
from recloser.fsm.events import (
    Advise,
    Ask,
    Event,
    Expired,
    Healthy,
    Hint,
    Lost,
    Move,
    Opened,
    Reconnect,
)
from recloser.fsm.states import Guard, State, Trigger, Wish
from recloser.fsm.table import TABLE
from tests.fsm.rig import CUT, LIVE, Rig

ANSWERS = (
    Retry(2.0),
    Retry(2.0, unsent=Unsent.DROP),
    Hold(unsent=Unsent.DROP),
    Stop(),
    "nonsense",
    ValueError(),
)
"""The fate of the messages is the driver's to carry out: the record counts them in any case."""

PLACES: dict[str, Callable[[Rig], Rig]] = {
    **{state.value: lambda rig, state=state: rig.put(state) for state in State},  # type: ignore[misc]  # the default binds the loop's state
    "held": lambda rig: rig.put(State.PASSIVE, guard=Guard.HELD),
    "closing, then suspend": lambda rig: after(rig.put(State.CLOSING), Ask(Wish.SUSPEND)),
    "closing, then connect": lambda rig: after(rig.put(State.CLOSING), Ask(Wish.CONNECT)),
}
"""Every state, and the ways to be in it that differ."""

HELD = (0, 1, 5)
LEAVING = (0, 3)


def after(rig: Rig, event: Event) -> Rig:
    rig.do(event)
    return rig


def events(rig: Rig, trigger: Trigger, leaving: int) -> list[Event]:
    """What makes a core fire this trigger; `leaving` is what the wire says may not have left."""
    core = rig.core
    match trigger:
        case Trigger.CONNECT:
            return [Ask(Wish.CONNECT)]
        case Trigger.CLOSE:
            return [Ask(Wish.CLOSE)]
        case Trigger.SUSPEND:
            return [Ask(Wish.SUSPEND)]
        case Trigger.WAKE:
            return [Hint()]
        case Trigger.MOVE:
            return [Move()]
        case Trigger.FAILED:
            return [] if core.successor is None else [Lost(core.successor, CUT)]
        case Trigger.OPENED:
            return [Opened(core.generation)]
        case Trigger.LOST:
            ended: list[Event] = [Lost(core.generation, replace(CUT, unsent=leaving))]
            if core.state in (State.CONNECTING, State.CLOSING) and core.deadline is not None:
                ended.append(Expired(core.deadline, unsent=leaving))
            return ended
        case Trigger.RETRY | Trigger.STABLE:
            meant = State.BACKOFF if trigger is Trigger.RETRY else State.OPEN
            due = core.deadline if core.state is meant else None
            return [] if due is None else [Expired(due)]


def check(rig: Rig, change: StateChange, held: int, leaving: int) -> None:
    """The law: what ended with a generation is counted with what waits, everywhere alike."""
    if change.trigger is Trigger.LOST:
        assert change.close is not None
        asked, context = rig.policy.asked[-1]
        assert asked == change.close
        assert context == change.context
        assert change.unsent == change.close.unsent == held + leaving
        if isinstance(change.error, PolicyError):
            assert change.error.close.unsent == held + leaving
    else:
        assert change.close is None
        assert change.unsent == held


@pytest.mark.spec("G5.4", "I1.1", "K5.1")
@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("place", PLACES)
def test_every_change_tells_what_has_not_left(place: str, trigger: Trigger) -> None:
    for answer, held, leaving in product(ANSWERS, HELD, LEAVING):
        for which in range(len(events(PLACES[place](Rig(answer)), trigger, leaving))):
            rig = PLACES[place](Rig(answer))
            rig.core.held = held
            rig.effects.clear()
            try:
                rig.do(events(rig, trigger, leaving)[which])
            except IllegalTrigger:
                assert rig.effects == []
            assert len(rig.changes) <= 1
            for change in rig.changes:
                assert change.trigger is trigger
                check(rig, change, held, leaving)
            assert rig.core.held == held, "it is the driver's number"


@pytest.mark.spec("K5.1")
def test_every_row_of_the_table_that_changes_the_state_is_told() -> None:
    seen = set()
    for place, trigger, answer in product(PLACES.values(), Trigger, ANSWERS):
        for event in events(place(Rig(answer)), trigger, 0):
            rig = place(Rig(answer))
            rig.effects.clear()
            try:
                rig.do(event)
            except IllegalTrigger:
                continue
            seen |= {(each.previous, each.trigger, each.current) for each in rig.changes}
    assert seen == {(row.source, row.trigger, row.target) for row in TABLE if row.target}


@pytest.mark.spec("G5.4")
@pytest.mark.parametrize("state", LIVE)
def test_an_interrupted_policy_is_told_the_same_number_again(state: State) -> None:
    rig = Rig(KeyboardInterrupt()).put(state)
    rig.core.held = 4
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            rig.lost(replace(CUT, unsent=3))
    rig.policy.answer = Stop()
    rig.lost(replace(CUT, unsent=3))
    assert [close.unsent for close, _ in rig.policy.asked] == [7, 7, 7]
    assert rig.changes[-1].unsent == 7


@pytest.mark.spec("C2", "G5.4")
@pytest.mark.parametrize("state", list(State))
def test_the_end_of_an_old_generation_counts_nothing(state: State) -> None:
    rig = Rig().put(state)
    rig.core.held = 4
    assert rig.do(Lost(rig.core.generation - 1, replace(CUT, unsent=3))) == []
    assert rig.policy.asked == []
    assert rig.core.held == 4


@pytest.mark.spec("B11", "G5.4")
def test_advice_and_count_stand_side_by_side() -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.core.held = 2
    rig.do(Advise("maintenance", retry_after=30.0))
    rig.lost(replace(CUT, unsent=1))
    assert rig.changes[-1].close == replace(CUT, unsent=3, advice="maintenance", retry_after=30.0)


@pytest.mark.spec("A10", "G5.4")
def test_a_reconnect_tells_with_both_of_its_changes() -> None:
    rig = Rig(Stop()).put(State.OPEN)
    rig.core.held = 2
    rig.do(Reconnect(4000))
    rig.core.held = 5
    rig.lost(replace(CUT, unsent=1))
    told = [(each.current, each.unsent) for each in rig.changes]
    assert told == [(State.CLOSING, 2), (State.CONNECTING, 6)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([*Trigger, "reconnect", "healthy", "advise"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(ANSWERS),
    ),
    max_size=40,
)


@pytest.mark.spec("G5.4", "I1.1")
@given(STEPS)
def test_each_change_of_a_life_tells_the_number_of_its_own_moment(
    steps: list[tuple[Trigger | str, int, int, object]],
) -> None:
    rig = Rig()
    others: dict[str, Event] = {
        "reconnect": Reconnect(4000),
        "healthy": Healthy(),
        "advise": Advise("shortly"),
    }
    for name, held, leaving, answer in steps:
        rig.policy.answer = answer
        rig.core.held = held
        rig.effects.clear()
        told = [others[name]] if isinstance(name, str) else events(rig, name, leaving)[-1:]
        for event in told:
            try:
                rig.do(event, after=0.5)
            except IllegalTrigger:
                assert rig.effects == []
            for change in rig.changes:
                check(rig, change, held, leaving)
