"""`BudgetFile`: the dials of a budget in a SQLite file, for all processes of a machine."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Final

from recloser import private_file
from recloser.fsm.budget import Allowance, wait_for_budget

_PATIENCE: Final = 1.0
"""Seconds for which a dial waits for another process that writes the file."""
_APPLICATION: Final = 0x72636C62
"""What SQLite calls the application id of the file: whose it is."""
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS dials "
    "(owner TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (owner, number))"
)


class BudgetFile:
    """A `BudgetStore` that is a file; made for this user alone if it is not there.

    Raises `OSError` for a file that cannot be opened, or belongs to something else.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            private_file.make(path)
        except OSError as error:
            raise OSError(f"{path} cannot be used as a budget: {error.strerror}") from error
        try:
            with closing(self._open()) as file, file:
                file.execute("BEGIN IMMEDIATE")
                self._prepare(file)
        except sqlite3.Error as error:
            raise OSError(f"{path} cannot be used as a budget: {error}") from error

    @property
    def name(self) -> str:
        """The path of the file."""
        return self._path

    async def spend(
        self,
        owner: str,
        dials: Mapping[int, float],
        own: Sequence[float],
        allowances: Sequence[Allowance],
    ) -> tuple[Sequence[float], bool]:
        """Keep dials in a thread, and say whether the last of them may start."""
        try:
            return await asyncio.to_thread(self._write, owner, dials, own, allowances)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    def _write(
        self,
        owner: str,
        dials: Mapping[int, float],
        own: Sequence[float],
        allowances: Sequence[Allowance],
    ) -> tuple[list[float], bool]:
        number, now = max(dials.items())
        longest = max(each.seconds for each in allowances)
        with closing(self._open()) as file, file:
            file.execute("BEGIN IMMEDIATE")
            self._prepare(file)
            file.execute("DELETE FROM dials WHERE at <= ?", (now - longest,))
            found = file.execute("SELECT at FROM dials WHERE owner != ?", (owner,))
            others = sorted(at for (at,) in found)
            granted = wait_for_budget(allowances, sorted((*others, *own)), now) <= 0
            file.executemany(
                "INSERT OR IGNORE INTO dials VALUES (?, ?, ?)",
                [(owner, key, at) for key, at in dials.items() if granted or key != number],
            )
        return others, granted

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)

    def _prepare(self, file: sqlite3.Connection) -> None:
        [owner] = file.execute("PRAGMA application_id").fetchone()
        if owner == _APPLICATION:
            return
        [tables] = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables:
            raise OSError(
                f"{self._path} belongs to something else: give the budget a file of its own"
            )
        file.execute(f"PRAGMA application_id = {_APPLICATION}")
        file.execute(_TABLE)
