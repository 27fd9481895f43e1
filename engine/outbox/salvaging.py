"""Saves what can be read of a damaged outbox file into a new one."""

import os
import sqlite3
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recloser.fsm.errors import OutboxUnusable
from recloser.outbox.around import Around
from recloser.outbox.aside import aside
from recloser.outbox.file import PUT, File, Row, absolute, named

_SKIPPED: Final = 2**32
"""Numbers that are left out where the last is not known: a peer that remembers a number would take
a new message of that number for a double."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of the messages of a damaged file."""

    messages: int
    """How many are in the new file."""
    bytes: int
    """Their size, text as UTF-8."""
    spoilt: int
    """How many were found, but not as they had been written: they are left out."""
    missing: int | None
    """How many more may be in the parts that cannot be read: it counts numbers, and those that
    were settled before have one, too. None: nobody can tell."""

    @property
    def whole(self) -> bool:
        """Whether all messages are in the new file."""
        return not self.spoilt and self.missing == 0


def salvage(path: str | os.PathLike[str], to: str | os.PathLike[str]) -> Salvaged:
    """Read what can be read of the outbox file at `path`, and write it to a new one at `to`.

    Numbers, ids and deliveries are kept. The damaged file is not touched: what is read is a
    copy, which stands beside `to` meanwhile. Raises `OutboxUnusable` or one of its kinds, with
    nothing made at `to`, where there is no file, where it is in use or no outbox, and where `to`
    is there already or cannot be written.
    """
    source, target = absolute(path), absolute(to)
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise OutboxUnusable(target, "is there already: name one that is not") from error
    except OSError as error:
        raise OutboxUnusable(target, f"cannot be made ({error.strerror})") from error
    try:
        with aside(source, str(Path(target).parent)) as copy:
            found = Around(source, copy)
        rows = [found.rows[number] for number in sorted(found.rows)]
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


def _write(path: str, rows: Collection[Row], last: int) -> None:
    file = File(path, fsync=True)
    try:
        with file.connection as connection:
            connection.executemany(PUT, [row.sealed() for row in rows])
            connection.execute("DELETE FROM sqlite_sequence")
            connection.execute("INSERT INTO sqlite_sequence VALUES ('message', ?)", (last,))
    except sqlite3.Error as error:
        raise named(path, error) from error
    finally:
        file.close()
