"""What is kept for a connection that is not there: the outbox, its options and its reports.

What needs a file loads when it is used (PEP 562): without one, SQLite is not loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recloser.outbox.acknowledgements import Acknowledgements, UpTo
from recloser.outbox.drops import Drop, Reason
from recloser.outbox.held import Held
from recloser.outbox.message import Message
from recloser.outbox.options import Outbox

if TYPE_CHECKING:
    from recloser.outbox.salvaging import Salvaged, salvage

__all__ = [
    "Acknowledgements",
    "Drop",
    "Held",
    "Message",
    "Outbox",
    "Reason",
    "Salvaged",
    "UpTo",
    "salvage",
]


def __getattr__(name: str) -> Any:
    if name not in ("Salvaged", "salvage"):
        raise AttributeError(f"module 'recloser.outbox' has no attribute {name!r}")
    value = getattr(import_module("recloser.outbox.salvaging"), name)
    globals()[name] = value
    return value
