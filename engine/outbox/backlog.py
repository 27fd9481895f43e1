"""What waits: in order, within bounds, each key once, and who waits for room."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from itertools import islice, takewhile

from recloser.outbox.message import Entry, Message
from recloser.outbox.options import Outbox


class Backlog:
    """The one place that knows the order of what waits, and how much may.

    It says who fits, who is next and who has to go. It moves no message and tells nobody: that
    is the core's.
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
        # A dict would look for its first entry among those that were taken out before.
        self.order: OrderedDict[Entry, None] = OrderedDict()
        """What waits, in the order in which it goes out; changed here alone."""
        self._keyed: dict[Hashable, Entry] = {}
        self.line: OrderedDict[Entry, None] = OrderedDict()
        """Messages for which there was no room: not accepted, first come first served."""
        self._passing: OrderedDict[Entry, None] = OrderedDict()
        """Those of `order` that need not stand behind what waits for its window."""
        self.timed = 0
        """How many have a time to live."""
        self.bytes = 0
        """The size of them all."""

    @property
    def first(self) -> Entry | None:
        """The message whose turn it is."""
        return next(iter(self.order), None)

    def head(self, count: int) -> list[Message]:
        """Give the first messages, so many at most."""
        return [entry.message for entry in islice(self.order, count)]

    @property
    def passing(self) -> Entry | None:
        """The first message that need not stand behind what waits for its window."""
        return next(iter(self._passing), None)

    # -- bounds -------------------------------------------------------------------------

    def fits(self, message: Message) -> bool:
        """Whether there is room for it, counting that of the one which it replaces."""
        older = self._older(message)
        count, size = len(self.order), self.bytes
        if older is not None:
            count, size = count - 1, size - older.message.size
        return count < self._max_messages and size + message.size <= self._max_bytes

    def takes(self, message: Message) -> bool:
        """Whether it fits, and nobody waits for room before it."""
        return not self.line and self.fits(message)

    def fit_all(self, messages: Iterable[Message], held: int) -> bool:
        """Whether all of these fit behind `held` messages, as if no key replaced another."""
        sizes = [message.size for message in messages]
        return (
            held + len(sizes) <= self._max_messages and self.bytes + sum(sizes) <= self._max_bytes
        )

    def make_room(self, message: Message) -> list[Entry]:
        """Take out the oldest until a message fits that can."""
        found = []
        while not self.fits(message):
            entry = next(iter(self.order))
            self.remove(entry)
            found.append(entry)
        return found

    # -- who waits for room -------------------------------------------------------------

    def line_up(self, entry: Entry) -> None:
        """Let a message wait for room, behind those that do."""
        self.line[entry] = None

    def step_out(self, entry: Entry) -> None:
        """Let a message wait for room no more."""
        self.line.pop(entry, None)

    def next_in_line(self) -> Entry | None:
        """Take out who waited longest for room, if there is some now."""
        for entry in self.line:
            if self.fits(entry.message):
                del self.line[entry]
                return entry
            break
        return None

    def send_away(self, generation: int | None = None) -> list[Entry]:
        """Take out all who wait for room, or those that must not outlive `generation`."""
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
        """Put a message at the end; give what it replaces, which is taken out."""
        older = self._older(entry.message)
        if older is not None:
            self.remove(older)
        self._add(entry)
        return older

    def put_back(self, entries: list[Entry]) -> list[Entry]:
        """Put messages ahead of all others, in their order; give those that are outdated.

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
        self.timed -= message.expires_at is not None
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
        """Take out what is no longer worth sending."""
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
        self.timed += message.expires_at is not None
        if passes(message):
            self._passing[entry] = None
        if message.key is not None:
            self._keyed[message.key] = entry


def passes(message: Message) -> bool:
    """Whether a message need not stand behind those that wait for their window.

    It is meant for this generation alone, and nobody acknowledges it: an answer, say.
    """
    return message.generation is not None and message.id is None
