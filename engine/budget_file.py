"""`BudgetFile`: the dials of a budget in a SQLite file, for all processes of a machine."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Final

from recloser import private_file
from recloser.file_thread import FileThread
from recloser.fsm.allowance import Allowance, wait_for_budget

_PATIENCE: Final = 1.0
"""Seconds for which a dial waits for another process that writes the file."""
_PAUSE: Final = 0.005
"""Seconds between two tries meanwhile. The thread sleeps by itself, and not inside SQLite, so that
a fork need not wait for another process."""
_DEADLINE: Final = 2.0
"""Seconds for which a dial waits for the disk in all."""
_APPLICATION: Final = 0x72636C62
"""What SQLite calls the application id of the file: whose it is."""
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS dials "
    "(owner TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (owner, number))"
)

Answer = tuple[Sequence[float], bool]
"""What `BudgetStore.spend` returns."""


class BudgetFile:
    """A `BudgetStore` that is a file; made for this user alone if it is not there.

    Raises `OSError` for a file that cannot be opened, or belongs to something else.
    """

    __slots__ = ("_path", "_thread", "_under_way")

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread = FileThread("recloser budget")
        self._under_way: Future[Answer | Exception] | None = None
        """The last write, which may go on after its dial was cancelled or no longer waits."""
        try:
            private_file.make(path)
        except OSError as error:
            raise OSError(f"{path} cannot be used as a budget: {error.strerror}") from error
        try:
            with closing(self._open(_PATIENCE)) as file, file:
                file.execute("BEGIN IMMEDIATE")
                self._prepare(file)
        except sqlite3.Error as error:
            raise OSError(f"{path} cannot be used as a budget: {error}") from error

    @property
    def name(self) -> str:
        """The path of the file."""
        return self._path

    async def spend(
        self,
        owner: str,
        dials: Mapping[int, float],
        own: Sequence[float],
        allowances: Sequence[Allowance],
    ) -> Answer:
        """Keep dials in a thread, and say whether the last of them may start."""
        try:
            async with asyncio.timeout(_DEADLINE):
                if self._under_way is not None and self._thread.alive:
                    await asyncio.wait({asyncio.wrap_future(self._under_way)})
                work = partial(self._write, owner, dials, own, allowances)
                self._under_way = self._begin(partial(self._patiently, work))
                answering = asyncio.wrap_future(self._under_way)
                await asyncio.wait({answering})  # which does not cancel it
        except TimeoutError:
            raise OSError(f"its disk has not answered within {_DEADLINE:g} s") from None
        answer = answering.result()
        if isinstance(answer, Exception):
            raise OSError(str(answer)) from answer
        return answer

    def _begin(self, work: Callable[[], Answer]) -> Future[Answer | Exception]:
        """Do it in the thread; the future has what the work raised as its result.

        Raises `OSError` where no thread can be started.
        """
        future: Future[Answer | Exception] = Future()
        future.set_running_or_notify_cancel()  # nobody can cancel it from now on

        def run() -> None:
            try:
                future.set_result(work())
            except Exception as error:  # noqa: BLE001 - it is given to the dial that asked
                future.set_result(error)

        self._thread.do(run)
        return future

    def _patiently(self, work: Callable[[], Answer]) -> Answer:
        """Do the work, in the thread, as soon as no other process writes the file."""
        over = time.monotonic() + _PATIENCE
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= over:
                    raise
            self._thread.pause(_PAUSE)

    def _write(
        self,
        owner: str,
        dials: Mapping[int, float],
        own: Sequence[float],
        allowances: Sequence[Allowance],
    ) -> Answer:
        number, now = max(dials.items())
        longest = max(each.seconds for each in allowances)
        with closing(self._open(0.0)) as file, file:
            file.execute("BEGIN IMMEDIATE")
            self._prepare(file)
            file.execute("DELETE FROM dials WHERE at <= ?", (now - longest,))
            # A wall clock was set back: who counted them as `now` at each dial would never dial.
            file.execute("UPDATE dials SET at = ? WHERE at > ?", (now, now + longest))
            found = file.execute("SELECT at FROM dials WHERE owner != ?", (owner,))
            others = sorted(at for (at,) in found)
            granted = wait_for_budget(allowances, sorted((*others, *own)), now) <= 0
            file.executemany(
                "INSERT OR IGNORE INTO dials VALUES (?, ?, ?)",
                [(owner, key, at) for key, at in dials.items() if granted or key != number],
            )
        return others, granted

    def _open(self, patience: float) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=patience, isolation_level=None)

    def _prepare(self, file: sqlite3.Connection) -> None:
        [owner] = file.execute("PRAGMA application_id").fetchone()
        if owner == _APPLICATION:
            return
        [tables] = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables:
            raise OSError(
                f"{self._path} belongs to something else: give the budget a file of its own"
            )
        file.execute(f"PRAGMA application_id = {_APPLICATION}")
        file.execute(_TABLE)
