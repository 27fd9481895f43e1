"""The effects that come out of the core of an outbox; its sender performs them in order.

Changes of the file come first, and reports to the application last: a function that is told may
call the engine, and finds all other effects done.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from recloser.outbox.message import Entry, Message, Reason
from recloser.outbox.window import ReadWindow
from recloser.transport.base import Delivery


@dataclass(slots=True)
class Note:
    """Write a message into the file, as it is now."""

    message: Message


@dataclass(slots=True)
class Mark:
    """Write how often messages were handed over, each by its number: they are about to be."""

    deliveries: Mapping[int, int]


@dataclass(slots=True)
class Forget:
    """Take messages out of the file; it keeps in mind that their numbers were used.

    Those of messages that are not in the file are such numbers, too.
    """

    numbers: tuple[int, ...]


@dataclass(slots=True)
class Hide:
    """Do not read these messages from the file again: they are taken out of it soon."""

    numbers: tuple[int, ...]


Change = Note | Mark | Forget | Hide
"""A change that a store is told."""


@dataclass(slots=True)
class Save:
    """Wait until the file has all changes so far; then tell `Saved` or `NotSaved`.

    Without a message the flush waits, and is told `Ready`.
    """

    entry: Entry | None


@dataclass(slots=True)
class Survey:
    """Count the messages in the file behind the number `after`; then tell `Surveyed`.

    Or tell `Unreadable`.
    """

    after: int


@dataclass(slots=True)
class Read:
    """Read the next messages in the file behind the number `after`; then tell `Window`.

    As many as the bounds say, or all without bounds. Or tell `Unreadable`.
    """

    after: int
    bounds: ReadWindow | None


@dataclass(slots=True)
class Send:
    """Hand a message to the connection; then tell `Sent`."""

    entry: Entry


@dataclass(slots=True)
class Answer:
    """Answer the `send` of a message: return the delivery, or raise the error."""

    entry: Entry | None
    outcome: Delivery | Exception


@dataclass(slots=True)
class Flush:
    """Begin the flush: tell `Ready`."""

    generation: int


@dataclass(slots=True)
class Direct:
    """No message is held: make `send` that of the connection."""


@dataclass(slots=True)
class Look:
    """Look at the write buffer, and tell `Looked`."""


@dataclass(slots=True)
class Resent:
    """This number of messages was put back, to be sent once more."""

    messages: int


@dataclass(slots=True)
class Overdue:
    """This number of messages was not acknowledged in time."""

    messages: int


@dataclass(slots=True)
class Suspected:
    """The peer refused one of this number of messages: they go out one at a time."""

    messages: int


@dataclass(slots=True)
class Dropped:
    """Report messages that will not be sent."""

    messages: tuple[Message, ...]
    reason: Reason


Effect = (
    Change
    | Save
    | Survey
    | Read
    | Send
    | Answer
    | Flush
    | Direct
    | Look
    | Resent
    | Overdue
    | Suspected
    | Dropped
)
