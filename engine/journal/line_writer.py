"""`LineWriter` writes the lines of a journal in a thread, in order, and counts those it loses."""

import atexit
import json
import os
import time
from collections.abc import Mapping
from functools import partial
from threading import Event, RLock
from typing import Final
from weakref import WeakSet

from recloser.file_thread import FileThread, Job
from recloser.journal.destinations import Destination
from recloser.journal.lines import VERSION

WAITING: Final = 16 << 20
"""The most bytes that wait for the disk; one line that is longer waits alone."""
DEADLINE: Final = 2.0
"""Seconds for which a caller waits for the disk: at `flush`, at `close`, and when Python ends."""

Line = tuple[bytes, int]
"""A line with its end, and how many lost changes it tells of: 0 for the line of a change."""


class Batch:
    """The lines that one job of the thread writes, in order."""

    __slots__ = ("lines", "size", "stamp")

    def __init__(self, stamp: str) -> None:
        self.lines: list[Line] = []
        self.size: int = 0
        """The bytes of the lines of changes."""
        self.stamp: Final = stamp
        """The time of its first change."""


class LineWriter:
    """Writes lines in a thread; who calls `write` waits for no disk.

    Lines that come while the thread writes wait together, and go out by one call. At most
    `WAITING` bytes wait; what comes then is lost, and so is what the destination refuses. A line
    with the number of the lost changes takes their place, as soon as one can be written.

    Calls may come from several threads. `fields` are those of its lines in the log. Raises
    `OSError` if the destination cannot be opened.
    """

    def __init__(self, destination: Destination, fields: Mapping[str, object]) -> None:
        from recloser import log  # noqa: PLC0415 - loads structlog; who reads a journal needs none

        destination.open()
        self._destination = destination
        self._report = partial(log.journal_not_written, fields, destination.name)
        self._report_end = partial(log.journal_written, fields, destination.name)
        self._closed: Event | None = None
        """Set when all is written and the destination is let go of; None while more may come."""
        self.begin()
        _open.add(self)

    def begin(self) -> None:
        """Begin with nothing to write and nothing lost: also in a process that was forked."""
        self._lock = RLock()  # an engine that is forgotten may end, and write, at any allocation
        self._thread = FileThread("recloser journal")
        self._batch: Batch | None = None
        """The latest batch, if the thread has not begun with it: the next line goes into it."""
        self._size = 0
        """The bytes that wait, with those that are being written."""
        self._overflowed = 0
        """Changes that found no room, and of which no line tells: the next one does."""
        self._refused = 0
        """Changes that the destination refused: a line in front of the next batch tells."""
        self._stamp = ""
        """The time of the latest change."""
        self.lost: int = 0
        """Changes that are lost, and of which the file does not tell yet."""

    @property
    def idle(self) -> bool:
        """Whether nothing was to be written so far, in this process."""
        return not (self._thread.alive or self.lost)

    def write(self, text: str, stamp: str) -> None:
        """Write an ASCII line with its end, which tells of a change at this time (ISO 8601).

        Raises `ValueError` after `close`, and does not count the change as lost then.
        """
        data = text.encode("ascii")
        problem: OSError | None = None
        with self._lock:
            if self._closed is not None:
                raise ValueError("the journal is closed: it can write no more changes")
            self._stamp = stamp
            if self._size and self._size + len(data) > WAITING:
                problem = TimeoutError(
                    f"{self._size} bytes wait for the disk, and more may not: look at it"
                )
            else:
                try:
                    batch = self._batch or self._begin_batch()
                except OSError as error:
                    problem = error
                else:
                    if self._overflowed:
                        batch.lines.append(_gap(self._overflowed, stamp))
                        self._overflowed = 0
                    batch.lines.append((data, 0))
                    batch.size += len(data)
                    self._size += len(data)
        if problem is not None and self.lose():
            self._report(problem)

    def lose(self) -> bool:
        """Count a change that cannot be written; return whether it is the first of a row."""
        _lost.add(1)
        with self._lock:
            self._overflowed += 1
            self.lost += 1
            return self.lost == 1

    def reopen(self) -> None:
        """Open the destination again, between the lines before and those after."""
        with self._lock:
            if self._closed is None:
                self._do(self._reopen)

    def flush(self) -> None:
        """Wait until all lines so far are written or lost.

        Raises `TimeoutError` if that takes longer than `DEADLINE`.
        """
        if not self.flushed().wait(DEADLINE):
            raise _stalled()

    def flushed(self) -> Event:
        """Return what is set when all lines so far are written or lost."""
        done = Event()
        with self._lock:
            if self._closed is not None:
                return self._closed
            self._do(self._tell)
            self._do(done.set)
        return done

    def await_disk(self, done: Event, timeout: float) -> None:
        """Wait so many seconds for what `flushed` has returned, and log that it did not happen."""
        if not done.wait(timeout):
            self._report(_stalled())

    def close(self) -> None:
        """Write what is left, and let go of the destination; wait for that `DEADLINE` at most.

        If it takes longer, a line in the log says so, and the thread goes on.
        """
        with self._lock:
            if self._closed is not None:
                return
            self._closed = Event()
            for job in (self._tell, self._close, self._closed.set):
                self._do(job)
            self._thread.end()
        _open.discard(self)
        self.await_disk(self._closed, DEADLINE)

    def _begin_batch(self) -> Batch:
        """Begin a batch; the lock is held. Raises `OSError` where no thread can be started."""
        batch = Batch(self._stamp)
        self._thread.do(partial(self._write, batch))
        self._batch = batch
        return batch

    def _do(self, job: Job) -> None:
        """Do something behind the lines so far: at once where no thread can be started.

        The lock is held.
        """
        try:
            self._thread.do(job)
        except OSError:
            job()
        self._batch = None

    # -- in the thread ----------------------------------------------------------------------

    def _write(self, batch: Batch) -> None:
        """Write a batch, and in front of it what was lost before."""
        with self._lock:
            if self._batch is batch:
                self._batch = None
            lines = batch.lines
            if self._refused:
                lines.insert(0, _gap(self._refused, batch.stamp))
                self._refused = 0
        whole, problem = self._append(b"".join(data for data, _ in lines))
        written, refused = lines[:whole], lines[whole:]
        told = sum(gap for _, gap in written)
        lost = sum(not gap for _, gap in refused)
        _lost.add(lost)
        with self._lock:
            self._size -= batch.size
            self._refused += lost + sum(gap for _, gap in refused)
            first = lost > 0 and not self.lost
            self.lost += lost - told
            again = told > 0 and not self.lost
        if problem is not None and first:
            self._report(problem)
        if again:
            self._report_end(told)

    def _append(self, data: bytes) -> tuple[int, BaseException | None]:
        """Return how many lines went in whole, and what kept the others out."""
        written = ended = 0
        problem: BaseException | None = None
        try:
            self._destination.open()
            if self._destination.torn:
                data, ended = b"\n" + data, 1
            while written < len(data):
                written += self._destination.write(data[written:])
        except BaseException as error:  # noqa: BLE001 - the loss is counted and told; streams may exit
            problem = error
        # A line that lacks its end alone is whole: the next line ends it.
        return max(data.count(b"\n", 0, written + 1) - ended, 0), problem

    def _tell(self) -> None:
        """Write how many changes are lost, if no line that waits tells of them."""
        batch = Batch(self._stamp)
        with self._lock:
            if self._overflowed and self._batch is None:
                batch.lines.append(_gap(self._overflowed, self._stamp))
                self._overflowed = 0
            untold = batch.lines or self._refused
        if untold:
            self._write(batch)

    def _reopen(self) -> None:
        self._close()
        try:
            self._destination.open()
        except Exception as error:  # noqa: BLE001 - it is told, and the next line opens it
            self._report(error)

    def _close(self) -> None:
        try:
            self._destination.close()
        except Exception as error:  # noqa: BLE001 - it is told
            self._report(error)


def _stalled() -> TimeoutError:
    return TimeoutError(
        f"the file of the journal has not answered within {DEADLINE:g} s: look at its disk"
    )


def _gap(lost: int, stamp: str) -> Line:
    line = {"v": VERSION, "timestamp": stamp, "lost": lost}
    return f"{json.dumps(line, separators=(',', ':'))}\n".encode("ascii"), lost


class _Total:
    """A number that several threads add to."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._lock = RLock()
        self.value = 0

    def add(self, count: int) -> None:
        with self._lock:
            self.value += count


_lost: Final = _Total()
_open: Final = WeakSet[LineWriter]()


def changes_lost() -> int:
    """Return how many changes the journals of this process have lost in all."""
    return _lost.value


@atexit.register
def _flush_all() -> None:
    """Let the threads write what waits, before the interpreter ends them."""
    over = time.monotonic() + DEADLINE
    busy = [(each, each.flushed()) for each in tuple(_open) if not each.idle]
    for writer, done in busy:
        writer.await_disk(done, max(0.0, over - time.monotonic()))


def _forked() -> None:
    """Leave to the parent what waits there: this process has none of its threads."""
    _lost.begin()
    for writer in tuple(_open):
        writer.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
