"""The outbox: messages that wait for a connection, its options and its reports.

A name that needs a file loads when it is first used (PEP 562): without a file SQLite is not
loaded, and an engine without an outbox loads no outbox.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recloser.outbox.acknowledgements import Acknowledgements, UpTo
from recloser.outbox.errors import (
    OutboxDamaged,
    OutboxForeign,
    OutboxFull,
    OutboxInUse,
    OutboxNotSaved,
    OutboxUnusable,
)
from recloser.outbox.message import Drop, Message, Reason
from recloser.outbox.options import Outbox

if TYPE_CHECKING:
    from recloser.outbox.file.recovery import Salvaged, salvage
    from recloser.outbox.view import OutboxView

__all__ = [
    "Acknowledgements",
    "Drop",
    "Message",
    "Outbox",
    "OutboxDamaged",
    "OutboxForeign",
    "OutboxFull",
    "OutboxInUse",
    "OutboxNotSaved",
    "OutboxUnusable",
    "OutboxView",
    "Reason",
    "Salvaged",
    "UpTo",
    "salvage",
]

_LAZY = {
    "OutboxView": "recloser.outbox.view",
    "Salvaged": "recloser.outbox.file.recovery",
    "salvage": "recloser.outbox.file.recovery",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

        raise UnknownName("recloser.outbox", name, __all__)
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
