"""Reads an outbox file that no engine has open, from a copy: the file itself is not touched."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from recloser.outbox.errors import OutboxInUse, OutboxUnusable
from recloser.outbox.file.database import Database, absolute, named
from recloser.outbox.file.stored_message import StoredMessage

_ENDS = ("", "-wal", "-journal")
"""The file, and the two logs of which SQLite leaves one beside it if a process was killed."""


def read_snapshot(path: str | os.PathLike[str]) -> tuple[list[StoredMessage], int]:
    """Return the messages of the file, and the last number used; raises `OutboxUnusable`."""
    original = absolute(path)
    with snapshot(original) as copy:
        try:
            with closing(Database(copy, fsync=False)) as database:
                return database.rows(), database.last()
        except OutboxUnusable as error:
            raise type(error)(original, error.problem) from error


@contextmanager
def snapshot(path: str, folder: str | None = None) -> Iterator[str]:
    """Yield the path of a copy, readable by its owner alone, which is removed at the end.

    It stands in `folder`, or where temporary files do. Raises `OutboxUnusable` where there is
    no regular file, or it cannot be read, and `OutboxInUse`.
    """
    if not Path(path).exists():
        raise OutboxUnusable(path, "is not there")
    if not Path(path).is_file():
        raise OutboxUnusable(path, "is no regular file")
    _check_free(path)
    real = Path(path).resolve()  # SQLite's logs stand beside what a link points to
    try:
        made = TemporaryDirectory(prefix=".outbox-", dir=folder)
    except OSError as error:
        raise OutboxUnusable(folder or path, f"cannot be copied ({error.strerror})") from error
    with made as place:
        copy = str(Path(place, "copy"))
        try:
            for end in _ENDS:
                if Path(f"{real}{end}").exists():
                    shutil.copyfile(f"{real}{end}", f"{copy}{end}")
        except OSError as error:
            raise OutboxUnusable(path, f"cannot be copied ({error.strerror})") from error
        _check_free(path)  # nobody wrote to it meanwhile
        yield copy


def _check_free(path: str) -> None:
    """Raise `OutboxInUse` if an engine or process has the file open.

    Such an engine holds the lock. Otherwise this keeps no lock, makes no file and writes
    nothing: the file is opened for reading alone.
    """
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # or it would share memory
            connection.execute("SELECT count(*) FROM sqlite_schema")
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter where it is damaged
        problem = named(path, error)
        if isinstance(problem, OutboxInUse):
            raise problem from error
