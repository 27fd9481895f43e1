"""The effects that come out of the core; the driver performs them in order.

They are tuples, as events are. Two of different kinds may be equal: the kind is asked for first.
"""

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Decision
from recloser.fsm.errors import PolicyError
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Close


class Dial(NamedTuple):
    """Open a socket, as soon as the generation before is released."""

    generation: int
    not_before: float
    """The earliest moment, on the clock of `now`."""
    refresh: bool
    """Ask the provider for a new credential first."""
    intentional: bool = False
    """The application asked for this dial; no backoff and no hint did."""


class Shut(NamedTuple):
    """Close the socket with this code and reason, or give up the dial."""

    generation: int
    code: int
    reason: str


class Abort(NamedTuple):
    """Drop the socket or the dial at once, without a word on the wire."""

    generation: int


class Farewell(NamedTuple):
    """Send a close frame in a generation that ends now, and wait a little for the answer.

    Without a code nothing is sent: drop the socket.
    """

    generation: int
    code: int | None
    reason: str


class Promote(NamedTuple):
    """Go on with the successor, which was dialled before: it is the generation from now on."""

    generation: int


class Drop(NamedTuple):
    """Give up the successor: end its dial, or close its socket with this code and reason."""

    generation: int
    code: int
    reason: str


class Failed(NamedTuple):
    """Tell that the successor is not to be had, and release it; the connection stays."""

    generation: int
    close: Close
    decision: Decision
    error: PolicyError | None
    """The failure of the policy, if it failed; the connection stays all the same."""


class Announce(NamedTuple):
    """Announce a change to log, observers and waiters."""

    change: StateChange


Effect = Dial | Shut | Abort | Farewell | Promote | Drop | Failed | Announce
