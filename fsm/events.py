"""What goes into the core. Events of a generation carry its number.

They are tuples, which cost half of a data class to make and a sixth to define; but for what
carries nothing, since an empty tuple equals any other.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from recloser.fsm.closecodes import NORMAL
from recloser.fsm.record import Close
from recloser.fsm.states import Wish


class Ask(NamedTuple):
    """The application asks to connect, close or suspend."""

    wish: Wish
    code: int = NORMAL
    """For the close frame, if one is sent; checked by the caller."""
    reason: str = ""
    within: float | None = None
    """Bound on closing in seconds, where it is to be shorter than `Timeouts.close`."""


class Reconnect(NamedTuple):
    """The application asks to leave and to dial again: close and connect in one step."""

    code: int = NORMAL
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """From outside: dialling may be worth while now."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """The application says that this generation works: its failures are forgotten."""


class Opened(NamedTuple):
    """The socket is up and `on_open` has returned."""

    generation: int
    unread: int = 0
    """Messages of the generation before that nobody took; they are dropped now."""


class Lost(NamedTuple):
    """The generation ended or its dial failed.

    The core adds to the record what only it knows: intent, wish, advice, and the origin of
    an end that the application asked for.
    """

    generation: int
    close: Close
    unread: int = 0
    """Received messages that nobody took; dropped if the application asked for the end."""


class Advise(NamedTuple):
    """What the server said in-band, for the policy to see once, at the next end."""

    advice: str
    retry_after: float | None = None
    spread: float | None = None

    def onto(self, close: Close) -> Close:
        """Add it to the record; a number that was told in-band wins."""
        return replace(
            close,
            advice=self.advice,
            retry_after=close.retry_after if self.retry_after is None else self.retry_after,
            spread=close.spread if self.spread is None else self.spread,
        )


class Expired(NamedTuple):
    """This deadline has passed; the rest is what the transport knows at that moment."""

    deadline: float
    sent_code: int | None = None
    unsent: int = 0
    unread: int = 0


Event = Ask | Reconnect | Hint | Healthy | Opened | Lost | Advise | Expired
