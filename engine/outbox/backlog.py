"""The messages that wait: their order, bounds and keys, and those that wait for room."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from itertools import islice, takewhile

from recloser.outbox.message import Entry, Message
from recloser.outbox.options import Outbox


class Backlog:
    """The one place that knows the order and the bounds of the waiting messages.

    It says which message fits, which is next and which must give way. It moves no message and
    reports nothing: the core does.
    """

    __slots__ = (
        "_keyed",
        "_max_bytes",
        "_max_messages",
        "_passing",
        "bytes",
        "line",
        "order",
        "timed",
    )

    def __init__(self, bounds: Outbox) -> None:
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
        """The size of all messages, in bytes."""

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
        count, size = len(self.order), self.bytes
        if older is not None:
            count, size = count - 1, size - older.message.size
        return count < self._max_messages and size + message.size <= self._max_bytes

    def takes(self, message: Message) -> bool:
        """Whether it fits, and no message waits for room before it."""
        if self.line or message.key is not None:
            return not self.line and self.fits(message)
        count, size = len(self.order), self.bytes + message.size
        return count < self._max_messages and size <= self._max_bytes

    def fit_all(self, messages: Iterable[Message], held: int) -> bool:
        """Whether all of these fit behind `held` messages, as if no key replaced another."""
        sizes = [message.size for message in messages]
        return (
            held + len(sizes) <= self._max_messages and self.bytes + sum(sizes) <= self._max_bytes
        )

    def make_room(self, message: Message) -> list[Entry]:
        """Take out the oldest messages until this one fits."""
        found = []
        while not self.fits(message):
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
        """Take out the message that waited longest for room, if it fits now."""
        for entry in self.line:
            if self.fits(entry.message):
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
        self._add(entry)
        return older

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
                self._add(entry)
                self.order.move_to_end(entry, last=False)
        return replaced[::-1]

    def remove(self, entry: Entry) -> None:
        """Take one out."""
        message = entry.message
        del self.order[entry]
        self.bytes -= message.size
        if message.expires_at is not None:
            self.timed -= 1
        if self._passing:
            self._passing.pop(entry, None)
        if message.key is not None:
            del self._keyed[message.key]

    def take(self, generation: int | None = None) -> list[Entry]:
        """Take out all, or all that must not outlive `generation`."""
        found = [
            each
            for each in self.order
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
            for each in self.order
            if each.message.expires_at is not None and each.message.expires_at <= now
        ]
        for entry in found:
            self.remove(entry)
        return found

    def _older(self, message: Message) -> Entry | None:
        """Find the message of the same key."""
        return None if message.key is None else self._keyed.get(message.key)

    def _add(self, entry: Entry) -> None:
        message = entry.message
        self.order[entry] = None
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
