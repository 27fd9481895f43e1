"""The rules of what may happen: states, triggers, the table, the machine, the core without I/O.

Pure: no asyncio, no clock, no randomness, no logging, no I/O. `recloser.fsm.machine` and
`recloser.fsm.core`, which load the `transitions` library, are imported by their own names.

A name loads when it is first used (PEP 562): a diagram loads the machine, and no record.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recloser.fsm.change import StateChange
    from recloser.fsm.decisions import (
        Context,
        Decision,
        Hold,
        Phase,
        Policy,
        Retry,
        Session,
        Stop,
        Unsent,
    )
    from recloser.fsm.errors import (
        ConnectionClosed,
        IllegalTrigger,
        PolicyError,
        RecloserError,
    )
    from recloser.fsm.record import Cause, Close, Origin
    from recloser.fsm.states import Guard, State, Trigger, Wish
    from recloser.fsm.table import IGNORED, TABLE, Ignored, Row
    from recloser.fsm.timeouts import Timeouts

_HOMES = {
    "IGNORED": "table",
    "TABLE": "table",
    "Cause": "record",
    "Close": "record",
    "ConnectionClosed": "errors",
    "Context": "decisions",
    "Decision": "decisions",
    "Guard": "states",
    "Hold": "decisions",
    "Ignored": "table",
    "IllegalTrigger": "errors",
    "Origin": "record",
    "Phase": "decisions",
    "Policy": "decisions",
    "PolicyError": "errors",
    "RecloserError": "errors",
    "Retry": "decisions",
    "Row": "table",
    "Session": "decisions",
    "State": "states",
    "StateChange": "change",
    "Stop": "decisions",
    "Timeouts": "timeouts",
    "Trigger": "states",
    "Unsent": "decisions",
    "Wish": "states",
}

__all__ = [
    "IGNORED",
    "TABLE",
    "Cause",
    "Close",
    "ConnectionClosed",
    "Context",
    "Decision",
    "Guard",
    "Hold",
    "Ignored",
    "IllegalTrigger",
    "Origin",
    "Phase",
    "Policy",
    "PolicyError",
    "RecloserError",
    "Retry",
    "Row",
    "Session",
    "State",
    "StateChange",
    "Stop",
    "Timeouts",
    "Trigger",
    "Unsent",
    "Wish",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

        raise UnknownName(__name__, name, __all__)
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
