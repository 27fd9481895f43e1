"""Where a journal's lines go: a file that is appended to, or somebody's stream."""

import errno
import os
from pathlib import Path
from typing import Protocol, TextIO


class Sink(Protocol):
    """Takes whole lines."""

    lost: int
    """Changes that could not be written since writing last worked."""

    def write(self, text: str) -> None:
        """Write ASCII text that ends a line; raises `OSError` or `ValueError`."""
        ...

    def reopen(self) -> None:
        """Begin with a new file in the place of the old one."""
        ...

    def close(self) -> None:
        """Write nothing more."""
        ...


class PathSink:
    """A file opened for appending, without a buffer: one system call a line.

    That way lines of several processes do not mix, and a process that is killed loses
    nothing that was told.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.lost = 0
        self._path = Path(path)
        self._torn = False
        self._open()

    def _open(self) -> None:
        self._torn = _torn(self._path)
        self._file = self._path.open("ab", buffering=0)

    def write(self, text: str) -> None:
        """Append; a line that only went in part is ended before the next."""
        data = (b"\n" if self._torn else b"") + text.encode("ascii")
        written = self._file.write(data) or 0
        self._torn = written < len(data) and (self._torn or written > 0)
        if written < len(data):
            raise OSError(errno.ENOSPC, "only a part of the line was written", str(self._path))

    def reopen(self) -> None:
        """Open the path again."""
        self._file.close()
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class StreamSink:
    """A text stream that somebody else opened and closes."""

    def __init__(self, stream: TextIO) -> None:
        self.lost = 0
        self._stream = stream

    def write(self, text: str) -> None:
        """Write and flush."""
        self._stream.write(text)
        self._stream.flush()

    def reopen(self) -> None:
        """Do nothing: the stream is its owner's."""

    def close(self) -> None:
        """Do nothing: the stream is its owner's."""


def _torn(path: Path) -> bool:
    """Whether a file ends within a line, as a full disk or a crash of the machine leaves it."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
