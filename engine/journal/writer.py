"""`Journal`: an observer that writes one JSON line a change to a file or a stream."""

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, TextIO

from recloser.fsm.change import StateChange
from recloser.journal.destinations import PathDestination, StreamDestination
from recloser.journal.line_writer import LineWriter
from recloser.journal.lines import line_of

_NO_FIELDS: Final[Mapping[str, object]] = {}


class Journal:
    """Writes every change of the engines that it is given to, with record and context.

        journal = Journal("feed.jsonl")
        ada = recloser.connect(url, observers=[journal.bind("ada")])
        bob = recloser.connect(url, observers=[journal.bind("bob")])

    A thread of the journal writes the lines, in the order of the changes, so that no event loop
    waits for the disk. On a healthy disk a line is in the file within milliseconds; `flush` and
    `close` wait for it, and so does the end of the interpreter. Several engines and processes may
    append to one file, and engines of several loops may share a journal.

    file: a path, opened for appending, and made for this user alone if there is none; or a text
        stream, which stays the caller's. The thread writes to it until the journal is closed.
    engine: tells engines in one file apart; a random name if None.
    fields: written with every line; read at each line.
    wall: gives seconds since the epoch.

    Raises `OSError` if the file cannot be opened, `TypeError` for what is no file. A later
    failure harms no engine. While the disk stalls at most 16 MiB of lines wait; changes that
    come then are lost, and so are those that the disk refuses. The first loss of a row is
    logged, and a line with the number of lost changes takes their place in the file.
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | TextIO,
        *,
        engine: str | None = None,
        fields: Mapping[str, object] = _NO_FIELDS,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(file, str | os.PathLike):
            self._writer = LineWriter(PathDestination(file), fields)
        elif callable(getattr(file, "write", None)):
            self._writer = LineWriter(StreamDestination(file), fields)
        else:
            raise TypeError(f"a journal needs a path or a text stream, not {file!r}")
        self.engine: str = uuid.uuid4().hex[:8] if engine is None else engine
        self._fields = fields
        self._wall = wall

    def bind(self, engine: str, **fields: object) -> "Journal":
        """Return a journal into the same file for one engine, with more fields on each line."""
        bound = object.__new__(type(self))
        bound._writer, bound._wall = self._writer, self._wall
        bound.engine = engine
        bound._fields = {**self._fields, **fields}
        return bound

    @property
    def lost(self) -> int:
        """Changes that are lost, and of which the file does not tell yet."""
        return self._writer.lost

    def __call__(self, change: StateChange) -> None:
        """Write one change.

        Raises what kept the change from becoming a line, if it is the first of a row that is lost:
        `ValueError` after `close`, or what the `repr` of a field raised.
        """
        try:
            wall = self._wall()
            line = line_of(change, wall=wall, engine=self.engine, own=self._fields)
            # ASCII, so that text which UTF-8 cannot encode is written, too.
            text = json.dumps(line, separators=(",", ":"), default=repr) + "\n"
            self._writer.write(text, line["timestamp"])
        except Exception:
            if self._writer.lose():
                raise

    def reopen(self) -> None:
        """Open the path again, once a tool for rotation has moved the file away.

        The thread does it, behind the changes so far. If it fails a line in the log says so, and
        the next change tries again. A journal on a stream stays as it is.
        """
        self._writer.reopen()

    def flush(self) -> None:
        """Wait until all changes so far are in the file, or lost.

        Raises `TimeoutError` if the disk gives no answer within two seconds.
        """
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file, for every journal bound to it.

        A stream stays open. Waits for the disk two seconds at most; if that is too short a line
        in the log says so, and the thread goes on as long as the process lives.
        """
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
