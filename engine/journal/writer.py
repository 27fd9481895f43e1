"""`Journal`: an observer that appends one JSON line a change to a file or a stream."""

import errno
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from recloser.fsm.change import StateChange
from recloser.journal.lines import VERSION, line_of
from recloser.private_file import opener


class Sink(Protocol):
    """The destination of the lines of a journal."""

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
        self._file = open(  # noqa: SIM115 - `close` closes it
            self._path, "ab", buffering=0, opener=opener
        )

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


_NO_FIELDS: Final[Mapping[str, object]] = {}


class Journal:
    """Writes every change of the engines that it is given to, with record and context.

        journal = Journal("feed.jsonl")
        ada = recloser.connect(url, observers=[journal.bind("ada")])
        bob = recloser.connect(url, observers=[journal.bind("bob")])

    Each line is in the file, as far as the operating system goes, when the change has been
    told; several engines and processes may append to one file. The writing is synchronous:
    some ten microseconds a change on a healthy disk.

    file: a path, opened for appending, and made for this user alone if there is none; or a text
        stream, which stays the caller's.
    engine: tells engines in one file apart; a random name if None.
    fields: written with every line; read at each line.
    wall: gives seconds since the epoch.

    Raises `OSError` if the file cannot be opened, `TypeError` for what is no file. A later
    failure (a full disk, a closed file) harms no engine: the first one is logged by the
    engine as a listener that failed, and the number of changes lost meanwhile is written
    into the file as soon as writing works again.
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | TextIO,
        *,
        engine: str | None = None,
        fields: Mapping[str, object] = _NO_FIELDS,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._sink: Sink
        if isinstance(file, str | os.PathLike):
            self._sink = PathSink(file)
        elif callable(getattr(file, "write", None)):
            self._sink = StreamSink(file)
        else:
            raise TypeError(f"a journal needs a path or a text stream, not {file!r}")
        self.engine: str = uuid.uuid4().hex[:8] if engine is None else engine
        self._fields = fields
        self._wall = wall

    def bind(self, engine: str, **fields: object) -> "Journal":
        """Return a journal into the same file for one engine, with more fields on each line."""
        bound = object.__new__(type(self))
        bound._sink, bound._wall = self._sink, self._wall
        bound.engine = engine
        bound._fields = {**self._fields, **fields}
        return bound

    @property
    def lost(self) -> int:
        """Changes that could not be written since writing last worked."""
        return self._sink.lost

    def __call__(self, change: StateChange) -> None:
        """Append one change; raises what the first of a row of failures raised."""
        sink = self._sink
        try:
            wall = self._wall()
            line = line_of(change, wall=wall, engine=self.engine, own=self._fields)
            # ASCII, so that text which UTF-8 cannot encode is written, too.
            text = json.dumps(line, separators=(",", ":"), default=repr) + "\n"
            if sink.lost:
                gap = {"v": VERSION, "timestamp": line["timestamp"], "lost": sink.lost}
                text = json.dumps(gap, separators=(",", ":")) + "\n" + text
            sink.write(text)
        except Exception:
            sink.lost += 1
            if sink.lost == 1:
                raise
        else:
            sink.lost = 0

    def reopen(self) -> None:
        """Open the path again, once a tool for rotation has moved the file away.

        Raises `OSError` if that fails; a journal on a stream stays as it is.
        """
        self._sink.reopen()

    def close(self) -> None:
        """Close the file, for every journal bound to it; a stream stays open."""
        self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
