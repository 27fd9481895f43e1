"""Messages in order, within bounds, each key once."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator

from recloser.outbox.message import Message
from recloser.outbox.options import Outbox


class Queue:
    """Holds what waits. Made when something has to, and thrown away when it is empty."""

    __slots__ = ("_bounds", "_keyed", "_messages", "_timed", "bytes")

    def __init__(self, bounds: Outbox) -> None:
        self._bounds = bounds
        self._messages: OrderedDict[Message, None] = OrderedDict()
        self._keyed: dict[Hashable, Message] = {}
        self._timed = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    def __contains__(self, message: object) -> bool:
        return message in self._messages

    def fits(self, message: Message) -> bool:
        """Whether there is room for it, counting that of the one which it replaces."""
        older = self.older(message)
        count, size = len(self._messages), self.bytes
        if older is not None:
            count, size = count - 1, size - older.size
        bounds = self._bounds
        return count < bounds.max_messages and size + message.size <= bounds.max_bytes

    def older(self, message: Message) -> Message | None:
        """Find the message of the same key."""
        return None if message.key is None else self._keyed.get(message.key)

    def append(self, message: Message) -> list[Message]:
        """Put one to the end; give back what it replaces."""
        older = self.older(message)
        if older is not None:
            self.remove(older)
        self._add(message)
        return [] if older is None else [older]

    def put_back(self, messages: Iterable[Message]) -> list[Message]:
        """Put messages ahead of all others, in their order; give back those that are outdated.

        They have been accepted before, so they may exceed the bounds.
        """
        replaced = []
        for message in reversed(list(messages)):
            if self.older(message) is not None:
                replaced.append(message)
            else:
                self._add(message)
                self._messages.move_to_end(message, last=False)
        return replaced[::-1]

    def pop(self) -> Message:
        """Take the first out."""
        message = next(iter(self._messages))
        self.remove(message)
        return message

    def remove(self, message: Message) -> None:
        """Take one out."""
        del self._messages[message]
        self.bytes -= message.size
        self._timed -= message.expires_at is not None
        if message.key is not None:
            del self._keyed[message.key]

    def take(self, generation: int | None = None) -> list[Message]:
        """Take out all, or all that must not outlive `generation`."""
        found = [each for each in self if generation is None or each.generation == generation]
        for message in found:
            self.remove(message)
        return found

    def expired(self, now: float) -> list[Message]:
        """Take out what is no longer worth sending."""
        if not self._timed:
            return []
        found = [each for each in self if each.expires_at is not None and each.expires_at <= now]
        for message in found:
            self.remove(message)
        return found

    def _add(self, message: Message) -> None:
        self._messages[message] = None
        self.bytes += message.size
        self._timed += message.expires_at is not None
        if message.key is not None:
            self._keyed[message.key] = message
