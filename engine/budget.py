"""`Budget`: the dials that a service allows in a span of time, over all lives of its clients."""

import asyncio
import sqlite3
from bisect import insort
from collections.abc import Mapping, Sequence
from contextlib import closing
from os import PathLike, fspath
from typing import Final, Protocol
from uuid import uuid4

from recloser import log, private_file
from recloser.clock import Clock
from recloser.fsm.budget import Allowance, wait_for_budget
from recloser.fsm.record import Cause, Close
from recloser.transport.base import DialFailed

_PATIENCE: Final = 1.0
"""Seconds for which a dial waits for another process that writes the file."""
_APPLICATION: Final = 0x72636C62
"""What SQLite calls the application id of the file: whose it is."""
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS dials "
    "(owner TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (owner, number))"
)


class HasLimit(Protocol):
    """A limit as the catalogue has it: `policies.service("binance").limits`."""

    @property
    def dials(self) -> int:
        """The number of dials."""
        ...

    @property
    def seconds(self) -> float:
        """The span of time in which there may be so many."""
        ...


class Budget:
    """The most dials in any span of time, of one engine or of all engines that share it.

        budget = recloser.Budget((300, 300.0), (1000, 86_400.0), path="dials.db")
        ws = recloser.connect(url, budget=budget)

    allowances: pairs of a number of dials and a span in seconds, or limits of the catalogue:
        `Budget(*policies.service("binance").limits)`. Each of them is kept.
    path: a SQLite file, made for this user alone if it is not there. With it the dials of earlier
        processes count, and those of other processes that use the file now. A dial writes it in a
        thread, and waits for that a second at most. While it cannot be written, a line in the log
        says so, and the dials of this process count on in memory.

    No dial exceeds it, whoever asks: a backoff, `connect()`, a hint. A stable connection resets
    nothing. A `Retry` that would come too early is put off, by the rule `budget-spent`; a dial
    that is asked for too early fails at once with cause BUDGET, and nothing goes out. Engines
    that share a budget belong to one event loop.

    Raises `TypeError` or `ValueError` for allowances that cannot work, and `OSError` for a file
    that cannot be opened, or belongs to something else.
    """

    __slots__ = (
        "_allowances",
        "_count",
        "_lock",
        "_longest",
        "_others",
        "_own",
        "_owner",
        "_path",
        "_unsaved",
    )

    def __init__(
        self,
        *allowances: tuple[int, float] | HasLimit,
        path: str | PathLike[str] | None = None,
    ) -> None:
        if not allowances:
            raise ValueError("a budget needs an allowance: Budget((300, 300.0)), say")
        self._allowances = tuple(_allowance(each) for each in allowances)
        self._longest = max(each.seconds for each in self._allowances)
        self._path = None if path is None else fspath(path)
        self._owner = uuid4().hex
        self._lock = asyncio.Lock()
        self._count = 0
        self._own: list[float] = []
        """The dials of this object, in seconds of the monotonic clock, in order."""
        self._others: list[float] = []
        """Those of others as the file had them last, on the same clock, in order."""
        self._unsaved: dict[int, float] = {}
        """Dials of this object that are not in the file yet, by number."""
        if self._path is not None:
            _create(self._path)

    def __repr__(self) -> str:
        spans = ", ".join(f"{each.dials} in {each.seconds:g} s" for each in self._allowances)
        return f"<{type(self).__name__} {spans}>"

    def wait(self, now: float) -> float:
        """Return the seconds from `now` before which a dial would exceed it, as far as is known.

        `now` is on the engine's monotonic clock.
        """
        return wait_for_budget(self._allowances, sorted((*self._own, *self._others)), now)

    async def spend(self, clock: Clock, fields: Mapping[str, object]) -> None:
        """Count a dial that starts now; raises `DialFailed` with cause BUDGET if none is left.

        `fields` are those of the engine's log lines.
        """
        async with self._lock:
            now = clock.monotonic()
            if self.wait(now) > 0:
                raise DialFailed(Close.by_engine(Cause.BUDGET))
            self._own = [each for each in self._own if each > now - self._longest]
            before = tuple(self._own)
            insort(self._own, now)  # it counts also if this is cancelled while the file is written
            if self._path is None or await self._save(self._path, now, before, clock, fields):
                return
            self._own.remove(now)
            raise DialFailed(Close.by_engine(Cause.BUDGET))

    async def _save(
        self,
        path: str,
        now: float,
        before: Sequence[float],
        clock: Clock,
        fields: Mapping[str, object],
    ) -> bool:
        """Write a dial that starts now, and those that could not be written before.

        Returns False if the dials of others leave none; the file has only the earlier ones then.
        """
        offset = clock.wall() - now
        self._count += 1
        self._unsaved = {
            number: at for number, at in self._unsaved.items() if at > now - self._longest
        }
        self._unsaved[self._count] = now
        rows = {number: at + offset for number, at in self._unsaved.items()}
        own = [at + offset for at in before]
        try:
            others, granted = await asyncio.to_thread(self._write, path, rows, own)
        except (OSError, sqlite3.Error) as error:
            log.budget_not_saved(fields, path, error)
            return True
        self._others = [at - offset for at in others]
        self._unsaved.clear()
        return granted

    def _write(
        self, path: str, rows: Mapping[int, float], own: Sequence[float]
    ) -> tuple[list[float], bool]:
        """Write the dials of `rows` if the last of them may start; runs in a thread.

        All moments are on the wall clock. Returns the dials of others, and whether it may.
        """
        number, now = max(rows.items())
        with closing(_opened(path)) as file, file:
            file.execute("BEGIN IMMEDIATE")
            _prepare(file, path)
            file.execute("DELETE FROM dials WHERE at <= ?", (now - self._longest,))
            found = file.execute("SELECT at FROM dials WHERE owner != ?", (self._owner,))
            others = sorted(at for (at,) in found)
            granted = wait_for_budget(self._allowances, sorted((*others, *own)), now) <= 0
            file.executemany(
                "INSERT OR IGNORE INTO dials VALUES (?, ?, ?)",
                [(self._owner, key, at) for key, at in rows.items() if granted or key != number],
            )
        return others, granted


def _allowance(given: object) -> Allowance:
    if isinstance(given, tuple):
        if len(given) != 2:  # noqa: PLR2004 - a pair
            raise TypeError(f"an allowance is a pair of dials and seconds, not {given!r}")
        return Allowance(*given)
    dials, seconds = getattr(given, "dials", None), getattr(given, "seconds", None)
    if dials is None or seconds is None:
        raise TypeError(f"an allowance is a pair of dials and seconds, not {given!r}")
    return Allowance(dials, seconds)


def _opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)


def _create(path: str) -> None:
    """Make the file if it is not there; raises `OSError` for one that is no budget."""
    try:
        private_file.make(path)
    except OSError as error:
        raise OSError(f"{path} cannot be used as a budget: {error.strerror}") from error
    try:
        with closing(_opened(path)) as file, file:
            file.execute("BEGIN IMMEDIATE")
            _prepare(file, path)
    except sqlite3.Error as error:
        raise OSError(f"{path} cannot be used as a budget: {error}") from error


def _prepare(file: sqlite3.Connection, path: str) -> None:
    [owner] = file.execute("PRAGMA application_id").fetchone()
    if owner == _APPLICATION:
        return
    [tables] = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables:
        raise OSError(f"{path} belongs to something else: give the budget a file of its own")
    file.execute(f"PRAGMA application_id = {_APPLICATION}")
    file.execute(_TABLE)
