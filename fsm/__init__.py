"""What may happen: states, triggers, the table, the machine, and the sans-I/O core.

Pure: no asyncio, no clock, no randomness, no logging, no I/O. `recloser.fsm.machine` and
`recloser.fsm.core`, which load the `transitions` library, are imported by their own names.
"""

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import (
    Context,
    Decision,
    Hold,
    Phase,
    Policy,
    Retry,
    Stop,
    Unsent,
)
from recloser.fsm.errors import (
    ConcurrentReceive,
    ConnectionClosed,
    IllegalTrigger,
    NotOpen,
    PolicyError,
    RecloserError,
    SessionClosed,
    Unauthorized,
    WrongLoop,
)
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import Guard, State, Trigger, Wish
from recloser.fsm.table import IGNORED, TABLE, Ignored, Row
from recloser.fsm.timeouts import Timeouts

__all__ = [
    "IGNORED",
    "TABLE",
    "Cause",
    "Close",
    "ConcurrentReceive",
    "ConnectionClosed",
    "Context",
    "Decision",
    "Guard",
    "Hold",
    "Ignored",
    "IllegalTrigger",
    "NotOpen",
    "Origin",
    "Phase",
    "Policy",
    "PolicyError",
    "RecloserError",
    "Retry",
    "Row",
    "SessionClosed",
    "State",
    "StateChange",
    "Stop",
    "Timeouts",
    "Trigger",
    "Unauthorized",
    "Unsent",
    "Wish",
    "WrongLoop",
]
