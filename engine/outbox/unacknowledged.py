"""The messages that were handed to a connection and wait for their acknowledgement."""

from collections import OrderedDict
from collections.abc import Iterator

from recloser.outbox.acknowledgements import Acknowledgements
from recloser.outbox.message import Message


class Unacknowledged:
    """In the order in which they were handed over, with the time of it."""

    __slots__ = ("_sent_at", "_window", "timeout")

    def __init__(self, options: Acknowledgements) -> None:
        self.timeout = options.timeout
        self._window = options.window
        # A dict would look for its first entry among those that were taken out before.
        self._sent_at: OrderedDict[Message, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent_at)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._sent_at)

    def __contains__(self, message: object) -> bool:
        return message in self._sent_at

    @property
    def full(self) -> bool:
        """Whether no more may be on their way."""
        return len(self._sent_at) >= self._window

    @property
    def deadline(self) -> float | None:
        """When the first of them is overdue, on the engine's clock; None: there is none."""
        for sent_at in self._sent_at.values():
            return sent_at + self.timeout
        return None

    def add(self, message: Message, now: float) -> None:
        """Note a message that is being handed over."""
        self._sent_at[message] = now

    def remove(self, message: Message) -> None:
        """Forget one."""
        del self._sent_at[message]

    def overdue(self, now: float) -> list[Message]:
        """Take out those whose time is over."""
        timeout = self.timeout  # added as `deadline` is, or its timer rings for ever
        found = [message for message, at in self._sent_at.items() if at + timeout <= now]
        for message in found:
            del self._sent_at[message]
        return found

    def take(self) -> list[Message]:
        """Take out all: their connection has ended."""
        found = list(self._sent_at)
        self._sent_at.clear()
        return found
