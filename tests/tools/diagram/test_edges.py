"""The edges are those of the live machine, in one order."""

from recloser.diagram.edges import edges
from recloser.fsm.machine import GUARDS, MACHINE
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import TABLE, Row


def test_edges_are_sorted_by_the_enums() -> None:
    def place(row: Row) -> tuple[int, int, int]:
        guard = -1 if row.guard is None else list(Guard).index(row.guard)
        return list(State).index(row.source), list(Trigger).index(row.trigger), guard

    assert edges() == sorted(TABLE, key=place)


def test_they_are_read_from_the_machine_and_not_from_the_table() -> None:
    extra = Row(State.CLOSED, Trigger.RETRY, Guard.STOP, State.PASSIVE)
    MACHINE.add_transition("retry", State.CLOSED, State.PASSIVE, conditions=GUARDS[Guard.STOP])
    try:
        assert set(edges()) - set(TABLE) == {extra}
    finally:
        del MACHINE.events["retry"].transitions[State.CLOSED.name]
    assert extra not in edges()
