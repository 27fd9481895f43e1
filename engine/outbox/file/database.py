"""The file of a durable outbox: its schema, its messages, and the checks."""

import os
import sqlite3
import time
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Final

from recloser import private_file
from recloser.outbox.errors import (
    OutboxDamaged,
    OutboxForeign,
    OutboxInUse,
    OutboxNotSaved,
    OutboxUnusable,
)
from recloser.outbox.file import fork
from recloser.outbox.file.statements import NO_RANGE, MarkedRange, Statements, put
from recloser.outbox.file.stored_message import COLUMNS, StoredMessage

APPLICATION: Final = 0x52434C52
"""`application_id` of the file, "RCLR": SQLite's means to tell files apart."""
VERSION: Final = 4
"""`user_version` of the file; any other is refused."""

_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE message (
    number INTEGER PRIMARY KEY, -- the order; never used again
    id, -- what acknowledges it
    key,
    data NOT NULL, -- TEXT or BLOB, as it was sent
    expires_at REAL, -- seconds since the epoch: a monotonic clock ends with its machine
    deliveries INTEGER NOT NULL,
    suspect INTEGER NOT NULL, -- 1: the peer refused this message or another one
    checksum INTEGER NOT NULL -- of all but the deliveries: SQLite has none of its own
);
CREATE TABLE numbers ( -- one row
    removed INTEGER NOT NULL, -- the highest one whose message was removed
    reserved INTEGER NOT NULL, -- no higher one was ever used; the highest used one once closed
    low INTEGER NOT NULL, -- from here up to the high one, the deliveries are those of this row
    high INTEGER NOT NULL,
    deliveries INTEGER NOT NULL
);
INSERT INTO numbers VALUES (0, 0, {NO_RANGE.low}, {NO_RANGE.high}, {NO_RANGE.deliveries});
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 - of constants

ROWS: Final = f"SELECT {COLUMNS} FROM message ORDER BY number"  # noqa: S608 - of constants


_USED: Final = "max(removed, (SELECT ifnull(max(number), 0) FROM message))"
_HIGHEST: Final = "SELECT ifnull(max(number), 0) FROM message"
_LAST: Final = f"SELECT {_USED} FROM numbers"  # noqa: S608 - of constants
_RESERVED: Final = "SELECT reserved FROM numbers"
_MARKED: Final = "SELECT low, high, deliveries FROM numbers"
_RESERVE: Final = "UPDATE numbers SET reserved = ?"
_RETURN: Final = f"UPDATE numbers SET reserved = {_USED}"  # noqa: S608 - of constants
_BLOCK: Final = 1024
"""Numbers that are reserved at a time: one write in so many has a second table to change."""
CHECKED: Final = 1024
"""Pages that SQLite checks when the file is opened, in 5 ms. A larger file is checked later, by
`check`: it would keep the event loop waiting."""
LOOK: Final = 1.0
"""Seconds after which a write looks again whether the file is still at its path."""


class Database:
    """An open outbox file; no other process can open it meanwhile.

    Raises `OutboxUnusable` or one of its kinds; the file has not changed then.
    """

    __slots__ = (
        *("__weakref__", "_identity", "_look_at", "_reserved"),
        *("checked", "connection", "marked", "path"),
    )

    def __init__(self, path: str, *, fsync: bool) -> None:
        self.path: str = path
        self.checked: bool = False
        """Whether SQLite has found no damage to its structure."""
        try:
            # Messages may be secret, and SQLite would ask the umask. Its log takes after the file.
            private_file.make(path)
        except OSError as error:
            raise OutboxUnusable(path, f"cannot be made ({error.strerror})") from error
        try:
            # Opened here and written to by another thread, never by both at once.
            self.connection: sqlite3.Connection = sqlite3.connect(
                path, timeout=0, check_same_thread=False, isolation_level=None
            )
        except sqlite3.Error as error:
            raise named(path, error) from error
        fork.inherited.add(self)
        try:
            self._prepare(fsync=fsync)
            self._reserved: int = self._number(_RESERVED)
            self.marked: MarkedRange = self._range()
            """The messages whose deliveries are not those of their rows."""
            self._identity = _identity(path)
            self._look_at = 0.0
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self, *, fsync: bool) -> None:
        run = self.connection.execute
        try:
            # The lock is held until the end, and there is no third file with shared memory.
            run("PRAGMA locking_mode = EXCLUSIVE")
            run("BEGIN IMMEDIATE")
            [application], [version] = run("PRAGMA application_id"), run("PRAGMA user_version")
            [tables] = run("SELECT count(*) FROM sqlite_schema")
            run("COMMIT")
            if tables != (0,) or application != (0,):
                self._check(application[0], version[0])
            run("PRAGMA journal_mode = WAL")
            # NORMAL survives a killed process; FULL waits for the disk, and survives a power cut.
            run(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
            if tables == (0,):
                self.connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise named(self.path, error) from error
        except UnicodeDecodeError as error:  # what SQLite says of a schema quotes it
            raise unreadable(self.path, error) from error

    def _check(self, application: int, version: int) -> None:
        if application != APPLICATION:
            raise OutboxForeign(self.path, "is not an outbox of recloser")
        if version != VERSION:
            raise OutboxForeign(
                self.path, f"has schema version {version}, and this recloser knows {VERSION}"
            )
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        if pages <= CHECKED:
            self.check()

    def check(self) -> None:
        """Have SQLite look for damage to its structure, unless it has; raises `OutboxDamaged`."""
        if self.checked:
            return
        try:
            [first] = self.connection.execute("PRAGMA quick_check(1)")
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from error
        if first != ("ok",):
            raise OutboxDamaged(self.path, f"is damaged ({first[0]})")
        self.checked = True

    def rows(self) -> list[StoredMessage]:
        """Return its messages, in order."""
        self.check()
        return list(self.select(ROWS))

    def select(self, query: str, *values: int) -> Generator[StoredMessage]:
        """Yield the messages of a query for `COLUMNS`; close it if not all are taken."""
        try:
            # Closed, or the error would keep it, and it the file: see `sqlite3_close_v2`.
            with closing(self.connection.execute(query, values)) as found:
                for each in found:
                    row = StoredMessage.unsealed(*each)
                    if row.number in self.marked:
                        row = row._replace(deliveries=self.marked.deliveries)
                    yield row
        except (sqlite3.Error, ValueError) as error:
            raise unreadable(self.path, error) from error

    def last(self) -> int:
        """Return the highest number that was ever used."""
        return self._number(_LAST)

    def highest(self) -> int:
        """Return the highest number of a message; 0 if there is none."""
        return self._number(_HIGHEST)

    def _number(self, query: str) -> int:
        try:
            [[found]] = self.connection.execute(query)
            return int(found)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise unreadable(self.path, error) from error

    def _range(self) -> MarkedRange:
        try:
            [found] = self.connection.execute(_MARKED)
            return MarkedRange(*map(int, found))
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise unreadable(self.path, error) from error

    def write(
        self, rows: Collection[StoredMessage], marked: Mapping[int, int], removed: Collection[int]
    ) -> None:
        """Write rows, set deliveries by number, and remove numbers, in one transaction."""
        if time.monotonic() >= self._look_at:
            self._look()
        if len(rows) == 1 and not marked and not removed:
            [row] = rows
            # By far the most frequent one.
            if row.number <= self._reserved and row.number not in self.marked:
                self._write_one(row)
                return
        changes, reserved = Statements(tuple(rows), marked, removed, self.marked), self._reserved
        found: Iterable[tuple[str, Sequence[object]]] = changes
        highest = max(chain((row.number for row in rows), removed), default=0)
        if highest > reserved:
            reserved = highest + _BLOCK
            found = chain([(_RESERVE, (reserved,))], changes)
        try:
            self._run(found)
        except sqlite3.Error as error:
            raise named(self.path, error) from error
        self._reserved, self.marked = reserved, changes.range

    def _look(self) -> None:
        """Raise `OutboxUnusable` if the file was removed, or another one is in its place.

        SQLite goes on writing to it, and nobody will read that.
        """
        try:
            there = _identity(self.path) == self._identity
        except OSError:  # a folder that this user may search no more, say: nobody knows
            there = True
        if not there:
            problem = "was removed or replaced while it was open, so what is written to it is lost"
            raise OutboxUnusable(self.path, problem)
        self._look_at = time.monotonic() + LOOK

    def _write_one(self, row: StoredMessage) -> None:
        try:
            self.connection.execute(put(1), row.sealed())
        except sqlite3.Error as error:
            raise named(self.path, error) from error

    def _run(self, statements: Iterable[tuple[str, Sequence[object]]]) -> None:
        run, rest = self.connection.execute, iter(statements)
        try:
            first, second = next(rest, None), next(rest, None)
            if first is not None and second is None:
                run(*first)  # a transaction of its own
            elif first is not None and second is not None:
                run("BEGIN IMMEDIATE")
                for statement in chain((first, second), rest):
                    run(*statement)
                run("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    run("ROLLBACK")
            raise

    def close(self) -> None:
        """Release the file. The content of SQLite's log goes into it."""
        if self.connection.total_changes:
            with suppress(sqlite3.Error):  # then more stays reserved, as after a kill
                self.connection.execute(_RETURN)
        fork.inherited.discard(self)
        self.connection.close()

    def leave(self) -> None:
        """Leave the file to the process that this one was forked from."""
        fork.keep(self.connection)


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from every other one that exists; None if there is none."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def named(path: str, error: Exception) -> OutboxUnusable:
    """Return the outbox error for an error of SQLite."""
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return OutboxInUse(path, "is in use")
    if name.startswith("SQLITE_NOTADB"):
        return OutboxForeign(path, "is not an outbox of recloser")
    if name.startswith("SQLITE_CORRUPT"):
        return OutboxDamaged(path, f"is damaged ({error})")
    if name.startswith(("SQLITE_READONLY", "SQLITE_IOERR_LOCK")):  # the latter at opening it
        return OutboxUnusable(path, f"cannot be written ({error})")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return OutboxNotSaved(path, f"cannot be written ({error})")
    return OutboxUnusable(path, f"cannot be used ({error})")


def unreadable(path: str, error: Exception) -> OutboxUnusable:
    """Return the outbox error for an error in reading a file that is an outbox."""
    problem = named(path, error)
    if type(problem) is not OutboxUnusable:
        return problem
    return OutboxDamaged(path, f"is damaged ({error})")


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file: a change of directory does not move it."""
    return str(Path(path).absolute())
