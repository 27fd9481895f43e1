"""The file of a durable outbox: its schema, its messages, their changes, and the checks."""

import os
import sqlite3
from collections.abc import Collection, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from zlib import crc32

from recloser import private_file
from recloser.outbox.errors import (
    OutboxDamaged,
    OutboxForeign,
    OutboxInUse,
    OutboxNotSaved,
    OutboxUnusable,
)
from recloser.outbox.file import fork
from recloser.outbox.message import Id

APPLICATION: Final = 0x52434C52
"""`application_id` of the file, "RCLR": SQLite's means to tell files apart."""
VERSION: Final = 3
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
    reserved INTEGER NOT NULL -- no higher one was ever used; the highest used one once closed
);
INSERT INTO numbers VALUES (0, 0);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 - of constants

COLUMNS: Final = "number, id, key, data, expires_at, deliveries, suspect, checksum"
ROWS: Final = f"SELECT {COLUMNS} FROM message ORDER BY number"  # noqa: S608 - of constants


_USED: Final = "max(removed, (SELECT ifnull(max(number), 0) FROM message))"
_HIGHEST: Final = "SELECT ifnull(max(number), 0) FROM message"
_LAST: Final = f"SELECT {_USED} FROM numbers"  # noqa: S608 - of constants
_REMOVED: Final = "UPDATE numbers SET removed = max(removed, ?)"
_RESERVED: Final = "SELECT reserved FROM numbers"
_RESERVE: Final = "UPDATE numbers SET reserved = ?"
_RETURN: Final = f"UPDATE numbers SET reserved = {_USED}"  # noqa: S608 - of constants
_BLOCK: Final = 1024
"""Numbers that are reserved at a time: one write in so many has a second table to change."""
_MARK_RANGE: Final = "UPDATE message SET deliveries = ? WHERE number BETWEEN ? AND ?"
_REMOVE_RANGE: Final = "DELETE FROM message WHERE number BETWEEN ? AND ?"
_GROUP: Final = 64
"""Rows of one statement at most that are no range: the interpreter's lock is taken anew for each
statement, which can take 5 ms while the event loop is busy."""
_RANGE: Final = 8
"""Numbers from which on an unbroken range is a statement of its own."""

CHECKED: Final = 1024
"""Pages that SQLite checks when the file is opened, in 5 ms. A larger file is checked later, by
`check`: it would keep the event loop waiting."""

T = TypeVar("T")


@cache
def put(count: int) -> str:
    """Return the statement that writes so many rows, of `StoredMessage.sealed` values each."""
    row = f"({', '.join('?' * len(COLUMNS.split(',')))})"
    return (
        f"INSERT INTO message ({COLUMNS}) VALUES {', '.join([row] * count)}"  # noqa: S608 - of constants
        # All that the checksum is of and may differ: the wall clock may be set, and an id given.
        " ON CONFLICT (number) DO UPDATE SET id = excluded.id, checksum = excluded.checksum,"
        " expires_at = excluded.expires_at, deliveries = excluded.deliveries,"
        " suspect = excluded.suspect"
    )


@cache
def mark(count: int) -> str:
    """Return the statement that sets the deliveries, its first value, of so many numbers."""
    return f"UPDATE message SET deliveries = ? WHERE number IN ({', '.join('?' * count)})"  # noqa: S608 - of constants


@cache
def remove(count: int) -> str:
    """Return the statement that removes so many numbers."""
    return f"DELETE FROM message WHERE number IN ({', '.join('?' * count)})"  # noqa: S608 - of constants


class StoredMessage(NamedTuple):
    """A message as the file has it."""

    number: int
    id: Id | None
    key: Hashable
    data: str | bytes
    expires_at: float | None
    """Seconds since the epoch; None: never."""
    deliveries: int
    suspect: int = 0
    """1 for a message of several of which the peer refused one."""

    @property
    def size(self) -> int:
        """Bytes, text as UTF-8."""
        data = self.data
        return len(data.encode()) if isinstance(data, str) and not data.isascii() else len(data)

    def sealed(self) -> tuple[object, ...]:
        """Return the values of a row of `COLUMNS`: the message and its checksum."""
        return (*self, self._checksum())

    @classmethod
    def unsealed(cls, *values: Any) -> "StoredMessage":
        """Make a row of `COLUMNS`; raises `ValueError` if its checksum is wrong."""
        row = cls(*values[:-1])
        whole = isinstance(row.data, str | bytes) and isinstance(row.deliveries, int)
        if not whole or values[-1] != row._checksum():
            raise ValueError(f"message {row.number} is not as it was written")
        return row

    def _checksum(self) -> int:
        number, own, key, data, expires_at, _, suspect = self
        kind, encoded = (b"str", data.encode()) if isinstance(data, str) else (b"bytes", data)
        if own is None and key is None and expires_at is None:  # the same, in half the time
            return crc32(encoded, crc32(b"%d None None %b None %d" % (number, kind, suspect)))
        facts = f"{number} {own!r} {key!r} {kind.decode()} {expires_at!r} {suspect}"
        return crc32(encoded, crc32(facts.encode()))


def plain_checksums(
    numbers: Iterable[int], owns: Iterable[Id | None], kinds: Iterable[bytes], data: Iterable[bytes]
) -> list[int]:
    """Return the checksums of rows without key, end and suspicion, column by column."""
    heads = [b"%d %a None %b None 0" % each for each in zip(numbers, owns, kinds, strict=True)]
    return list(map(crc32, data, map(crc32, heads)))


def statements(
    rows: Sequence[StoredMessage], marked: Mapping[int, int], removed: Collection[int]
) -> Iterator[tuple[str, Sequence[object]]]:
    """Give the statements that write rows, set deliveries by number, and remove numbers."""
    for group in _groups(rows):
        yield put(len(group)), [value for row in group for value in row.sealed()]
    for deliveries in sorted(set(marked.values())):
        ranges, others = _ranges(n for n, times in marked.items() if times == deliveries)
        for low, high in ranges:
            yield _MARK_RANGE, (deliveries, low, high)
        for numbers in _groups(others):
            yield mark(len(numbers)), (deliveries, *numbers)
    if removed:
        yield _REMOVED, (max(removed),)
    ranges, others = _ranges(removed)
    for low, high in ranges:
        yield _REMOVE_RANGE, (low, high)
    for numbers in _groups(others):
        yield remove(len(numbers)), numbers


def _groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut into groups of few lengths, so that SQLite knows each statement from before."""
    at, length = 0, _GROUP
    while at < len(items):
        while length > len(items) - at:
            length //= 2
        yield items[at : at + length]
        at += length


def _ranges(numbers: Iterable[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Find the long unbroken ranges of some numbers: first and last of each, and the others."""
    ranges: list[tuple[int, int]] = []
    others: list[int] = []
    ordered = sorted(numbers)
    first = 0
    for at, number in enumerate(ordered):
        if at + 1 < len(ordered) and ordered[at + 1] == number + 1:
            continue
        if at - first >= _RANGE:
            ranges.append((ordered[first], number))
        else:
            others += ordered[first : at + 1]
        first = at + 1
    return ranges, others


class Database:
    """An open outbox file; no other process can open it meanwhile.

    Raises `OutboxUnusable` or one of its kinds; the file has not changed then.
    """

    __slots__ = ("__weakref__", "_reserved", "checked", "connection", "path")

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
                for row in found:
                    yield StoredMessage.unsealed(*row)
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

    def write(
        self, rows: Collection[StoredMessage], marked: Mapping[int, int], removed: Collection[int]
    ) -> None:
        """Write rows, set deliveries by number, and remove numbers, in one transaction."""
        if len(rows) == 1 and not marked and not removed:
            [row] = rows
            if row.number <= self._reserved:  # by far the most frequent one
                self._write_one(row)
                return
        found, reserved = statements(tuple(rows), marked, removed), self._reserved
        highest = max(chain((row.number for row in rows), removed), default=0)
        if highest > reserved:
            reserved = highest + _BLOCK
            found = chain([(_RESERVE, (reserved,))], found)
        try:
            self._run(found)
        except sqlite3.Error as error:
            raise named(self.path, error) from error
        self._reserved = reserved

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
