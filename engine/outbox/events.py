"""The events that go into the core of an outbox.

They are plain data classes: a tuple with names costs a half more to make, a frozen class twice.
Nobody changes one.
"""

from collections.abc import Collection, Container
from dataclasses import dataclass

from recloser.fsm.decisions import Unsent
from recloser.fsm.states import State, Wish
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.message import Entry, Id, Message
from recloser.transport.base import Delivery


@dataclass(slots=True)
class Offered:
    """The application sends a message. `state` and `wish` are those of the engine."""

    entry: Entry
    state: State
    wish: Wish
    id: Id | None = None
    """Its id for acknowledgements, if the application chose one."""
    congested: bool = False
    """Whether the connection would let it wait for room, in memory: the file is a better place."""


@dataclass(slots=True)
class Cancelled:
    """The application has stopped waiting for room for a message."""

    entry: Entry


@dataclass(slots=True)
class Bounced:
    """The connection of `generation` had ended when it was given a message, and did not take it."""

    entry: Entry
    state: State
    wish: Wish
    generation: int


@dataclass(slots=True)
class Sent:
    """The connection's `send` has returned `delivery`, for a message that was sent directly."""

    entry: Entry
    delivery: Delivery
    unsent: bool = False
    """Whether the message may still be in the write buffer of the connection, which is open."""


@dataclass(slots=True)
class Flushed:
    """The connection's `send` has returned `delivery`, for a message of a flush."""

    entry: Entry
    delivery: Delivery
    generation: int


@dataclass(slots=True)
class Unrendered:
    """`render` failed for a message that was about to be handed over."""

    entry: Entry
    flush: int | None = None
    """The generation whose flush hands it over; None: `send` does."""


@dataclass(slots=True)
class Saved:
    """The file has all changes of a message."""

    entry: Entry


@dataclass(slots=True)
class NotSaved:
    """The file could not be written."""

    entry: Entry
    error: OutboxUnusable


@dataclass(slots=True)
class Ready:
    """The flush of a generation may go on: it has begun, or its marks were written.

    The flush goes on also if the marks could not be written: that was logged.
    """

    generation: int


@dataclass(slots=True)
class Connected:
    """A generation is open: its connection takes messages."""

    generation: int
    used: bool = False
    """Whether messages were sent on it before, by `on_open`."""


@dataclass(slots=True)
class Disconnecting:
    """The open generation is being left: its connection gets no more messages."""


@dataclass(slots=True)
class Disconnected:
    """A generation or its dial has ended; the engine is in `state` now."""

    generation: int
    state: State
    returned: Collection[Entry] = ()
    """The messages that may not have left, in order."""
    fate: Unsent = Unsent.KEEP
    """The decision of the policy about unsent messages."""
    begun: int | None = None
    """How many of the `returned` may have left in part; None: all."""
    earlier: bool = True
    """Whether other messages may have left."""


@dataclass(slots=True)
class Stopped:
    """The engine has come to closed or passive."""

    state: State


@dataclass(slots=True)
class Acknowledged:
    """The peer has these messages, see `OutboxCore.named`."""

    entries: Collection[Entry]


@dataclass(slots=True)
class Due:
    """This deadline has passed; the `unsent` messages may still be in the write buffer."""

    deadline: float
    unsent: Container[object] = ()


@dataclass(slots=True)
class Looked:
    """The write buffer was looked at: the `unsent` messages may still be in it."""

    unsent: Container[object] = ()


@dataclass(slots=True)
class Shown:
    """The application looks at the messages: those whose time to live is over go first."""


@dataclass(slots=True)
class Cleared:
    """The application takes back all held messages."""


@dataclass(slots=True)
class MovedOut:
    """These messages are another outbox's now."""

    entries: Collection[Entry]


@dataclass(slots=True)
class MovedIn:
    """Messages of another outbox are this one's now, all or none."""

    messages: Collection[Message]
    state: State
    wish: Wish


@dataclass(slots=True)
class Restored:
    """The file was opened and read; another engine may have had it meanwhile."""

    messages: Collection[Message]
    last: int
    """The highest number that was ever used."""
    unwritten: Container[int] = frozenset()
    """Numbers of messages that are not in the file yet."""
    highest: int | None = None
    """The highest number of a message in the file, if not all were read: the others are behind the
    last of `messages`."""


@dataclass(slots=True)
class Known:
    """Messages of the file were read of which more must be known: those of a survey, in parts."""

    messages: Collection[Message]


@dataclass(slots=True)
class Surveyed:
    """The file was looked through: so many messages in it are unread, of so many bytes.

    Those that were `Known` before do not count.
    """

    unread: int
    bytes: int


@dataclass(slots=True)
class Window:
    """The messages behind the number `after` were read from the file.

    Unless they are in memory: all may have been read meanwhile.
    """

    after: int
    messages: Collection[Message]
    last: int | None
    """The number up to which the file was read; None: nothing is behind these messages."""


@dataclass(slots=True)
class Unreadable:
    """The file is damaged behind what was read of it."""

    error: OutboxUnusable


Event = (
    Offered
    | Cancelled
    | Bounced
    | Sent
    | Flushed
    | Unrendered
    | Saved
    | NotSaved
    | Ready
    | Connected
    | Disconnecting
    | Disconnected
    | Stopped
    | Acknowledged
    | Due
    | Looked
    | Shown
    | Cleared
    | MovedOut
    | MovedIn
    | Restored
    | Known
    | Surveyed
    | Window
    | Unreadable
)
