"""What comes out of the core of an outbox, for its sender to perform in order.

Changes of the file come first and reports to the application last: whoever is told may call the
engine, and finds all done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from recloser.outbox.message import Entry, Message, Reason
from recloser.transport.base import Delivery


class Note(NamedTuple):
    """Write a message into the file, as it is now."""

    message: Message


class Mark(NamedTuple):
    """Write how often messages were handed over, each by its number: they are about to be."""

    deliveries: Mapping[int, int]


class Spend(NamedTuple):
    """Write that these numbers were used, by messages that are not in the file."""

    numbers: tuple[int, ...]


class Forget(NamedTuple):
    """Take messages out of the file."""

    numbers: tuple[int, ...]


class Hide(NamedTuple):
    """Read these messages from the file no more: they are taken out of it soon."""

    numbers: tuple[int, ...]


Change = Note | Mark | Spend | Forget | Hide
"""What a store is told."""


class Save(NamedTuple):
    """Wait until the file has all that was noted; then tell `Saved` or `NotSaved`.

    Without a message it is the flush that waits, and `Ready` that is told.
    """

    entry: Entry | None


class Send(NamedTuple):
    """Hand a message to the connection; then tell `Sent`."""

    entry: Entry


class Answer(NamedTuple):
    """Answer the `send` of a message: return the delivery, or raise the error."""

    entry: Entry | None
    outcome: Delivery | Exception


class Flush(NamedTuple):
    """Begin to hand over what waits: tell `Ready`."""

    generation: int


@dataclass(frozen=True, slots=True)
class Direct:
    """Nothing is held: have `send` be that of the connection."""


@dataclass(frozen=True, slots=True)
class Look:
    """Tell by `Looked` what may be in the write buffer."""


class Resent(NamedTuple):
    """So many messages were put back, to be sent once more."""

    messages: int


class Overdue(NamedTuple):
    """So many messages were not acknowledged in time."""

    messages: int


class Dropped(NamedTuple):
    """Report messages that will not be sent."""

    messages: tuple[Message, ...]
    reason: Reason


Effect = Change | Save | Send | Answer | Flush | Direct | Look | Resent | Overdue | Dropped
