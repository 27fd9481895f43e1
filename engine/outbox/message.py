"""One message of an outbox: its options, its state, and the report of its drop."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from recloser.fsm.numbers import check_seconds
from recloser.outbox.table import IGNORED, TARGETS, IllegalMove, Kind, MessageState, MessageTrigger

if TYPE_CHECKING:
    from recloser.transport.base import Delivery

Id = str | int | bytes
"""The type of an id, by which an acknowledgement names a message."""

_OFFERED: Final = MessageState.OFFERED
_HAND_OVER: Final = MessageTrigger.HAND_OVER
_PLAIN: Final = Kind.PLAIN  # an attribute of an enum costs as much as a call

_DELIVERIES: Final = 7
"""The place of the deliveries in a message."""
LARGEST: Final = 2**63
"""Ids and keys that are int are smaller: SQLite stores eight bytes."""


class Message(NamedTuple):
    """A message in the outbox. Two are equal only if they are the same one."""

    data: str | bytes
    size: int
    """Bytes, text as UTF-8."""
    key: Hashable = None
    """Replaces an older message of the same key; None replaces nothing."""
    expires_at: float | None = None
    """The moment at which its time to live ends, on the engine's clock; None: never."""
    generation: int | None = None
    """The generation it must not outlive; None: it crosses reconnections."""
    number: int = 0
    """Counts the messages of an outbox that has a file or acknowledgements, from 1; with a file
    it goes on where the process before ended. 0 elsewhere."""
    id: Id | None = None
    """Its id for acknowledgements; None: it is not acknowledged."""
    deliveries: int = 0
    """Number of times that it was handed to a connection, in earlier processes too."""
    suspect: bool = False
    """Whether it may be the one that the peer refused: it goes out alone until that is known."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)

    @property
    def redelivered(self) -> bool:
        """Whether the peer may have it already: it was handed to a connection before this one."""
        return self.deliveries > 1

    def delivered(self, times: int) -> "Message":
        """Copy the message with so many more deliveries."""
        # `_replace` would take six times as long, and `Message` with nine values twice.
        changed = (self[_DELIVERIES] + times, *self[_DELIVERIES + 1 :])
        return tuple.__new__(Message, self[:_DELIVERIES] + changed)

    def suspected(self, suspect: bool) -> "Message":
        """Copy the message, suspect or not."""
        return self._replace(suspect=suspect)


class Entry:
    """One message with its state: the outbox keeps it, and hands it to a connection.

    `message` is replaced when it gets its number, and each time that it is handed over.
    """

    __slots__ = ("awaits", "delivery", "message", "state")

    def __init__(self, message: Message) -> None:
        self.message: Message = message
        self.state: MessageState = _OFFERED
        self.awaits: bool = False
        """Whether it is to be acknowledged."""
        self.delivery: Delivery | None = None
        """The answer of `send`; None until it is known."""

    def move(self, trigger: MessageTrigger, kind: Kind = _PLAIN) -> bool:
        """Move along the table; False where the table skips the trigger on purpose.

        Raises `IllegalMove` for every other pair; the message has not changed then.
        """
        target = TARGETS.get((self.state, trigger, kind))
        if target is None:
            if (self.state, trigger) not in IGNORED:
                raise IllegalMove(self.state, trigger)
            return False
        self.state = target
        return True

    def hand_over(self) -> None:
        """Move to the connection; where messages have numbers, deliveries are counted."""
        message = self.message
        if message.number:
            self.message = message.delivered(1)
        self.move(_HAND_OVER)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.message.number} {self.state.value}>"


def move_all(entries: Iterable[Entry], trigger: MessageTrigger) -> None:
    """Move messages as `Entry.move` does; the row is looked up once for those of one state."""
    source: MessageState | None = None
    target = _OFFERED
    for entry in entries:
        if entry.state is source:
            entry.state = target
        else:
            source = entry.state
            entry.move(trigger)
            target = entry.state


class Reason(Enum):
    """The reason for which a message was dropped."""

    EXPIRED = "expired"
    """Its `ttl` ran out."""
    REPLACED = "replaced"
    """A newer message had the same `key`."""
    GENERATION = "generation"
    """It was meant for one generation, which ended."""
    OLDEST = "oldest"
    """The outbox was full, and drops the oldest message."""
    NEWEST = "newest"
    """The outbox was full, and drops the newest message: `send` gave `Delivery.DROPPED`."""
    DECISION = "decision"
    """The decision of the policy dropped it."""
    UNACKNOWLEDGED = "unacknowledged"
    """It was delivered `max_deliveries` times, and never acknowledged."""
    UNRENDERED = "unrendered"
    """`render` raised, or gave neither `str` nor `bytes`; the error was logged."""
    REFUSED = "refused"
    """The peer refused it: it closed with a code such as 1009, and no other message can have
    been the cause."""

    @property
    def asked(self) -> bool:
        """Whether the application asked for it, by `ttl`, `key` or `this_generation`."""
        return self in (Reason.EXPIRED, Reason.REPLACED, Reason.GENERATION)


@dataclass(frozen=True, slots=True)
class Drop:
    """One message that was dropped, with the reason."""

    message: Message
    reason: Reason


def make_message(
    data: object,
    *,
    now: float = 0.0,
    ttl: float | None = None,
    key: Hashable = None,
    generation: int | None = None,
) -> Message:
    """Check a message as the connection would, and copy its data.

    `ttl` is in seconds from `now`. Raises `TypeError` unless the data are `str` or `bytes`,
    `UnicodeEncodeError` for text that UTF-8 cannot carry, `ValueError` for a `ttl` that is
    negative or not finite.
    """
    if isinstance(data, str):
        size = len(data) if data.isascii() else len(data.encode())
    elif isinstance(data, bytes | bytearray | memoryview):
        data = bytes(data)
        size = len(data)
    else:
        raise TypeError(f"a message is str or bytes, not {type(data).__name__}: encode it first")
    if ttl is not None:
        check_seconds("ttl", ttl)
    hash(key)
    return Message(data, size, key, None if ttl is None else now + ttl, generation)


def check_storable(what: str, value: object) -> None:
    """Check an id or a key; raises `TypeError` or `ValueError` if a file could not keep it."""
    if isinstance(value, bool) or not isinstance(value, str | int | bytes):
        raise TypeError(f"{what} must be a str, an int or bytes here, not {value!r}")
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise ValueError(f"{what} must fit into eight bytes, not {value}")
    if isinstance(value, str):
        value.encode()


def entry_of(item: object) -> Entry | None:
    """Return the message for which an item of a wire stands; None for one of `on_open`."""
    if isinstance(item, Entry):
        return item
    if isinstance(item, str | bytes):
        return Entry(make_message(item))
    return None
