"""Recovers the readable rows of a damaged outbox file, and saves them into a new one."""

import os
import sqlite3
from collections import deque
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recloser import private_file
from recloser.outbox.errors import OutboxForeign, OutboxUnusable
from recloser.outbox.file.database import APPLICATION, VERSION, Database, absolute
from recloser.outbox.file.snapshot import snapshot
from recloser.outbox.file.statements import MarkedRange
from recloser.outbox.file.stored_message import COLUMNS, StoredMessage

_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""The errors of reading a damaged file; the latter where SQLite quotes it."""
_LARGEST: Final = 2**63 - 1
_ROWS: Final = f"SELECT {COLUMNS} FROM message WHERE number"  # noqa: S608 - of constants
_UP: Final = f"{_ROWS} BETWEEN ? AND ? ORDER BY number"
_DOWN: Final = f"{_UP} DESC"
_ONE: Final = f"{_ROWS} = ?"
_LOOKS: Final = 100_000
"""Number of attempts to find more in the damaged parts: a few seconds."""
_SKIPPED: Final = 2**32
"""Numbers that are skipped where the last is not known: a peer that remembers a number would take a
new message of that number for a double."""
_LEAST: Final = 16
"""Bytes that the shortest message takes in the file, or more."""
_LEAF: Final = 0x0D
_PAGE_SIZE, _PAGES = slice(16, 18), slice(28, 32)
"""How a page with rows of a table begins, and where a file says how long its pages are, and how
many they are: https://www.sqlite.org/fileformat2.html, parts 1.3 and 1.6."""


class RecoveryReader:
    """What can be read of the copy of a file, which is written to if that helps.

    `rows` has the rows with the right checksum, by number, and `spoilt` the numbers of the others.
    `last` is the highest number that was used, and `missing` counts the numbers between the
    damaged parts that were not found; each is None if it is not known. Raises
    `OutboxForeign`.
    """

    def __init__(self, path: str, copy: str) -> None:
        self.rows: dict[int, StoredMessage] = {}
        self.spoilt: set[int] = set()
        self._last: int | None = None
        self._reserved: int | None = None
        self._marked: MarkedRange | None = None
        self._path = path
        self._most = Path(copy).stat().st_size // _LEAST
        self._gap = range(0)
        if not self._read(copy):
            _mend(copy)  # nothing is known of it: its rows show whether it is an outbox
            if not self._read(copy) or not self.rows:
                raise OutboxForeign(path, "is not an outbox of recloser")
        self.spoilt -= self.rows.keys()

    def messages(self) -> list[StoredMessage]:
        """Return the rows in order; where nobody knows which of them were marked, all were."""
        rows = [self.rows[number] for number in sorted(self.rows)]
        marked = self._marked
        if marked is None:
            return [row._replace(deliveries=max(row.deliveries, 1)) for row in rows]
        times = marked.deliveries
        return [row._replace(deliveries=times) if row.number in marked else row for row in rows]

    @property
    def last(self) -> int | None:
        """See above."""
        return None if self._last is None else max(self._last, *self.rows, 0)

    @property
    def missing(self) -> int | None:
        """See above."""
        if not self._gap:
            return 0 if self._sound else None
        if self._last is None:
            return None
        lost = len(self._gap) - sum(number in self._gap for number in self.rows)
        return min(lost, self._most)

    def _read(self, copy: str) -> bool:
        """Read all, if the first page describes the others; return whether it does."""
        with closing(sqlite3.connect(copy)) as connection:
            self._run = connection.execute
            connection.text_factory = _text
            # Otherwise SQLite refuses a file that is shorter than it says.
            self._run("PRAGMA writable_schema = ON")
            try:
                [application] = self._run("PRAGMA application_id")
                [version] = self._run("PRAGMA user_version")
                self._run(f"EXPLAIN {_ONE}", (0,))
            except _ERRORS:
                return False
            if application != (APPLICATION,):
                return False
            if version != (VERSION,):
                text = f"has schema version {version[0]}, and this recloser knows {VERSION}"
                raise OutboxForeign(self._path, text)
            self._find_last()
            self._find_rows()
        if self._gap:
            with suppress(*_ERRORS):
                self._find_leaves(copy)
        return True

    def _find_last(self) -> None:
        with suppress(*_ERRORS):
            for row in self._run("SELECT removed, reserved, low, high, deliveries FROM numbers"):
                if all(isinstance(value, int) for value in row):
                    self._last, self._reserved, *marked = row
                    self._marked = MarkedRange(*marked)

    def _find_rows(self) -> None:
        """Read from both ends, and halve the rest until all is read or known as damaged."""
        low = self._up(1, _LARGEST)
        high = self._down(low, _LARGEST) if low <= _LARGEST else 0
        near = low + self._most
        gaps = deque([(low, high)])
        if high == _LARGEST:  # of the last messages nothing is known
            self._last = self._reserved
            high = near if self._last is None else self._last
            gaps = deque([(low, min(near, high)), (near + 1, high)])
        self._gap = range(low, high + 1)
        for _ in range(_LOOKS):
            if not gaps:
                break
            low, high = gaps.popleft()
            middle = (low + high + 1) // 2
            if low < high:
                gaps.append((self._up(middle, high), high))
                gaps.append((low, self._down(low, middle - 1)))
            elif low == high:
                self._up(low, high)
        self._sound = not self._gap and self._is_sound()

    def _find_leaves(self, copy: str) -> None:
        """Look for messages of the gap in all pages, also in those without a reference.

        Each that may be one is taken for the only page of the table. A page that was given free
        may be among them, so what it has may have been settled: it is marked as delivered.
        """
        with closing(sqlite3.connect(copy)) as connection:
            run = connection.execute
            connection.text_factory = _text
            run("PRAGMA writable_schema = ON")
            run("PRAGMA synchronous = OFF")
            for page in _leaves(copy):
                with connection:
                    run("UPDATE sqlite_schema SET rootpage = ? WHERE name = 'message'", (page,))
                run("PRAGMA writable_schema = RESET")  # read it again
                run("PRAGMA writable_schema = ON")
                for order in (_UP, _DOWN):
                    with suppress(*_ERRORS, ValueError):
                        for values in run(order, (self._gap.start, self._gap.stop - 1)):
                            row = StoredMessage.unsealed(*values)
                            marked = row._replace(deliveries=max(row.deliveries, 1))
                            self.rows.setdefault(row.number, marked)

    def _up(self, low: int, high: int) -> int:
        """Read upwards; return the lowest number that could not be reached."""
        try:
            for values in self._run(_UP, (low, high)):
                if not low <= values[0] <= high:
                    return low  # damage that SQLite did not notice
                self._take(values)
                low = values[0] + 1
        except _ERRORS:
            return low
        return high + 1

    def _down(self, low: int, high: int) -> int:
        """Read downwards; return the highest number that could not be reached."""
        try:
            for values in self._run(_DOWN, (low, high)):
                if not low <= values[0] <= high:
                    return high
                self._take(values)
                high = values[0] - 1
        except _ERRORS:
            return high
        return low - 1

    def _take(self, values: tuple[Any, ...]) -> None:
        try:
            self.rows[values[0]] = StoredMessage.unsealed(*values)
        except ValueError:
            self.spoilt.add(values[0])

    def _is_sound(self) -> bool:
        try:
            return bool(self._run("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except _ERRORS:
            return False


def _text(found: bytes) -> str:
    return found.decode(errors="replace")  # what was replaced shows in the checksum


def _leaves(copy: str) -> list[int]:
    """Return the numbers of the pages that look like pages with rows of a table."""
    content = Path(copy).read_bytes()
    size = int.from_bytes(content[_PAGE_SIZE])
    return [n + 1 for n in range(1, len(content) // size) if content[n * size] == _LEAF]


def _mend(copy: str) -> None:
    """Replace the first page: but for what counts the others, it is the same in all outboxes."""
    fresh = f"{copy}-fresh"
    Database(fresh, fsync=False).close()
    front = bytearray(Path(fresh).read_bytes())
    size = int.from_bytes(front[_PAGE_SIZE])
    front[_PAGES] = (Path(copy).stat().st_size // size).to_bytes(4)
    with Path(copy).open("r+b") as file:
        file.write(front[:size])


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The result of a recovery."""

    messages: int
    """Number of messages in the new file."""
    bytes: int
    """Their size, text as UTF-8."""
    spoilt: int
    """Number of messages that were found with a wrong checksum: they are left out."""
    missing: int | None
    """Number of messages that may be in the unreadable parts: it counts numbers, and those that
    were settled before have one too. None: it is not known."""

    @property
    def whole(self) -> bool:
        """Whether all messages are in the new file."""
        return not self.spoilt and self.missing == 0


def salvage(path: str | os.PathLike[str], to: str | os.PathLike[str]) -> Salvaged:
    """Read all readable messages of the outbox file at `path`, and write them to a new one at `to`.

    Numbers, ids and deliveries are kept. The damaged file is not touched: what is read is a
    copy, which stands beside `to` meanwhile. Raises `OutboxUnusable` or one of its kinds, with
    nothing made at `to`, where there is no file, where it is in use or no outbox, and where `to`
    is there already or cannot be written.
    """
    source, target = absolute(path), absolute(to)
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, private_file.MODE))
    except FileExistsError as error:
        raise OutboxUnusable(target, "is there already: name one that is not") from error
    except OSError as error:
        raise OutboxUnusable(target, f"cannot be made ({error.strerror})") from error
    try:
        with snapshot(source, str(Path(target).parent)) as copy:
            found = RecoveryReader(source, copy)
        rows = found.messages()
        last = found.last
        if last is None:
            last = max(found.rows, default=0) + _SKIPPED
        _write(target, rows, last)
    except BaseException:
        for end in ("", "-wal"):
            with suppress(FileNotFoundError):
                Path(f"{target}{end}").unlink()
        raise
    size = sum(row.size for row in rows)
    return Salvaged(len(rows), size, len(found.spoilt), found.missing)


def _write(path: str, rows: Collection[StoredMessage], last: int) -> None:
    with closing(Database(path, fsync=True)) as database:
        database.write(rows, {}, {last} - {row.number for row in rows})
