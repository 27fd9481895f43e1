"""Files that may hold secrets: made for this user alone, and not where a stranger's link leads."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

MODE: Final = 0o600
"""Readable and writable by the user of the process, and by nobody else."""

_user: Final[Callable[[], int]] = getattr(os, "geteuid", int)
"""The user of the process; where there are no users it is 0, as the owner of each file is."""


_AT_ONCE: Final[int] = getattr(os, "O_NONBLOCK", 0)


def opener(path: str, flags: int) -> int:
    """Open a file, and make it with `MODE` if there is none: `open(path, "ab", opener=opener)`.

    One that exists keeps its mode. Raises `OSError`, also for a named pipe that nobody reads; see
    `refuse_foreign_link`.
    """
    refuse_foreign_link(path)
    try:
        descriptor = os.open(path, flags | _AT_ONCE, MODE)  # a pipe would wait for its reader
    except OSError as error:
        if error.errno != errno.ENXIO or not Path(path).is_fifo():
            raise
        problem = "nobody reads this pipe, so start its reader first"
        raise OSError(errno.ENXIO, problem, path) from error
    if _AT_ONCE:
        os.set_blocking(descriptor, True)
    return descriptor


def make(path: str | os.PathLike[str]) -> None:
    """Make an empty file with `MODE` if there is none, and open none that exists.

    Closing a file ends the locks that its process has on it, those of SQLite too. Raises
    `OSError`, also for what is no regular file; see `refuse_foreign_link`.
    """
    refuse_foreign_link(path)
    if Path(path).exists():
        if not Path(path).is_file():
            raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
        return
    # O_EXCL follows no link: the file is made where a link of our own leads.
    with suppress(FileExistsError):
        os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE))


def refuse_foreign_link(path: str | os.PathLike[str]) -> None:
    """Raise `PermissionError` if the path is a symbolic link that is neither ours nor root's.

    Who may write into a folder could put a link there, and so choose where messages go.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, _user()):
        problem = "it is a symbolic link of another user, so use a folder of your own"
        raise PermissionError(errno.EACCES, problem, os.fspath(path))
