"""The effects that come out of the core of an outbox; its sender performs them in order.

Changes of the file come first, and reports to the application last: a function that is told may
call the engine, and finds all other effects done.
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
    """Do not read these messages from the file again: they are taken out of it soon."""

    numbers: tuple[int, ...]


Change = Note | Mark | Spend | Forget | Hide
"""A change that a store is told."""


class Save(NamedTuple):
    """Wait until the file has all changes so far; then tell `Saved` or `NotSaved`.

    Without a message the flush waits, and is told `Ready`.
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
    """Begin the flush: tell `Ready`."""

    generation: int


@dataclass(frozen=True, slots=True)
class Direct:
    """No message is held: make `send` that of the connection."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the write buffer, and tell `Looked`."""


class Resent(NamedTuple):
    """This number of messages was put back, to be sent once more."""

    messages: int


class Overdue(NamedTuple):
    """This number of messages was not acknowledged in time."""

    messages: int


class Dropped(NamedTuple):
    """Report messages that will not be sent."""

    messages: tuple[Message, ...]
    reason: Reason


Effect = Change | Save | Send | Answer | Flush | Direct | Look | Resent | Overdue | Dropped
