"""Writes the changes of an outbox into its file, many in one transaction."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from functools import partial

from recloser import log
from recloser.contract import Engine
from recloser.file_thread import FileThread
from recloser.outbox.effects import Change, Forget, Hide, Mark, Note, Read, Survey
from recloser.outbox.errors import OutboxNotSaved, OutboxUnusable
from recloser.outbox.events import Event, Restored
from recloser.outbox.file import fork
from recloser.outbox.file.database import Database, named
from recloser.outbox.file.reader import FileReader
from recloser.outbox.file.stored_message import StoredMessage
from recloser.outbox.options import Outbox

Waiter = asyncio.Future[OutboxUnusable | None]


class Batch:
    """The changes of one transaction: three maps by number; the latest change wins."""

    __slots__ = ("marked", "problem", "put", "removed", "waiters")

    def __init__(self) -> None:
        self.put: dict[int, StoredMessage] = {}
        self.marked: dict[int, int] = {}
        self.removed: set[int] = set()
        self.problem: OutboxUnusable | None = None
        """Why the last attempt to write them has failed."""
        self.waiters: list[Waiter] = []
        """Callers that wait until they are in the file."""

    def __bool__(self) -> bool:
        return bool(self.put or self.marked or self.removed)

    def note(self, row: StoredMessage) -> None:
        """Write a message."""
        self.removed.discard(row.number)
        self.marked.pop(row.number, None)
        self.put[row.number] = row

    def forget(self, numbers: Collection[int]) -> None:
        """Remove messages."""
        for changes in (self.put, self.marked):
            if changes:
                for number in numbers:
                    changes.pop(number, None)
        self.removed.update(numbers)

    def behind(self, older: "Batch") -> "Batch":
        """Join changes that could not be written with the newer ones."""
        newer = self.put.keys() | self.removed
        joined = Batch()
        joined.put = {n: row for n, row in older.put.items() if n not in newer} | self.put
        joined.marked = {n: d for n, d in older.marked.items() if n not in newer} | self.marked
        joined.removed = (older.removed - newer) | self.removed
        joined.waiters = older.waiters + self.waiters
        return joined

    def attempt(self, database: Database) -> None:
        """Write the changes in one transaction, and keep the error instead of raising it."""
        self.problem = None
        try:
            database.write(self.put.values(), self.marked, self.removed)
        except OutboxUnusable as error:
            self.problem = error
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait are told
            self.problem = named(database.path, error)


class GroupCommitWriter:
    """The file of one engine, open from `connect()` to closed; see `recloser.outbox.store.Store`.

    Commits everything noted since the last transaction in one, in a thread that waits for the disk
    and needs no task. A transaction that fails is undone, and tried again with the next one.
    """

    __slots__ = (
        *("__weakref__", "_batch", "_due", "_engine", "_fsync", "_hidden", "_leaving", "_loop"),
        *("_path", "_reader", "_steps", "_thread", "_unattended", "_under_way"),
        *("database", "ready"),
    )

    def __init__(self, path: str, options: Outbox, engine: Engine) -> None:
        self._path = path
        self._fsync = options.fsync
        self._reader = FileReader(options, engine)
        self._engine = engine
        self.database: Database | None = None
        """The open file."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: FileThread | None = None
        """It does what waits for the disk, up to the closing of the file."""
        self._batch = Batch()
        self._under_way: Batch | None = None
        """The changes of the transaction in the thread."""
        self._due = False
        """Whether a transaction begins in this turn of the loop, with all that the turn brings."""
        self._hidden: set[int] = set()
        self._leaving: set[Waiter] = set()
        """Each is done when another file has what is to be taken out of this one."""
        self._steps: list[Waiter] = []
        """Callers that wait until the thread has done what it does."""
        self.ready: bool = False
        """Whether the file is open, or is being released: then it can be opened afterwards."""
        self._unattended = False
        """Whether the thread releases the file, and nobody waits for that."""
        fork.inherited.add(self)

    def leave(self) -> None:
        """Leave the file to the process that this one was forked from, with all that waits."""
        self.database = self._thread = self._under_way = None
        self.ready, self._due, self._unattended = False, False, False
        self._batch, self._steps = Batch(), []
        self._leaving.clear()
        self._reader.cancel()

    @property
    def idle(self) -> bool:
        """Whether all changes that can be written are written."""
        return self._under_way is None and not (self.database is not None and self._batch)

    # -- the file -----------------------------------------------------------------------

    def open(self) -> Restored | None:
        """Open the file and read its first messages, unless it is open or being released.

        In the event loop's thread: nothing may be dialled before it is known to be ours. Raises
        `OutboxUnusable`; those who wait for the file are told.
        """
        if self._unattended or (self.ready and self._loop is not None and self._loop.is_closed()):
            self.abandon()  # nobody waits for its release, or the engine moves to another loop
        if self.ready:
            return None
        restored = self._open()
        self._reader.cancel()  # it begins anew
        return restored

    def _open(self) -> Restored:
        try:
            database = Database(self._path, fsync=self._fsync)
            try:
                restored = self._reader.first(database, self._gone(), self._batch.put)
            except BaseException:
                database.close()
                raise
        except OutboxUnusable as error:
            _tell(self._batch.waiters, error)  # they came while it was being given free
            raise
        self.database, self._thread, self.ready, self._due = database, None, True, False
        self._loop = asyncio.get_running_loop()
        self.write()
        return restored

    def _gone(self) -> set[int]:
        """Return the numbers of messages that the file has, and the outbox has not."""
        removed = self._batch.removed | self._hidden
        return removed | self._under_way.removed if self._under_way is not None else removed

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the file for the changes in the block, also while it is not open.

        Raises `OutboxUnusable` before the first change. Changes that cannot be written are logged
        and kept, to be written when the file is opened again.
        """
        if self._unattended:
            self.abandon()
        if self.ready:
            yield
            return
        database = Database(self._path, fsync=self._fsync)
        try:
            yield
            batch, self._batch = self._batch, Batch()
            batch.attempt(database)
            self._keep_unwritten(batch)
        finally:
            database.close()

    async def release(self, wanted: Callable[[], bool], reading: Callable[[], bool]) -> None:
        """Write the remaining changes and release the file, as long as that is `wanted`.

        `reading` says whether the core needs more of the file before that; what moved into another
        file leaves this one before that, too. Waiting callers get the error if not all could be
        written; that was logged. If this is cancelled, the thread does what is left, and nobody
        waits for it.
        """
        written = True
        try:
            while wanted() and (self.database is not None or (written and self._batch)):
                if self.database is None:
                    self._open()  # for what was noted while it was being closed
                self._read_on()
                await self._reader.finish(lambda: wanted() and reading())
                while wanted() and self._leaving:
                    await asyncio.wait(self._leaving)
                written = await self._close(wanted)
        except asyncio.CancelledError:
            if wanted():
                self._leave_to_thread()
            raise

    def _leave_to_thread(self) -> None:
        """Have the thread write the rest and release the file."""
        database, thread = self.database, self._thread
        if thread is None:
            self.abandon()  # nothing was read or written, so there is nothing to wait for
            return
        self._unattended = True
        if database is not None:
            self._reader.cancel()
            if self._under_way is not None:
                self._batch = self._batch.behind(self._under_way)  # all in one, some of it again
            if self._batch:
                self._commit(database)
            self._close_in(thread, database)

    async def _close(self, wanted: Callable[[], bool]) -> bool:
        """Write the rest, and release the file if still wanted; return whether all was written."""
        tried = False
        while self._under_way is not None or (self._batch and not tried):
            self._begin()
            if self._under_way is not None:
                await self._step()  # more may have been noted when this goes on
            tried = True
        written, database, thread = not self._batch, self.database, self._thread
        if database is None or not wanted():
            self._read_on()
            return written
        if thread is None:
            database.close()
            self.database, self.ready = None, False
        else:
            self._close_in(thread, database)
            await self._step()
        return written

    def _close_in(self, thread: FileThread, database: Database) -> None:
        self.database = None  # but `ready`: it can be opened when this is over
        thread.do_for(asyncio.get_running_loop(), database.close, partial(self._closed, thread))
        thread.end()

    def _closed(self, thread: FileThread) -> None:
        if thread is self._thread:  # nobody has opened it anew
            self.ready, self._unattended, self._thread = False, False, None
        _tell(self._steps, None)

    async def _step(self) -> None:
        """Wait until the thread has done what it does."""
        self._steps.append(asyncio.get_running_loop().create_future())
        await self._steps[-1]

    def abandon(self) -> None:
        """Write the rest and release the file at once, in the thread that calls.

        Its loop may be about to end, or has ended. A transaction that is under way ends first.
        """
        database, thread = self.database, self._thread
        self.database = self._thread = None
        if thread is not None:
            thread.join()
        if self._under_way is not None:
            self._written(self._under_way)
        if database is not None:  # or the thread was closing it
            self._reader.cancel()
            last, self._batch = self._batch, Batch()
            last.attempt(database)
            self._keep_unwritten(last)
            database.close()
        self.ready = self._unattended = False

    # -- reading ------------------------------------------------------------------------

    def read(self, request: Survey | Read, tell: Callable[[Event], object]) -> None:
        """Read in the thread, behind what this turn writes, and `tell`; once the file is open."""
        self._reader.ask(request, tell)
        if self._loop is not None and self.database is not None:
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """Begin to read, if that is asked for and the file is open."""
        if self.database is not None and self._loop is not None:
            thread = self._thread or FileThread("recloser outbox")
            self._reader.begin(self.database, thread, self._loop, self._gone)
            if thread.alive:
                self._thread = thread

    def read_now(self, *requests: Survey | Read) -> list[Event]:
        """Read in the thread that calls; what was asked for before is not told any more.

        A file that is not open is opened for that, and read as a whole. Raises `OutboxUnusable`,
        and what was asked for before is told then.
        """
        if self._unattended:
            self.abandon()
        if self.database is None:
            if self._thread is not None:
                self._thread.join()  # it has the file until it has closed it
            with closing(Database(self._path, fsync=self._fsync)) as database:
                return [self._reader.all(database, self._gone(), self._batch.put)]
        if self._thread is not None:
            self._thread.wait()
        return self._reader.found(self.database, requests, self._gone())

    # -- changes ------------------------------------------------------------------------

    def note(self, change: Change) -> None:
        """Take a change; it is written after `write` or `saved`."""
        batch = self._batch
        match change:
            case Note(message):
                batch.note(StoredMessage.of(message, self._engine.clock))
            case Forget(numbers):
                batch.forget(numbers)
                self._hidden.difference_update(numbers)
            case Mark(deliveries):
                batch.marked.update(deliveries)
            case Hide(numbers):
                self._hidden.update(numbers)

    def hold(self, until: Waiter) -> None:
        """See `recloser.outbox.store.Store`."""
        self._leaving.add(until)
        until.add_done_callback(self._leaving.discard)

    def write(self) -> None:
        """Write the changes at the end of this turn, or behind the transaction under way."""
        waits = not self._due and self._under_way is None and self.database is not None
        if waits and self._batch and self._loop:
            self._due = True
            self._loop.call_soon(self._begin)

    def saved(self) -> Waiter | None:
        """Return a future that is done when all changes so far are in the file, with the error.

        None: they are there already.
        """
        batch = self._batch or self._under_way
        if batch is None:
            return None
        waiter: Waiter = (self._loop or asyncio.get_running_loop()).create_future()
        if batch is self._batch and not self.ready:
            waiter.set_result(OutboxNotSaved(self._path, "is not open"))
            return waiter
        batch.waiters.append(waiter)
        if self._under_way is None and self.database is not None:
            self._commit(self.database)  # all that belongs together has been noted
        return waiter

    # -- writing ------------------------------------------------------------------------

    def _begin(self) -> None:
        """Give the changes so far to the thread, if there are any and it has nothing to do."""
        self._due = False
        if self._under_way is None and self.database is not None and self._batch:
            self._commit(self.database)

    def _commit(self, database: Database) -> None:
        """Give the changes so far to the thread; without one, those who wait are told."""
        thread, batch = self._thread or FileThread("recloser outbox"), self._batch
        job, written = partial(batch.attempt, database), partial(self._written, batch)
        try:
            thread.do_for(asyncio.get_running_loop(), job, written)
        except OSError as error:
            batch.problem = named(database.path, error)
            self._keep_unwritten(batch)
            return
        self._thread, self._under_way, self._batch = thread, batch, Batch()

    def _written(self, batch: Batch) -> None:
        """Go on when a transaction is over; if it failed, with the next one that a caller wants."""
        if batch is not self._under_way:
            return  # the file was abandoned meanwhile
        self._under_way = None
        self._keep_unwritten(batch)
        if batch.problem is None or self._batch.waiters:
            self._begin()
        _tell(self._steps, None)

    def _keep_unwritten(self, batch: Batch) -> None:
        """Tell those who wait for a batch, and keep its changes if they could not be written."""
        _tell(batch.waiters, batch.problem)
        if batch.problem is not None:
            self._batch = self._batch.behind(batch)
            log.outbox_not_saved(self._engine.fields, self._path, batch.problem)


def _tell(waiters: list[Waiter], problem: OutboxUnusable | None) -> None:
    """Tell the waiting callers the outcome, unless their event loop has ended."""
    for waiter in waiters:
        if not (waiter.done() or waiter.get_loop().is_closed()):
            waiter.set_result(problem)
    waiters.clear()
