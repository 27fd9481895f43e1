"""The messages that wait: their order, bounds and keys, and those that wait for room.

With a file only a window of the waiting messages is in memory. Those that come next are in
`order`. Behind them come the messages with a number above `after`: most are *unread*, in the file
alone, and only counted here. In memory are those of `later`: messages that are not in the file yet,
and messages of which more must be known than number and size.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import replace
from itertools import islice, takewhile
from math import inf

from recloser.outbox.message import Entry, Message
from recloser.outbox.options import Outbox
from recloser.outbox.window import ReadWindow


class Backlog:
    """The one place that knows the order and the bounds of the waiting messages.

    It says which message fits, which is next and which must give way. It moves no message and
    reports nothing: the core does.
    """

    __slots__ = (
        "_highest",
        "_keyed",
        "_max_bytes",
        "_max_messages",
        "_mixed",
        "_most",
        "_most_bytes",
        "_passing",
        "_unread_bytes",
        "after",
        "bytes",
        "counted",
        "doomed",
        "later",
        "line",
        "order",
        "pausing",
        "reading",
        "timed",
        "unread",
        "window",
    )

    def __init__(self, bounds: Outbox, window: ReadWindow) -> None:
        self.window: ReadWindow = window
        self._most: float = inf if bounds.path is None else window.most
        self._most_bytes: float = inf if bounds.path is None else window.most_bytes
        self._max_messages = bounds.max_messages
        self._max_bytes = bounds.max_bytes
        # A dict would search its first entry among the places of removed entries.
        self.order: OrderedDict[Entry, None] = OrderedDict()
        """The waiting messages, in the order in which they go out; changed here alone."""
        self._keyed: dict[Hashable, Entry] = {}
        self.line: OrderedDict[Entry, None] = OrderedDict()
        """Messages for which there was no room: not accepted, first come first served."""
        self._passing: OrderedDict[Entry, None] = OrderedDict()
        """The messages of `order` that need not wait behind those that wait for the window."""
        self.timed: int = 0
        """Number of messages with a time to live."""
        self.bytes: int = 0
        """The size of all messages, in bytes; of the unread ones as soon as they are counted."""
        self._highest = 0
        """The highest number of a message that came in."""
        self.after: int | None = None
        """The number behind which messages may be unread; None: all are in memory."""
        self.later: OrderedDict[int, Entry] = OrderedDict()
        """The messages in memory that come behind those of `order` and `after`, by number."""
        self._mixed = False
        """Whether `later` is out of order until all messages are counted."""
        self.unread: int = 0
        """How many messages are in the file alone; the most that there may be until counted."""
        self._unread_bytes = 0
        self.counted: bool = True
        """Whether it is known how many messages are unread, and which of them are in `later`."""
        self.reading: bool = False
        """Whether the file is being read, or cannot be read any more."""
        self.pausing: bool = False
        """Whether the flush waits for its marks in the file."""
        self.doomed: int = 0
        """The unread messages up to this number are to be dropped: the policy decided so."""

    def __len__(self) -> int:
        return len(self.order) + len(self.later) + self.unread

    @property
    def empty(self) -> bool:
        """Whether no message waits, here or in the file."""
        return self.after is None and not self.order

    @property
    def first(self) -> Entry | None:
        """The message whose turn it is."""
        return next(iter(self.order), None)

    def head(self, count: int) -> list[Message]:
        """Return the first messages, so many at most."""
        return [entry.message for entry in islice(self.order, count)]

    @property
    def passing(self) -> Entry | None:
        """The first message that need not wait behind those that wait for the window."""
        return next(iter(self._passing), None)

    # -- bounds -------------------------------------------------------------------------

    def fits(self, message: Message) -> bool:
        """Whether there is room for it; the room of the message that it replaces counts."""
        older = self._older(message)
        count, size = len(self), self.bytes
        if older is not None:
            count, size = count - 1, size - older.message.size
        return count < self._max_messages and size + message.size <= self._max_bytes

    def takes(self, message: Message) -> bool:
        """Whether it fits, and no message waits for room before it."""
        if self.line or message.key is not None or self.after is not None:
            return self.counted and not self.line and self.fits(message)
        count, size = len(self.order), self.bytes + message.size
        return count < self._max_messages and size <= self._max_bytes

    def fit_all(self, messages: Iterable[Message], held: int) -> bool:
        """Whether all of these fit behind `held` messages, as if no key replaced another."""
        sizes = [message.size for message in messages]
        return (
            held + len(sizes) <= self._max_messages and self.bytes + sum(sizes) <= self._max_bytes
        )

    def make_room(self, message: Message) -> list[Entry]:
        """Take out the oldest messages until this one fits, or the file has to be read first."""
        found = []
        while self.order and not self.fits(message):
            entry = next(iter(self.order))
            self.remove(entry)
            found.append(entry)
        return found

    # -- messages that wait for room ----------------------------------------------------

    def line_up(self, entry: Entry) -> None:
        """Let a message wait for room, behind the others."""
        self.line[entry] = None

    def step_out(self, entry: Entry) -> None:
        """End the wait of a message for room."""
        self.line.pop(entry, None)

    def next_in_line(self) -> Entry | None:
        """Take out the message that waited longest for room, if it is known to fit now."""
        for entry in self.line:
            if self.counted and self.fits(entry.message):
                del self.line[entry]
                return entry
            break
        return None

    def send_away(self, generation: int | None = None) -> list[Entry]:
        """Take out all messages that wait for room, or those that must not outlive `generation`."""
        found = [
            entry
            for entry in self.line
            if generation is None or entry.message.generation == generation
        ]
        for entry in found:
            del self.line[entry]
        return found

    # -- order --------------------------------------------------------------------------

    def append(self, entry: Entry) -> Entry | None:
        """Put a message at the end; take out and return the message that it replaces."""
        older = None if entry.message.key is None else self._older(entry.message)
        if older is not None:
            self.remove(older)
        number = entry.message.number
        if self.after is None and number > self._highest and self._is_memory_full():
            self.after = number - 1
        self._highest = max(self._highest, number)
        self._count(entry)
        if self.after is not None and number > self.after:
            self._mixed = self._mixed or number < next(reversed(self.later), number)
            self.later[number] = entry
        else:
            self.order[entry] = None
        return older

    def _is_memory_full(self) -> bool:
        """Whether new messages are to be unread, where all are in memory now."""
        return len(self.order) >= self._most or self.bytes >= self._most_bytes

    def put_back(self, entries: list[Entry]) -> list[Entry]:
        """Put messages ahead of all others, in their order; return those that are outdated.

        They were accepted before, so they may exceed the bounds. Numbered ones come behind those
        of a lower number that were put back before.
        """
        if entries:
            last = entries[-1].message.number
            ahead = list(takewhile(lambda each: each.message.number < last, self.order))
            for entry in ahead:
                self.remove(entry)
            entries = sorted([*entries, *ahead], key=lambda each: each.message.number)
        replaced = []
        for entry in reversed(entries):
            if self._older(entry.message) is not None:
                replaced.append(entry)
            else:
                self._count(entry)
                self.order[entry] = None
                self.order.move_to_end(entry, last=False)
        return replaced[::-1]

    def remove(self, entry: Entry) -> None:
        """Take one out."""
        message = entry.message
        if self.after is None or entry in self.order:
            del self.order[entry]
        else:
            del self.later[message.number]
        self.bytes -= message.size
        if message.expires_at is not None:
            self.timed -= 1
        if self._passing:
            self._passing.pop(entry, None)
        if message.key is not None:
            del self._keyed[message.key]

    def take(self, generation: int | None = None) -> list[Entry]:
        """Take out all in memory, or all that must not outlive `generation`."""
        found = [
            each
            for each in (*self.order, *self.later.values())
            if generation is None or each.message.generation == generation
        ]
        for entry in found:
            self.remove(entry)
        return found

    def expired(self, now: float) -> list[Entry]:
        """Take out the messages whose time to live is over."""
        if not self.timed:
            return []
        found = [
            each
            for each in (*self.order, *self.later.values())
            if each.message.expires_at is not None and each.message.expires_at <= now
        ]
        for entry in found:
            self.remove(entry)
        return found

    def _older(self, message: Message) -> Entry | None:
        """Find the message of the same key."""
        return None if message.key is None else self._keyed.get(message.key)

    # -- the window ---------------------------------------------------------------------

    @property
    def hungry(self) -> bool:
        """Whether more of the file should be read; in a pause of the flush if there is any room.

        The thread of the file begins then, and reads while the flush goes on. One that is asked in
        the middle of a flush waits for the interpreter's lock before it can begin.
        """
        if self.after is None or self.reading or not self.counted:
            return False
        near, window = self.bytes - self._unread_bytes, self.window
        enough = window.ahead + window.messages if self.pausing else window.ahead
        return (len(self.order) < enough and near < 2 * window.bytes) or not self.order

    @property
    def next_part(self) -> ReadWindow:
        """The bounds of the next reading: it leaves one reading and those `ahead` in memory."""
        window = self.window
        room = window.ahead + window.messages - len(self.order)
        return window if room >= window.messages else replace(window, messages=room)

    def reopen(self, after: int | None, unread: int, last: int) -> None:
        """Begin with a file that was opened: so many messages behind `after` are unread at most.

        No number above `last` was used. No message is in memory now.
        """
        self.bytes -= self._unread_bytes
        self.after, self.unread = after, unread
        self._highest = max(self._highest, last)
        self._unread_bytes = 0
        self.counted, self.reading = after is None, False

    def count_unread(self, messages: int, size: int) -> None:
        """Learn how many messages are in the file alone, and how many bytes they have."""
        self.unread, self._unread_bytes, self.counted = messages, size, True
        self.bytes += size
        if self._mixed:
            self.later, self._mixed = OrderedDict(sorted(self.later.items())), False

    def doom(self) -> None:
        """Have the messages dropped that are unread now, when they are read."""
        if self.after is not None:
            self.doomed = self._highest

    @property
    def dooms(self) -> bool:
        """Whether unread messages are to be dropped yet."""
        return self.after is not None and self.after < self.doomed

    def leave_to_file(self, entry: Entry) -> bool:
        """Let a message be unread that is in the file now, if it comes behind the window.

        Return whether it is. One stays in memory of which more than number and size matters.
        """
        message = entry.message
        if (
            not self.counted
            or self.later.get(message.number) is not entry
            or not (message.key is None and message.expires_at is None)
            or not (message.generation is None and message.id in (None, message.number))
            or message.suspect
            or message.number <= self.doomed
        ):
            return False
        del self.later[message.number]
        self.unread += 1
        self._unread_bytes += message.size
        return True

    def take_in(self, messages: Iterable[Message], last: int | None) -> list[Entry]:
        """Take the next messages of the file into memory; return those that were unread.

        They go up to the number `last`; None: there are no more.
        """
        later = self.later
        if later:
            messages = [each for each in messages if each.number not in later]
        found = list(map(Entry, messages))
        self.unread -= len(found)
        self._unread_bytes -= sum([each.message.size for each in found])
        if last is None:  # whatever was counted
            self.bytes -= self._unread_bytes
            self.unread = self._unread_bytes = 0
        ahead = later.values()
        there = list(takewhile(lambda each: last is None or each.message.number <= last, ahead))
        for entry in there:
            del later[entry.message.number]
        joined = sorted([*found, *there], key=lambda each: each.message.number) if there else found
        order = self.order
        for entry in joined:
            order[entry] = None
        self.after = last
        return found

    def _count(self, entry: Entry) -> None:
        message = entry.message
        self.bytes += message.size
        if message.expires_at is not None:
            self.timed += 1
        if message.generation is not None and passes(message):
            self._passing[entry] = None
        if message.key is not None:
            self._keyed[message.key] = entry


def passes(message: Message) -> bool:
    """Whether a message need not wait behind those that wait for the window.

    It is for this generation alone, and is not acknowledged: an answer, for example.
    """
    return message.generation is not None and message.id is None
