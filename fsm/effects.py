"""The effects that come out of the core; the driver performs them in order."""

from dataclasses import dataclass

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Decision
from recloser.fsm.errors import PolicyError
from recloser.fsm.record import Close


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a socket, as soon as the generation before is released."""

    generation: int
    not_before: float
    """The earliest moment, on the clock of `now`."""
    refresh: bool
    """Ask the provider for a new credential first."""
    intentional: bool = False
    """The application asked for this dial; no backoff and no hint did."""


@dataclass(frozen=True, slots=True)
class Shut:
    """Close the socket with this code and reason, or give up the dial."""

    generation: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Drop the socket or the dial at once, without a word on the wire."""

    generation: int


@dataclass(frozen=True, slots=True)
class Farewell:
    """Send a close frame in a generation that ends now, and wait a little for the answer.

    Without a code nothing is sent: drop the socket.
    """

    generation: int
    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Go on with the successor, which was dialled before: it is the generation from now on."""

    generation: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Give up the successor: end its dial, or close its socket with this code and reason."""

    generation: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Tell that the successor is not to be had, and release it; the connection stays."""

    generation: int
    close: Close
    decision: Decision
    error: PolicyError | None
    """The failure of the policy, if it failed; the connection stays all the same."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Announce a change to log, observers and waiters."""

    change: StateChange


Effect = Dial | Shut | Abort | Farewell | Promote | Drop | Failed | Announce
