"""The edges of the live machine, in the order of the enums."""

from typing import Final

from recloser.fsm.machine import GUARDS, MACHINE
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import Row

_GUARDS: Final[dict[object, Guard]] = {test: guard for guard, test in GUARDS.items()}


def edges() -> list[Row]:
    """Read every transition of the machine that engines run on, as rows.

    From the machine and not from the table: a picture shows what will happen.
    """
    found = []
    for trigger in Trigger:
        for each in MACHINE.get_transitions(trigger.value):
            guards = [_GUARDS[condition.func] for condition in each.conditions]
            guard = guards[0] if guards else None
            target = None if each.dest is None else State[each.dest]
            found.append(Row(State[each.source], trigger, guard, target))
    return sorted(found, key=_order)


def _order(row: Row) -> tuple[int, int, int]:
    guard = -1 if row.guard is None else list(Guard).index(row.guard)
    return list(State).index(row.source), list(Trigger).index(row.trigger), guard
