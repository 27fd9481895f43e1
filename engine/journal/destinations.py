"""The destinations of a journal's lines: a file of a path, or a text stream of somebody else."""

import os
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from recloser.private_file import opener


class Destination(Protocol):
    """Takes the lines; any call may wait for a disk."""

    torn: bool
    """Whether it ends within a line, which must be ended before the next one."""

    @property
    def name(self) -> str:
        """What a line in the log calls it."""
        ...

    def open(self) -> None:
        """Open it, if it is not open. Raises `OSError`."""
        ...

    def write(self, data: bytes) -> int:
        """Append ASCII text; return how many bytes went in. Raises what a stream or a file does."""
        ...

    def close(self) -> None:
        """Let go of it; `open` opens it again. Raises `OSError`."""
        ...


class PathDestination:
    """A file opened for appending, without a buffer: one system call for all that is written.

    That way lines of several processes do not mix. A process that is killed may leave one line
    that has no end.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.torn: bool = False
        self._path = Path(path)
        self._file: BinaryIO | None = None

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    def open(self) -> None:
        """Open the path."""
        if self._file is None:
            self.torn = _torn(self._path)
            self._file = open(  # noqa: SIM115 - `close` closes it
                self._path, "ab", buffering=0, opener=opener
            )

    def write(self, data: bytes) -> int:
        """Append."""
        if self._file is None:
            raise ValueError(f"{self._path} is not open")
        written = self._file.write(data)
        if not written:
            raise BlockingIOError(f"{self._path} takes nothing now")
        self.torn = data[written - 1 : written] != b"\n"
        return written

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


class StreamDestination:
    """A text stream that somebody else opened and closes."""

    def __init__(self, stream: TextIO) -> None:
        self.torn = False
        self._stream = stream

    @property
    def name(self) -> str:
        """The name of the stream, if it has one."""
        return str(getattr(self._stream, "name", type(self._stream).__name__))

    def open(self) -> None:
        """Do nothing: the stream is its owner's."""

    def write(self, data: bytes) -> int:
        """Write and flush."""
        self._stream.write(data.decode("ascii"))
        self._stream.flush()
        return len(data)

    def close(self) -> None:
        """Do nothing: the stream is its owner's."""


def _torn(path: Path) -> bool:
    """Whether a file ends within a line, as a full disk or a crash of the machine leaves it."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
