"""Writes the changes of an outbox into its file, many in one transaction."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from recloser import log
from recloser.contract import Engine
from recloser.file_thread import FileThread
from recloser.outbox.effects import Change, Forget, Hide, Mark, Note, Read, Survey
from recloser.outbox.errors import OutboxNotSaved, OutboxUnusable
from recloser.outbox.events import Event, Restored
from recloser.outbox.file import fork
from recloser.outbox.file.batch import Batch
from recloser.outbox.file.database import Database, StoredMessage, named
from recloser.outbox.file.reader import FileReader
from recloser.outbox.message import Message
from recloser.outbox.options import Outbox

Waiter = asyncio.Future[OutboxUnusable | None]


class GroupCommitWriter:
    """The file of one engine, open from `connect()` to closed; see `recloser.outbox.store.Store`.

    Commits everything noted since the last transaction in one, in a thread that waits for the disk
    and needs no task. A transaction that fails is undone, and tried again with the next one.
    """

    __slots__ = (
        *(
            "__weakref__",
            "_batch",
            "_busy",
            "_due",
            "_engine",
            "_fsync",
            "_hidden",
            "_loop",
            "_path",
            "_problem",
        ),
        *("_reader", "_steps", "_thread", "_under_way", "_waiters", "database", "ready"),
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
        self._problem: OutboxUnusable | None = None
        """Why that transaction has failed; the thread sets it."""
        self._due = False
        """Whether a transaction begins in this turn of the loop, with all that the turn brings."""
        self._hidden: set[int] = set()
        self._waiters: list[Waiter] = []
        """Callers whose changes are in the batch."""
        self._busy: list[Waiter] = []
        """Callers whose changes are in the transaction under way."""
        self._steps: list[asyncio.Future[None]] = []
        """Callers that wait until the thread has done what it does."""
        self.ready: bool = False
        """Whether the file is open, or is being released: then it can be opened afterwards."""
        fork.inherited.add(self)

    def leave(self) -> None:
        """Leave the file to the process that this one was forked from, with all that waits."""
        self.database = self._thread = self._under_way = None
        self.ready, self._due, self._batch = False, False, Batch()
        self._busy, self._waiters, self._steps = [], [], []
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
        if self.ready and self._loop is not None and self._loop.is_closed():
            self.abandon()  # the engine moves to another loop
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
            _tell(self._waiters, error)  # they came while it was being given free
            raise
        self.database, self._thread, self.ready, self._due = database, None, True, False
        self._loop = asyncio.get_running_loop()
        self._start()
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
        if self.ready:
            yield
            return
        database = Database(self._path, fsync=self._fsync)
        try:
            yield
            batch, self._batch = self._batch, Batch()
            try:
                batch.write_to(database)
            except OutboxUnusable as error:
                self._batch = self._batch.behind(batch)
                self._log(error)
        finally:
            database.close()

    async def release(self, wanted: Callable[[], bool], reading: Callable[[], bool]) -> None:
        """Write the remaining changes and release the file, as long as that is `wanted`.

        `reading` says whether the core needs more of the file before that. Waiting callers get the
        error if not all could be written; that was logged.
        """
        written = True
        while wanted() and (self.database is not None or (written and self._batch)):
            if self.database is None:
                self._open()  # for what was noted while it was being closed
            self._read_on()
            await self._reader.finish(lambda: wanted() and reading())
            written = await self._close(wanted)

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
        self.database = None  # but `ready`: it can be opened when this is over
        if thread is None:
            database.close()
            self.ready = False
        else:
            thread.do_for(asyncio.get_running_loop(), database.close, self._closed)
            thread.end()
            await self._step()
        return written

    def _closed(self) -> None:
        if self.database is None:  # nobody has opened it anew
            self.ready, self._thread = False, None
        self._stepped()

    async def _step(self) -> None:
        """Wait until the thread has done what it does."""
        self._steps.append(asyncio.get_running_loop().create_future())
        await self._steps[-1]

    def _stepped(self) -> None:
        steps, self._steps = self._steps, []
        for step in steps:
            if not step.done():
                step.set_result(None)

    def abandon(self) -> None:
        """Write the rest and release the file at once, in the thread that calls.

        Its loop may be about to end, or has ended. A transaction that is under way ends first.
        """
        database, thread = self.database, self._thread
        self.database = self._thread = None
        if thread is not None:
            thread.join()
        if self._loop is None or self._loop.is_closed():
            self._busy, self._waiters, self._steps = [], [], []  # their tasks have ended
        if database is None:  # the thread was closing it
            self.ready = False
            return
        self._reader.cancel()
        self._written()
        problem: OutboxUnusable | None = None
        try:
            self._batch.write_to(database)
            self._batch = Batch()
        except OutboxUnusable as error:
            problem = error
            self._log(error)
        _tell(self._waiters, problem)
        database.close()
        self.ready = False

    # -- reading ------------------------------------------------------------------------

    def read(self, request: Survey | Read, tell: Callable[[Event], object]) -> None:
        """Read in the thread, and `tell` what was found; if not open, when it is opened again."""
        self._reader.ask(request, tell)
        self._read_on()

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
                batch.note(self._row(message))
            case Forget(numbers):
                batch.forget(numbers)
                self._hidden.difference_update(numbers)
            case Mark(deliveries):
                batch.marked.update(deliveries)
            case Hide(numbers):
                self._hidden.update(numbers)

    def write(self) -> None:
        """Write the changes at the end of this turn, or behind the transaction under way."""
        if not self._due:
            self._start()

    def saved(self) -> Waiter | None:
        """Return a future that is done when all changes so far are in the file, with the error.

        None: they are there already.
        """
        noted = bool(self._batch)
        if not noted and self._under_way is None:
            return None
        waiter: Waiter = (self._loop or asyncio.get_running_loop()).create_future()
        if not noted:
            self._busy.append(waiter)
        elif self.ready:
            self._waiters.append(waiter)
            if self._under_way is None and self.database is not None:
                self._commit(self.database)  # all that belongs together has been noted
        else:
            waiter.set_result(OutboxNotSaved(self._path, "is not open"))
        return waiter

    def _row(self, message: Message) -> StoredMessage:
        """Return the row of a message; its times are those of the wall clock."""
        expires_at = message.expires_at
        if expires_at is not None:
            expires_at += self._engine.clock.wall() - self._engine.clock.monotonic()
        number, own, key, data = message.number, message.id, message.key, message.data
        suspect = int(message.suspect)
        return StoredMessage(number, own, key, data, expires_at, message.deliveries, suspect)

    # -- writing ------------------------------------------------------------------------

    def _start(self) -> None:
        """Begin a transaction at the end of this turn, unless one is under way."""
        if self._under_way is None and self.database is not None and self._batch and self._loop:
            self._due = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Give the changes so far to the thread, if there are any and it has nothing to do."""
        self._due = False
        if self._under_way is None and self.database is not None and self._batch:
            self._commit(self.database)

    def _commit(self, database: Database) -> None:
        """Give the changes so far to the thread; without one, those who wait are told."""
        thread, batch = self._thread or FileThread("recloser outbox"), self._batch
        job = partial(self._transact, database, batch)
        try:
            thread.do_for(asyncio.get_running_loop(), job, self._written)
        except OSError as error:
            problem = named(database.path, error)
            self._log(problem)
            _tell(self._waiters, problem)
            return
        self._thread, self._under_way, self._batch = thread, batch, Batch()
        self._busy, self._waiters = self._waiters, []

    def _transact(self, database: Database, batch: Batch) -> None:
        """Write a batch, in the thread."""
        self._problem = None
        try:
            batch.write_to(database)
        except OutboxUnusable as error:
            self._problem = error
        except Exception as error:  # noqa: BLE001 - whatever it was, those who wait are told
            self._problem = named(database.path, error)

    def _written(self) -> None:
        """Go on when a transaction is over; if it failed, keep its changes.

        They are written with the next ones, if a caller waits for these.
        """
        batch, self._under_way = self._under_way, None
        if batch is None:
            return  # the file was abandoned meanwhile
        problem = self._problem
        if problem is not None:
            self._log(problem)
            self._batch = self._batch.behind(batch)
        busy, self._busy = self._busy, []
        _tell(busy, problem)
        if problem is None or self._waiters:
            self._begin()
        self._stepped()

    def _log(self, error: Exception) -> None:
        log.outbox_not_saved(self._engine.fields, self._path, error)


def _tell(waiters: list[Waiter], problem: OutboxUnusable | None) -> None:
    """Tell the waiting callers the outcome."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(problem)
    waiters.clear()
