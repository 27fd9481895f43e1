"""The words of the machine: its states, its triggers, its guards, and the last wish."""

from enum import Enum
from typing import TYPE_CHECKING, Final


class Word(Enum):
    """A word of the machine. Members are unique, so their identity is their hash.

    `Enum` hashes by a Python call, and takes two calls each for a name and a value. The machine
    asks for them a dozen times at each event.
    """

    _value_: str
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__

    @property
    def name(self) -> str:
        """The word as it is written in code."""
        return self._name_

    @property
    def value(self) -> str:
        """The word as it is written everywhere else."""
        return self._value_


class State(Word):
    """The state of one engine. The first four are those of RFC 6455 and WHATWG."""

    CLOSED = "closed"
    """No socket, no timer: an engine starts and ends here."""
    CONNECTING = "connecting"
    """A dial is under way, up to and including the `on_open` hook."""
    OPEN = "open"
    """Messages flow."""
    CLOSING = "closing"
    """The application asked to leave; the closing handshake is under way."""
    BACKOFF = "backoff"
    """A timer is set; its end is the next dial."""
    PASSIVE = "passive"
    """Resting: no socket, no timer; what the application registered is kept."""

    @property
    def live(self) -> bool:
        """Whether there is a generation that has not ended: connecting, open or closing."""
        return self in LIVE


CLOSED: Final = State.CLOSED
CONNECTING: Final = State.CONNECTING
OPEN: Final = State.OPEN
CLOSING: Final = State.CLOSING
BACKOFF: Final = State.BACKOFF
PASSIVE: Final = State.PASSIVE
"""The members by themselves, for what runs at each change of state: up to Python 3.11 to look up
`State.OPEN` takes ten times as long as to look up a name of a module, 0.07 µs."""

LIVE: Final = frozenset({CONNECTING, OPEN, CLOSING})
"""The states in which there is a generation that has not ended: see `State.live`."""


class Trigger(Word):
    """A cause of a change of state."""

    CONNECT = "connect"
    """The application asks for a connection."""
    OPENED = "opened"
    """The socket is up and `on_open` has returned."""
    LOST = "lost"
    """The generation ended, or its dial failed."""
    CLOSE = "close"
    """The application asks to end."""
    SUSPEND = "suspend"
    """The application asks to rest."""
    WAKE = "wake"
    """A hint from outside that dialling may be worth while now."""
    RETRY = "retry"
    """The backoff is over."""
    MOVE = "move"
    """The application asks for a successor of the open connection."""
    FAILED = "failed"
    """The successor is not to be had: the connection stays."""
    STABLE = "stable"
    """Open for long enough: the failures are forgotten."""


ENDS: Final = frozenset({Trigger.LOST, Trigger.CLOSE, Trigger.SUSPEND})
"""The triggers that end something: a generation, or by the application's wish what it did."""


class Guard(Word):
    """A value computed before a trigger is fired; it chooses between rows of one pair."""

    RETRY = "retry"
    HOLD = "hold"
    STOP = "stop"
    CLOSE = "last wish is close"
    SUSPEND = "last wish is suspend"
    CONNECT = "last wish is connect"
    HELD = "put there by a policy"
    SUSPENDED = "put there by the application"


class Wish(Word):
    """The last request of the application; it alone decides how `closing` is left."""

    CLOSE = "close"
    SUSPEND = "suspend"
    CONNECT = "connect"

    @property
    def trigger(self) -> Trigger:
        """The trigger that the wish fires."""
        return _TRIGGERS[self]

    @property
    def guard(self) -> Guard:
        """The guard by which the wish decides how `closing` is left."""
        return _GUARDS[self]


_TRIGGERS: Final = {wish: Trigger[wish.name] for wish in Wish}
_GUARDS: Final = {wish: Guard[wish.name] for wish in Wish}
