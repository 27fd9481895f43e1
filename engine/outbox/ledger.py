"""The messages that were handed over and are not settled: acknowledgements and unsent ones.

Without acknowledgements no message awaits one, none has an id, and the window is never full.
"""

from collections import OrderedDict
from collections.abc import Container, Iterable
from itertools import takewhile
from math import inf

from recloser.fsm.errors import RecloserError
from recloser.outbox.acknowledgements import Acknowledgements
from recloser.outbox.message import Entry, Id, Message, check_storable


class Ledger:
    """Knows messages by their ids, the unacknowledged ones, and since when they are.

    It says which are overdue, and how many the window lets through. It moves no message and
    reports nothing: `Holdings` and the core do.
    """

    __slots__ = ("_wanted", "_window", "ids", "leaving", "numbered", "sent_at")

    def __init__(self, wanted: Acknowledgements | None) -> None:
        self._wanted = wanted
        self.numbered: bool = wanted is not None and wanted.numbered
        """Whether a number is the id of its message, unless it has one of its own."""
        self._window: float = inf if wanted is None else wanted.window
        self.ids: dict[Id, Entry] = {}
        """The messages that are not settled, by what acknowledges them."""
        # A dict would search its first entry among the places of removed entries.
        self.sent_at: OrderedDict[Entry, float] = OrderedDict()
        """The unacknowledged messages in the order of their hand-over, with its moment."""
        self.leaving: dict[Entry, bool] = {}
        """The messages in the file that were handed over and may not have left. True: the delivery
        is the first, and is counted if the message comes back. A copy of each would take long."""

    # -- ids ----------------------------------------------------------------------------

    def id_for(
        self, number: int, own: Id | None, reserved: Container[object] = frozenset()
    ) -> tuple[int, Id | None]:
        """Return number and id of a message: its own id, or the first number that is no id yet.

        Raises `TypeError` or `ValueError` for an id that cannot be used, and `RecloserError` for
        an id without acknowledgements.
        """
        if own is not None:
            self.check(own)
            if own in self.ids:
                raise id_is_held(own)
        elif self.numbered:
            while number in self.ids or number in reserved:  # it is not this caller's to change
                number += 1
            own = number
        return number, own

    def check(self, identity: Id) -> None:
        """Raise as `id_for` does for a value that can never be an id."""
        if self._wanted is None:
            raise RecloserError(
                "an id is for what is acknowledged: give "
                "Outbox(acknowledgements=recloser.Acknowledgements(...))"
            )
        check_storable("id", identity)

    def own_id(self, message: Message) -> Id | None:
        """Return the id that the application chose for a message of another outbox."""
        return None if self._wanted is None or message.id == message.number else message.id

    def knows(self, entry: Entry) -> bool:
        """Whether the id of a message, if it has one, means this message."""
        return entry.message.id is None or self.ids.get(entry.message.id) is entry

    def register(self, entry: Entry) -> None:
        """Keep a message by its id, if it has one: it is to be acknowledged."""
        if entry.message.id is not None:
            self.ids[entry.message.id] = entry
            entry.awaits = self._wanted is not None

    def forget(self, entry: Entry) -> None:
        """Let the id of a message be used again."""
        identity = entry.message.id
        if identity is not None and self.ids.get(identity) is entry:
            del self.ids[identity]

    # -- messages that may not have left ------------------------------------------------

    def stop_leaving(self, entry: Entry) -> None:
        """Count the delivery of a message that comes back, unless it is counted."""
        if self.leaving.pop(entry, False):
            entry.message = entry.message.delivered(1)

    # -- unacknowledged messages --------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the window is full."""
        return len(self.sent_at) >= self._window

    @property
    def due(self) -> float:
        """The moment at which the first message is overdue; infinity if none will be."""
        if self._wanted is not None:
            for sent_at in self.sent_at.values():
                return sent_at + self._wanted.timeout
        return inf

    def add(self, entry: Entry, now: float) -> None:
        """Await the acknowledgement of a message that is being handed over."""
        self.sent_at[entry] = now

    def remove(self, entry: Entry) -> None:
        """Stop awaiting it."""
        self.sent_at.pop(entry, None)

    def overdue(self, now: float) -> list[Entry]:
        """Take out the messages that are overdue at `now`."""
        if self._wanted is None:
            return []
        timeout = self._wanted.timeout  # added as in `due`, or its timer rings for ever
        found = [entry for entry, sent_at in self.sent_at.items() if sent_at + timeout <= now]
        for entry in found:
            del self.sent_at[entry]
        return found

    def outdated(self, entries: Iterable[Entry]) -> list[Entry]:
        """Find the messages that an unacknowledged message has replaced."""
        newest = {each.message.key: each.message.number for each in self.sent_at}
        return [
            each
            for each in entries
            if each.message.key is not None
            and newest.get(each.message.key, 0) > each.message.number
        ]

    def exhausted(self, message: Message) -> bool:
        """Whether a message was delivered `max_deliveries` times."""
        if self._wanted is None or self._wanted.max_deliveries is None or message.id is None:
            return False
        return message.deliveries >= self._wanted.max_deliveries

    def take(self) -> list[Entry]:
        """Take out all: their connection has ended."""
        found = list(self.sent_at)
        self.sent_at.clear()
        return found

    def named(
        self, identity: Id, *, up_to: bool, last: int, backlog: Iterable[Entry]
    ) -> list[Entry]:
        """Find what an acknowledgement means, see `OutboxCore.named`.

        `last` is the highest number that was used; `backlog` has the waiting messages.
        """
        if self._wanted is None:
            raise RecloserError("nothing is acknowledged here: give Outbox(acknowledgements=...)")
        check_storable("id", identity)
        entry = self.ids.get(identity)
        if entry is not None:
            number = entry.message.number if entry.message.deliveries else 0
        elif self.numbered and isinstance(identity, int) and identity <= last:
            number = identity  # it may have been dropped after it was sent
        else:
            number = 0
        if not up_to:
            return [entry] if entry is not None and number else []
        # Not all that is held is looked at.
        ahead = takewhile(lambda each: each.message.number <= number, backlog)
        return [
            *(each for each in self.sent_at if each.message.number <= number),
            *(each for each in ahead if each.message.deliveries and each.awaits),
        ]


def id_is_held(identity: object) -> ValueError:
    """Make the error of an id that another message has."""
    return ValueError(f"a message with the id {identity!r} is held: choose another")
