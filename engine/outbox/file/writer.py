"""Writes the changes of an outbox into its file, many in one transaction."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import aiosqlite

from recloser import log
from recloser.contract import Engine
from recloser.outbox.effects import Change, Forget, Hide, Mark, Note, Spend
from recloser.outbox.errors import OutboxNotSaved, OutboxUnusable
from recloser.outbox.events import Restored
from recloser.outbox.file.database import MARK, PUT, REMOVE, Database, StoredMessage, named
from recloser.outbox.message import Message
from recloser.outbox.options import Outbox

_CHUNK: Final = 64
"""Rows that aiosqlite would fetch at a time; nothing is fetched through it."""

Waiter = asyncio.Future[OutboxUnusable | None]


class Batch:
    """The changes of one transaction: three maps by number; the latest change wins."""

    __slots__ = ("marked", "put", "removed")

    def __init__(self) -> None:
        self.put: dict[int, StoredMessage] = {}
        self.marked: dict[int, int] = {}
        self.removed: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self.put or self.marked or self.removed)

    def note(self, row: StoredMessage) -> None:
        """Write a message."""
        self.removed.discard(row.number)
        self.marked.pop(row.number, None)
        self.put[row.number] = row

    def spend(self, number: int) -> None:
        """Write that a number was used, without its message."""
        self.put[number] = StoredMessage(number, None, None, "", None, 0)
        self.removed.add(number)  # in the same transaction: what remains is SQLite's count

    def forget(self, number: int) -> None:
        """Remove a message."""
        self.put.pop(number, None)
        self.marked.pop(number, None)
        self.removed.add(number)

    def behind(self, older: "Batch") -> "Batch":
        """Join changes that could not be written with the newer ones."""
        newer = self.put.keys() | self.removed
        joined = Batch()
        joined.put = {n: row for n, row in older.put.items() if n not in newer} | self.put
        joined.marked = {n: d for n, d in older.marked.items() if n not in newer} | self.marked
        joined.removed = (older.removed - newer) | self.removed
        return joined

    def statements(self) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
        """Return the statements, each with its parameters."""
        if self.put:
            yield PUT, [row.sealed() for row in self.put.values()]
        if self.marked:
            yield MARK, [(deliveries, number) for number, deliveries in self.marked.items()]
        if self.removed:
            yield REMOVE, [(number,) for number in self.removed]


class GroupCommitWriter:
    """The file of one engine, open from `connect()` to closed; see `recloser.outbox.store.Store`.

    Commits everything noted since the last transaction in one. One task does that, and ends when
    nothing is left; aiosqlite's thread waits for the disk. A transaction that fails is undone, and
    tried again with the next one.
    """

    __slots__ = (
        "_batch",
        "_busy",
        "_connection",
        "_engine",
        "_fsync",
        "_hidden",
        "_numbered",
        "_path",
        "_task",
        "_waiters",
        "database",
        "ready",
    )

    def __init__(self, path: str, options: Outbox, engine: Engine) -> None:
        wanted = options.acknowledgements
        self._path = path
        self._fsync = options.fsync
        self._numbered = wanted is not None and wanted.numbered
        self._engine = engine
        self.database: Database | None = None
        """The open file."""
        self._connection: aiosqlite.Connection | None = None
        self._batch = Batch()
        self._hidden: set[int] = set()
        self._waiters: list[Waiter] = []
        self._busy: list[Waiter] = []
        self._task: asyncio.Task[None] | None = None
        self.ready: bool = False
        """Whether the file is open, or is being released: then it can be opened afterwards."""

    @property
    def idle(self) -> bool:
        """Whether all changes that can be written are written."""
        return self._task is None and not (self.database is not None and self._batch)

    # -- the file -----------------------------------------------------------------------

    def open(self) -> Restored | None:
        """Open the file and read it, unless it is open or being released.

        In the event loop's thread: nothing may be dialled before it is known to be ours. Raises
        `OutboxUnusable`; those who wait for the file are told.
        """
        if self.ready:
            return None
        try:
            database = Database(self._path, fsync=self._fsync)
            try:
                rows, last = database.rows(), database.last()
            except BaseException:
                database.close()
                raise
        except OutboxUnusable as error:
            _tell(self._waiters, error)  # they came while it was being given free
            raise
        self.database, self.ready = database, True
        self._start()
        gone = self._batch.removed | self._hidden
        messages = [self._message(row) for row in rows if row.number not in gone]
        return Restored(messages, last, frozenset(self._batch.put))

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the file for the changes in the block, also while it is not open.

        Raises `OutboxUnusable` before the first change. Changes that cannot be written are logged
        and kept, to be written when the file is opened again.
        """
        if self.ready:
            yield
            return
        database = Database(self._path, fsync=self._fsync)
        try:
            yield
            batch, self._batch = self._batch, Batch()
            try:
                database.write(batch.statements())
            except OutboxUnusable as error:
                self._batch = self._batch.behind(batch)
                self._log(error)
        finally:
            database.close()

    async def release(self, wanted: Callable[[], bool]) -> None:
        """Write the remaining changes and release the file, as long as that is `wanted`.

        Waiting callers get the error if not all could be written; that was logged.
        """
        written = True
        while wanted() and (self.database is not None or (written and self._batch)):
            if self.database is None:
                self.open()  # for what was noted while it was being closed
            written = await self._close(wanted)

    async def _close(self, wanted: Callable[[], bool]) -> bool:
        """Write the rest, and release the file if still wanted; return whether all was written."""
        tried = False
        while self._task is not None or (self._batch and not tried):
            self._start()
            if self._task is not None:
                await asyncio.wait((self._task,))  # more may have been noted when this goes on
            tried = True
        written, database = not self._batch, self.database
        if database is None or not wanted():
            return written
        self.database = None  # but `ready`: it can be opened when this is over
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                await connection.close()
        finally:
            database.close()
            self.ready = False
        return written

    def abandon(self) -> None:
        """Write the rest and release the file at once, in the thread of the event loop.

        For an engine that was forgotten: its loop may be about to end, and a task would be
        destroyed there. A transaction that is under way ends first.
        """
        if self._task is not None:
            self._task.add_done_callback(lambda _: self.abandon())
            return
        database, self.database = self.database, None
        if database is None:
            return
        problem: OutboxUnusable | None = None
        try:
            database.write(self._batch.statements())
            self._batch = Batch()
        except OutboxUnusable as error:
            problem = error
            self._log(error)
        _tell(self._waiters, problem)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.stop()
            connection._thread.join()  # noqa: SLF001 - idle; once the loop is closed it would raise
        database.close()
        self.ready = False

    # -- changes ------------------------------------------------------------------------

    def note(self, change: Change) -> None:
        """Take a change; it is written soon."""
        batch = self._batch
        match change:
            case Note(message):
                batch.note(self._row(message))
            case Forget(numbers):
                for number in numbers:
                    batch.forget(number)
                    self._hidden.discard(number)
            case Mark(deliveries):
                batch.marked.update(deliveries)
            case Spend(numbers):
                for number in numbers:
                    batch.spend(number)
            case Hide(numbers):
                self._hidden.update(numbers)
        if self._task is None:
            self._start()

    def saved(self) -> Waiter | None:
        """Return a future that is done when all changes so far are in the file, with the error.

        None: they are there already.
        """
        if not self._batch and self._task is None:
            return None
        waiter: Waiter = asyncio.get_running_loop().create_future()
        if not self._batch:
            self._busy.append(waiter)
        elif self.ready:
            self._waiters.append(waiter)
            self._start()
        else:
            waiter.set_result(OutboxNotSaved(self._path, "is not open"))
        return waiter

    def _row(self, message: Message) -> StoredMessage:
        """Return the row of a message; its times are those of the wall clock."""
        expires_at = message.expires_at
        if expires_at is not None:
            expires_at += self._engine.clock.wall() - self._engine.clock.monotonic()
        return StoredMessage(
            message.number,
            message.id,
            message.key,
            message.data,
            expires_at,
            message.deliveries,
            int(message.suspect),
        )

    def _message(self, row: StoredMessage) -> Message:
        """Return the message of a row; its number is its id if it has no other id."""
        expires_at = row.expires_at
        if expires_at is not None:
            expires_at += self._engine.clock.monotonic() - self._engine.clock.wall()
        return Message(
            row.data,
            row.size,
            row.key,
            expires_at,
            number=row.number,
            id=row.number if self._numbered and row.id is None else row.id,
            deliveries=row.deliveries,
            suspect=bool(row.suspect),
        )

    # -- writing ------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None and self.database is not None and self._batch:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._write(self.database), name="recloser outbox")

    async def _write(self, database: Database) -> None:
        """Write until all is written, or until it fails and no caller waits for another try."""
        written = True
        try:
            while self._batch and (written or self._waiters):
                written = await self._commit(database)
        finally:
            self._task = None

    async def _commit(self, database: Database) -> bool:
        """Write the changes so far; if that fails, keep them, and tell the callers that wait."""
        batch, self._batch = self._batch, Batch()
        self._busy, self._waiters = self._waiters, []
        problem: OutboxUnusable | None = None
        done = False
        try:
            await self._transact(database, batch)
            done = True
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait are told
            problem = named(database.path, error)
            self._log(error)
        finally:
            if not done:
                problem = problem or OutboxNotSaved(database.path, "was not written to any more")
                self._batch = self._batch.behind(batch)
            busy, self._busy = self._busy, []
            _tell(busy, problem)
        return done

    async def _transact(self, database: Database, batch: Batch) -> None:
        connection = self._connection
        if connection is None:
            connection = aiosqlite.Connection(lambda: database.connection, _CHUNK)
            # An engine that is never closed must not keep the interpreter from ending.
            connection._thread.daemon = True  # noqa: SLF001 - pinned by tests/engine/outbox
            self._connection = await connection
        try:
            for statement, parameters in batch.statements():
                await connection.executemany(statement, parameters)
            await connection.commit()
        except BaseException:
            with suppress(sqlite3.Error):
                await connection.rollback()
            raise

    def _log(self, error: Exception) -> None:
        log.outbox_not_saved(self._engine.fields, self._path, error)


def _tell(waiters: list[Waiter], problem: OutboxUnusable | None) -> None:
    """Tell the waiting callers the outcome."""
    while waiters:
        waiter = waiters.pop(0)
        if not waiter.done():
            waiter.set_result(problem)
