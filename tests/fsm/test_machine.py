"""The live machine is the table, and firing anything else raises and changes nothing."""

import logging
from dataclasses import dataclass
from itertools import product

import pytest

from recloser.diagram.picture import live_rows
from recloser.fsm.errors import IllegalTrigger
from recloser.fsm.machine import GUARDS, MACHINE, fire
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, TABLE


@dataclass(slots=True)
class Model:
    """Nothing but what the machine needs: it is never registered."""

    state: State
    guard: Guard | None


def _holds(wanted: Guard | None, present: Guard | None) -> bool:
    return wanted is None or wanted is present


@pytest.mark.spec("K5.1")
@pytest.mark.parametrize(
    ("state", "trigger", "guard"), [*product(State, Trigger, [None, *Guard])], ids=str
)
def test_every_state_trigger_and_guard(state: State, trigger: Trigger, guard: Guard | None) -> None:
    rows = [
        row
        for row in TABLE
        if (row.source, row.trigger) == (state, trigger) and _holds(row.guard, guard)
    ]
    ignored = [
        each
        for each in IGNORED
        if (each.source, each.trigger) == (state, trigger) and _holds(each.guard, guard)
    ]
    assert len(rows) + len(ignored) <= 1
    for _ in range(2):  # the machine's answer is kept from the first time on
        model = Model(state, guard)
        if rows:
            assert fire(model, trigger) is True
            assert model.state is (rows[0].target or state)
        elif ignored:
            assert fire(model, trigger) is False
            assert model.state is state
        else:
            with pytest.raises(IllegalTrigger) as caught:
                fire(model, trigger)
            assert (caught.value.state, caught.value.trigger) == (state, trigger)
            assert model.state is state
        assert model.guard is guard


def test_the_live_machine_reads_back_as_the_table() -> None:
    live = live_rows()
    assert len(live) == len(TABLE)
    assert set(live) == set(TABLE)


def test_the_machine_is_built_as_measured() -> None:
    """No auto transitions, no queue, no registered model, and no callback but guards."""
    assert list(MACHINE.events) == list(dict.fromkeys(row.trigger.value for row in TABLE))
    assert MACHINE.models == []
    assert MACHINE.has_queue is False
    assert MACHINE.initial == State.CLOSED.name
    for each in MACHINE.get_transitions():
        assert each.prepare + each.before + each.after == []
        assert {condition.func for condition in each.conditions} <= set(GUARDS.values())
        assert all(condition.target is True for condition in each.conditions)
    for state in MACHINE.states.values():
        assert state.on_enter + state.on_exit == []


@pytest.mark.spec("I8")
def test_a_change_leaves_no_line_of_the_library_beneath(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    model = Model(State.CLOSED, None)
    assert fire(model, Trigger.CONNECT)
    assert caplog.records == []
