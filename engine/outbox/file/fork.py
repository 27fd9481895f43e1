"""A process that was forked leaves each open outbox file to the process that it was forked from.

SQLite keeps in memory what it has locked, and a fork copies that. To close the copy would remove
the log under the hands of the process that goes on with the file, and messages that it had accepted
would be lost when it is killed.
"""

import os
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    import sqlite3


class Inherited(Protocol):
    """What belongs to the parent in a process that was forked."""

    def leave(self) -> None:
        """Leave it to the parent: called once, in the child."""
        ...


inherited: Final[WeakSet[Inherited]] = WeakSet()
"""What `leave` is called of after a fork."""


def keep(connection: "sqlite3.Connection") -> None:
    """Have a connection never closed, not even by the end of the interpreter."""
    import ctypes  # noqa: PLC0415 - few processes fork, and it takes milliseconds

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _forked() -> None:
    for each in tuple(inherited):
        each.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
