"""Writes what an outbox does into its file, all of a moment in one transaction."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

import aiosqlite

from recloser import log
from recloser.fsm.errors import OutboxNotSaved, OutboxUnusable
from recloser.outbox.file import MARK, PUT, REMOVE, File, Row, named

_CHUNK: Final = 64
"""Rows that aiosqlite would fetch at a time; nothing is fetched through it."""

Waiter = Callable[[OutboxUnusable | None], None]


class Disk:
    """The file of one engine, open from `connect()` to closed.

    What happened is noted at once and written soon, by one task that ends when nothing is left;
    aiosqlite's thread waits for the disk. A transaction that fails is undone, and tried again
    with the next one.
    """

    __slots__ = (
        "_busy",
        "_database",
        "_fields",
        "_file",
        "_fsync",
        "_hidden",
        "_marked",
        "_path",
        "_put",
        "_removed",
        "_task",
        "_waiters",
        "closing",
    )

    def __init__(self, path: str, fields: Mapping[str, object], *, fsync: bool) -> None:
        self._path = path
        self._fields = fields
        self._fsync = fsync
        self._file: File | None = None
        self._database: aiosqlite.Connection | None = None
        self._put: dict[int, Row] = {}
        self._marked: dict[int, int] = {}
        self._removed: set[int] = set()
        self._hidden: set[int] = set()
        self._waiters: list[Waiter] = []
        self._busy: list[Waiter] = []
        self._task: asyncio.Task[None] | None = None
        self.closing = False
        """Whether the file is being given free: it can be opened again when that is over."""

    @property
    def up(self) -> bool:
        """Whether the file is open."""
        return self._file is not None

    @property
    def unwritten(self) -> bool:
        """Whether something was noted that is not in the file."""
        return bool(self._put or self._marked or self._removed)

    def open(self) -> tuple[list[Row], int]:
        """Open the file and read it: its messages, and the last number that was used.

        In the event loop's thread: nothing may be dialled before it is known to be ours. Raises
        `OutboxUnusable`.
        """
        try:
            file = File(self._path, fsync=self._fsync)
            try:
                rows, last = file.rows(), file.last()
            except BaseException:
                file.close()
                raise
        except OutboxUnusable as error:
            waiters, self._waiters = self._waiters, []
            for call in waiters:  # they came while it was being given free
                call(error)
            raise
        self._file = file
        if self.unwritten:
            self._start()
        gone = self._removed | self._hidden
        return [row for row in rows if row.number not in gone], last

    def lacks(self, number: int) -> bool:
        """Whether a message is not in the file yet."""
        return number in self._put

    # -- what happened ------------------------------------------------------------------

    def put(self, row: Row) -> None:
        """Note a message that is to be there."""
        self._removed.discard(row.number)
        self._marked.pop(row.number, None)
        self._put[row.number] = row
        self._start()

    def mark(self, deliveries: Mapping[int, int]) -> None:
        """Note how often messages were handed to a connection, before they are."""
        self._marked.update(deliveries)
        self._start()

    def use(self, numbers: Iterable[int]) -> None:
        """Note numbers of messages that will not be there: none may have them again."""
        for number in numbers:
            self._put[number] = Row(number, None, None, "", None, 0)
            self._removed.add(number)  # in the same transaction: what remains is SQLite's count
            self._start()

    def remove(self, numbers: Iterable[int]) -> None:
        """Note that messages need not be there any more."""
        for number in numbers:
            self._put.pop(number, None)
            self._marked.pop(number, None)
            self._removed.add(number)
            self._hidden.discard(number)
        if self._removed:
            self._start()

    def hide(self, numbers: Iterable[int]) -> None:
        """Note that messages will be taken out: they are not read again meanwhile."""
        self._hidden.update(numbers)

    def remove_now(self, numbers: Iterable[int]) -> None:
        """Take messages out while the file is not open; raises `OutboxUnusable`."""
        file = File(self._path, fsync=self._fsync)
        try:
            file.remove(numbers)
        finally:
            file.close()

    async def saved(self) -> None:
        """Wait until all that was noted so far is in the file; raises `OutboxUnusable` if not."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[OutboxUnusable | None] = loop.create_future()
        self.then(lambda error: None if future.done() else future.set_result(error))
        error = await future
        if error is not None:
            raise error

    def then(self, call: Waiter) -> None:
        """Call when all that was noted so far is in the file, with what went wrong if not."""
        if not self.unwritten:
            if self._task is None:
                call(None)
            else:
                self._busy.append(call)
        elif self.up or self.closing:
            self._waiters.append(call)
            self._start()
        else:
            call(OutboxNotSaved(self._path, "is not open"))

    # -- writing ------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None and self._file is not None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._write(self._file), name="recloser outbox")

    async def _write(self, file: File) -> None:
        """Write until all is written, or until it fails and nobody waits for another try."""
        written = True
        try:
            while self.unwritten and (written or self._waiters):
                written = await self._batch(file)
        finally:
            self._task = None

    async def _batch(self, file: File) -> bool:
        """Write what was noted so far; give it back to be noted, and tell who waits, if not."""
        put, self._put = self._put, {}
        marked, self._marked = self._marked, {}
        removed, self._removed = self._removed, set()
        self._busy, self._waiters = self._waiters, []
        told: OutboxUnusable | None = OutboxNotSaved(file.path, "was not written to any more")
        try:
            await self._transact(file, put, marked, removed)
            told = None
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait are told
            told = named(file.path, error)
            log.trouble(log.NOT_SAVED, self._fields, path=file.path, error=str(error))
        finally:
            if told is not None:  # what was noted meanwhile is newer
                newer = self._put.keys() | self._removed
                self._put = {n: row for n, row in put.items() if n not in newer} | self._put
                self._marked = {n: d for n, d in marked.items() if n not in newer} | self._marked
                self._removed |= removed - newer
            busy, self._busy = self._busy, []
            for call in busy:
                call(told)
        return told is None

    async def _transact(
        self, file: File, put: dict[int, Row], marked: dict[int, int], removed: set[int]
    ) -> None:
        database = self._database
        if database is None:
            database = aiosqlite.Connection(lambda: file.connection, _CHUNK)
            # An engine that nobody closes must not keep the interpreter from ending.
            database._thread.daemon = True  # noqa: SLF001 - pinned by tests/engine/outbox
            self._database = await database
        try:
            if put:
                await database.executemany(PUT, [row.sealed() for row in put.values()])
            if marked:
                await database.executemany(MARK, [(d, n) for n, d in marked.items()])
            if removed:
                await database.executemany(REMOVE, [(number,) for number in removed])
            await database.commit()
        except BaseException:
            with suppress(sqlite3.Error):
                await database.rollback()
            raise

    async def close(self, wanted: Callable[[], bool]) -> bool:
        """Write what is left, and give the file free if that is `wanted` still.

        Whether all was written; if not, it was logged, and those who wait were told.
        """
        tried = False
        while self._task is not None or (self.unwritten and not tried):
            self._start()
            if self._task is not None:
                await asyncio.wait((self._task,))  # more may have been noted when this goes on
            tried = True
        written, file = not self.unwritten, self._file
        if file is None or not wanted():
            return written
        self._file = None
        database, self._database = self._database, None
        self.closing = True
        try:
            if database is not None:
                await database.close()
        finally:
            file.close()
            self.closing = False
        return written
