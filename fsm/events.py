"""The events that go into the core. Events of a generation carry its number.

They are tuples: a tuple costs half of a data class to make, and a sixth to define. Events without
a fact are plain objects, since one empty tuple equals another.
"""

from recloser.fsm.closecodes import NORMAL
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Close, varied
from recloser.fsm.states import Wish


class Ask(NamedTuple):
    """The application asks to connect, close or suspend."""

    wish: Wish
    code: int = NORMAL
    """The code of the close frame, if one is sent; checked by the caller."""
    reason: str = ""
    within: float | None = None
    """Bound on closing, in seconds, if it is to be shorter than `Timeouts.close`."""


class Reconnect(NamedTuple):
    """The application asks to leave and to dial again: close and connect in one step."""

    code: int = NORMAL
    reason: str = ""
    generation: int | None = None
    """The generation that is to be left, if it is open; None: the present one, in any state."""
    planned: bool = False
    """Its time was over: that it is left is no failure, however short it was open."""


class Move(NamedTuple):
    """The application asks for a successor first, and to leave this connection for it then."""

    code: int = NORMAL
    reason: str = ""
    generation: int | None = None
    """The generation that is to be left, if it is open; None: the present one."""
    planned: bool = False
    """Its time was over; as in `Reconnect`."""


class _Factless:
    """An event without a fact: it equals each other one of its class, and no other object."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Hint(_Factless):
    """A hint from outside: dialling may be worth while now."""

    __slots__ = ()


class Healthy(_Factless):
    """The application says that this generation works: its failures are forgotten."""

    __slots__ = ()


class Opened(NamedTuple):
    """The socket is up and `on_open` has returned."""

    generation: int
    undelivered: int = 0
    """Messages of the generations before that no consumer gets any more."""


class Wait(NamedTuple):
    """The dial of this generation begins only now, or has not begun: it waits for a permit.

    Its deadline counts from now on.
    """

    generation: int


class Lost(NamedTuple):
    """The generation ended or its dial failed.

    The core adds the facts that only it knows to the record: intent, wish, advice, and the
    origin of an intentional end.
    """

    generation: int
    close: Close
    undelivered: int = 0
    """Received messages that no consumer gets."""


class Advise(NamedTuple):
    """A message of the server, in the words of the application; the policy sees it once."""

    advice: str | None
    retry_after: float | None = None
    spread: float | None = None
    generation: int | None = None
    """The generation that it is about; None: the present one."""

    def onto(self, close: Close) -> Close:
        """Add the advice to a record; what it does not say stays as it is in the record."""
        return varied(
            close,
            advice=close.advice if self.advice is None else self.advice,
            retry_after=close.retry_after if self.retry_after is None else self.retry_after,
            spread=close.spread if self.spread is None else self.spread,
        )


class Fail(NamedTuple):
    """We end an open generation that still lives: it has failed in our eyes.

    The record is made now, and the policy decides, as for a `Lost`. The peer gets a close frame
    all the same, and its answer changes nothing.
    """

    generation: int
    close: Close
    """The record. The core adds the advice."""
    advice: Advise | None = None
    """What the application says in addition to the advice that it gave before."""
    reason: str = ""
    """The text of the close frame; its code is `close.sent_code`."""
    undelivered: int = 0
    """Received messages that no consumer gets."""


class Expired(NamedTuple):
    """This deadline has passed. The other fields are facts of the transport at that moment."""

    deadline: float
    sent_code: int | None = None
    unsent: int = 0
    undelivered: int = 0


Event = Ask | Reconnect | Move | Hint | Healthy | Wait | Opened | Lost | Advise | Fail | Expired
