"""Reads the messages of an open outbox file in parts: the first ones, a survey, a window.

SQLite lets go of the interpreter's lock for each row of an answer, and a thread gets it back 5 ms
later while the event loop is busy. So the survey and a window are answers of one row: a window has
all its data in one value.
"""

import asyncio
import sqlite3
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import accumulate, islice, repeat
from typing import Any, Final

from recloser import log
from recloser.contract import Engine
from recloser.file_thread import FileThread
from recloser.outbox.effects import Read, Survey
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.events import Event, Known, Restored, Surveyed, Unreadable, Window
from recloser.outbox.file.database import Database, named, unreadable
from recloser.outbox.file.stored_message import COLUMNS, StoredMessage, plain_checksums
from recloser.outbox.message import Message
from recloser.outbox.options import Outbox
from recloser.outbox.window import ReadWindow

PART: Final = 512
"""Messages of a survey that are told in one turn of the event loop: 3 ms."""
Found = Known | Surveyed | Window | Unreadable
"""What the core is told of a reading."""

_SIZE: Final = (
    "octet_length(data)"  # does not read the data
    if sqlite3.sqlite_version_info >= (3, 43)
    else "length(CAST(data AS BLOB))"
)
_PLAIN: Final = (
    "key IS NULL AND expires_at IS NULL AND suspect = 0"
    " AND (id IS NULL OR (? AND typeof(id) = 'integer' AND id = number))"
)
"""Of such a message the outbox need not know more than number and size before its turn; the value
is whether an id may be the number."""
_BEHIND: Final = f"SELECT {COLUMNS} FROM message WHERE number > ? ORDER BY number"  # noqa: S608 - of constants
_OTHERS: Final = (
    f"SELECT {COLUMNS} FROM message WHERE number > ? AND NOT ({_PLAIN}) ORDER BY number"  # noqa: S608 - of constants
)
_COUNT: Final = (
    f"SELECT count(*), ifnull(sum({_SIZE}), 0) FROM message WHERE number > ? AND {_PLAIN}"  # noqa: S608 - of constants
)
_INDEX: Final = (
    "SELECT group_concat(number), group_concat(size), group_concat(form, ''),"  # noqa: S608 - of constants
    " group_concat(deliveries), max(size),"
    " CAST(group_concat(CASE WHEN size <= ? THEN data END, '') AS BLOB), sum(checksum) FROM ("
    f"SELECT number, {_SIZE} AS size,"
    " substr('bBtT', 1 + (id IS NOT NULL) + 2 * (typeof(data) = 'text'), 1) AS form,"
    " deliveries, data, checksum"
    f" FROM message WHERE number > ? AND {_PLAIN} ORDER BY number LIMIT ?)"
)
"""The form is a letter: b for bytes, t for text, and a capital one if the number is the id. The
data are there at once, up to a size of each: SQLite reads them while the event loop computes."""
_DATA: Final = (
    "SELECT CAST(group_concat(data, '') AS BLOB), sum(checksum) FROM ("  # noqa: S608 - of constants
    f"SELECT data, checksum FROM message WHERE number BETWEEN ? AND ? AND {_PLAIN} ORDER BY number)"
)
_SINGLY: Final = (
    f"SELECT {COLUMNS} FROM message WHERE number BETWEEN ? AND ? AND {_PLAIN} ORDER BY number"  # noqa: S608 - of constants
)


def first_rows(
    database: Database, bounds: ReadWindow, *, until: int = 0, delivered: bool = False
) -> tuple[list[StoredMessage], bool]:
    """Return the first messages, and whether more are behind them.

    Beyond the bounds they go on up to the number `until` and, where `delivered` ones are wanted,
    up to the first message that was not handed over.
    """
    rows: list[StoredMessage] = []
    size = 0
    with closing(database.select(_BEHIND, 0)) as found:
        for row in found:
            full = rows and (len(rows) >= bounds.messages or size + row.size > bounds.bytes)
            if full and row.number > until and not (delivered and row.deliveries):
                return rows, True
            rows.append(row)
            size += row.size
    database.check()
    return rows, False


def survey(
    database: Database, after: int, *, numbered: bool = True
) -> tuple[int, int, list[StoredMessage]]:
    """Check the file, and look at the messages behind `after`; raises `OutboxUnusable`.

    Return number and bytes of the plain ones, and the others. A message whose id is its number is
    plain if messages are `numbered`.
    """
    database.check()
    try:
        [[messages, size]] = database.connection.execute(_COUNT, (after, numbered))
    except (sqlite3.Error, ValueError) as error:
        raise unreadable(database.path, error) from error
    return messages, size, list(database.select(_OTHERS, after, numbered))


def next_messages(
    database: Database,
    after: int,
    bounds: ReadWindow | None,
    *,
    numbered: bool = True,
    named: bool = False,
) -> tuple[list[Message], bool]:
    """Return the plain messages behind `after`, and whether more are behind them.

    As many as the bounds say, or all without bounds. A message whose id is its number is plain if
    messages are `numbered`; all have their number as id if they are `named`. Raises
    `OutboxUnusable`.
    """
    part = ReadWindow() if bounds is None else bounds  # SQLite has no value of more than 1 GB
    try:
        messages, more = _next_messages(database, after, part, numbered, named)
        while more and bounds is None:
            last = messages[-1].number
            found, more = _next_messages(database, last, part, numbered, named)
            messages += found
    except (sqlite3.Error, ValueError) as error:
        raise unreadable(database.path, error) from error
    return messages, more


def _next_messages(
    database: Database, after: int, bounds: ReadWindow, numbered: bool, named: bool
) -> tuple[list[Message], bool]:
    run = database.connection.execute
    small = bounds.bytes // bounds.messages
    [found] = run(_INDEX, (small, after, numbered, bounds.messages + 1))
    if found[0] is None:
        return [], False
    numbers = _ascending(found[0])
    sizes, deliveries = _ints(found[1]), _ints(found[3])
    facts: list[Any] = [numbers, sizes, found[2], deliveries]
    if any(len(each) != len(numbers) for each in facts):
        raise ValueError("a message is not as it was written")
    ends = list(accumulate(sizes))
    count = min(max(1, bisect(ends, bounds.bytes)), bounds.messages)
    more = count < len(numbers)
    data, checksums, there = found[5], found[6], len(numbers)
    part = (numbers[0], numbers[-1], numbered)
    if found[4] > small:
        part, there = (numbers[0], numbers[count - 1], numbered), count
        [[data, checksums]] = run(_DATA, part)
    # Column by column, and not row by row: a loop of the interpreter takes twice as long.
    numbers, sizes, forms, deliveries = (each[:there] for each in facts)
    parts = [data[start:end] for start, end in zip([0, *ends], ends[:there], strict=False)]
    # The sum of all is as good as each of them, and SQLite adds without the interpreter's lock.
    if sum(plain_checksums(numbers, forms.encode(), parts)) != checksums:
        raise ValueError(_damage(database, part))
    texts = [
        part.decode() if form in "tT" else part for part, form in zip(parts, forms, strict=True)
    ]
    if numbers[0] <= database.marked.high:
        deliveries = [
            database.marked.deliveries if number in database.marked else times
            for number, times in zip(numbers, deliveries, strict=True)
        ]
    ids = [number if form in "BT" else None for number, form in zip(numbers, forms, strict=True)]
    none = repeat(None)
    columns = zip(
        *(texts, sizes, none, none, none, numbers, numbers if named else ids, deliveries),
        repeat(False),
        strict=False,
    )
    return list(map(tuple.__new__, repeat(Message), islice(columns, count))), more


def _damage(database: Database, part: tuple[int, int, bool]) -> str:
    """Find the message that is not as it was written: raises `OutboxUnusable`, which names it."""
    deque(database.select(_SINGLY, *part), maxlen=0)
    return "a message is not as it was written"


def _ints(listed: str) -> list[int]:
    """Return the values of a column, of which many are alike: one number, or none, is parsed."""
    first, count = listed.partition(",")[0], listed.count(",") + 1
    if listed == ",".join(repeat(first, count)):
        return [int(first)] * count
    return list(map(int, listed.split(",")))


def _ascending(listed: str) -> list[int]:
    """Return the numbers of messages; of an unbroken range only the ends are parsed.

    In a damaged file they might be in another order: then the checksums are wrong.
    """
    first, count = int(listed.partition(",")[0]), listed.count(",") + 1
    if int(listed.rpartition(",")[2]) == first + count - 1:
        return list(range(first, first + count))
    return list(map(int, listed.split(",")))


class FileReader:
    """Reads for the core: the first messages when the file is opened, the others in the thread.

    One reading is asked for at a time. What it found is told in the event loop.
    """

    __slots__ = (
        *("_begun", "_delivered", "_engine", "_numbered", "_plain", "_request"),
        *("_tell", "_waiter"),
    )

    def __init__(self, options: Outbox, engine: Engine) -> None:
        wanted = options.acknowledgements
        self._delivered = wanted is not None
        """Whether an acknowledgement may come for what an earlier process has handed over."""
        self._numbered = wanted is not None and wanted.numbered
        self._plain = wanted is None or wanted.numbered
        """Whether nothing is to be known of an id that is the number of its message."""
        self._engine = engine
        self._request: Survey | Read | None = None
        self._tell: Callable[[Event], object] | None = None
        self._waiter: asyncio.Future[None] | None = None
        """Done when what was asked for is told."""
        self._begun = False
        """Whether the thread was asked."""

    # -- in the event loop --------------------------------------------------------------

    def first(self, database: Database, gone: set[int], unwritten: Iterable[int]) -> Restored:
        """Return the first messages, without those that are `gone`; raises `OutboxUnusable`.

        Among them are the `unwritten` ones of which the file has an older state: they are in
        memory, and must not be counted as unread, too.
        """
        unwritten, highest = frozenset(unwritten), database.highest()
        until = max((each for each in unwritten if each <= highest), default=0)
        rows, more = first_rows(database, ReadWindow(), until=until, delivered=self._delivered)
        if not more:
            return self._restored(database, rows, gone, unwritten, None)
        return self._restored(database, rows, gone, unwritten, highest)

    def all(self, database: Database, gone: set[int], unwritten: Iterable[int]) -> Restored:
        """Return all messages, without those that are `gone`; raises `OutboxUnusable`."""
        restored = self._restored(database, database.rows(), gone, unwritten, None)
        self.cancel()
        return restored

    def _restored(
        self,
        database: Database,
        rows: list[StoredMessage],
        gone: set[int],
        unwritten: Iterable[int],
        highest: int | None,
    ) -> Restored:
        messages = [self._message(row) for row in rows if row.number not in gone]
        return Restored(messages, database.last(), frozenset(unwritten), highest)

    def ask(self, request: Survey | Read, tell: Callable[[Event], object]) -> None:
        """Take a reading that the core asks for."""
        self._request, self._tell, self._begun = request, tell, False

    def cancel(self) -> None:
        """Tell nothing any more of what was asked for."""
        self._request = self._tell = None
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not (waiter.done() or waiter.get_loop().is_closed()):
            waiter.set_result(None)

    async def finish(self, needed: Callable[[], bool]) -> None:
        """Wait until what was asked for is told, and what is asked for then, while `needed`."""
        while self._request is not None and needed():
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def begin(
        self,
        database: Database,
        thread: FileThread,
        loop: asyncio.AbstractEventLoop,
        gone: Callable[[], set[int]],
    ) -> None:
        """Do in the thread what was asked for, unless it does that already."""
        request = self._request
        if request is None or self._begun:
            return
        self._begun = True
        found: list[Found] = []
        try:
            thread.do_for(
                loop,
                lambda: found.extend(self._read(database, request)),
                lambda: self._hand_on(request, loop, deque(_without(found, gone()))),
            )
        except OSError as error:
            self._hand_on(request, loop, deque([Unreadable(named(database.path, error))]))

    def _hand_on(
        self, request: Survey | Read, loop: asyncio.AbstractEventLoop, events: deque[Found]
    ) -> None:
        """Tell what was read, a part in each turn, unless that is not asked for any more."""
        tell = self._tell
        if request is not self._request or tell is None:
            return
        event = events.popleft()
        if events:
            loop.call_soon(self._hand_on, request, loop, events)
        else:
            self.cancel()
        if isinstance(event, Unreadable):
            log.outbox_unreadable(self._engine.fields, event.error.path, event.error)
        tell(event)

    # -- in the thread, or at once ------------------------------------------------------

    def found(
        self, database: Database, requests: Iterable[Survey | Read], gone: set[int]
    ) -> list[Event]:
        """Return what the core would be told, without messages that are `gone`.

        Raises `OutboxUnusable`; unless it does, what was asked for before is not told any more.
        """
        events: list[Event] = []
        for request in requests:
            for event in _without(self._read(database, request), gone):
                if isinstance(event, Unreadable):
                    raise event.error
                events.append(event)
        self.cancel()
        return events

    def _read(self, database: Database, request: Survey | Read) -> list[Found]:
        message = self._message
        try:
            if isinstance(request, Survey):
                count, size, others = survey(database, request.after, numbered=self._plain)
                known = [message(row) for row in others]
                parts = [known[at : at + PART] for at in range(0, len(known), PART)]
                return [*map(Known, parts), Surveyed(count, size)]
            after, bounds, ids = request.after, request.bounds, self._numbered
            found, more = next_messages(database, after, bounds, numbered=self._plain, named=ids)
            return [Window(after, found, found[-1].number if more else None)]
        except OutboxUnusable as error:
            return [Unreadable(error)]
        except Exception as error:  # noqa: BLE001 - whatever it was, the core is told
            return [Unreadable(unreadable(database.path, error))]

    def _message(self, row: StoredMessage) -> Message:
        """Return the message of a row; its number is its id if it has no other id."""
        number, identity, key, data, expires_at, deliveries, suspect = row
        if expires_at is not None:
            expires_at += self._engine.clock.monotonic() - self._engine.clock.wall()
        if identity is None and self._numbered:
            identity = number
        # By place: names would take twice as long.
        return Message(
            data, row.size, key, expires_at, None, number, identity, deliveries, bool(suspect)
        )


def _without(events: Iterable[Found], gone: set[int]) -> Iterable[Found]:
    """Leave out the messages that are to be taken out of the file."""
    for event in events:
        if gone and isinstance(event, Known | Window):
            event.messages = [each for each in event.messages if each.number not in gone]
        yield event
