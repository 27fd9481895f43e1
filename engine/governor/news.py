"""`News`: what one dial has shown of a host, in the words in which governors tell each other."""

from typing import Final, NamedTuple

from recloser.fsm.closecodes import GOING_AWAY, SERVICE_RESTART, TLS_HANDSHAKE
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import Word

_UNREACHABLE: Final = frozenset(
    {
        *(Cause.DNS, Cause.TCP, Cause.TLS, Cause.EOF, Cause.RESET),
        *(Cause.CONNECT_TIMEOUT, Cause.HEARTBEAT, Cause.DEAF),
    }
)
_GATEWAY: Final = (502, 504)
"""Statuses of whoever stands in front of a server that is away (RFC 9110 section 15.6)."""


class Reading(Word):
    """What a record says of the host, for every engine that dials it."""

    UP = "up"
    """A dial has opened."""
    DOWN = "down"
    """No server is there: no answer, a cut, a restart."""
    BUSY = "busy"
    """A server is there and has no room."""
    CERTIFICATE = "certificate"
    """Its certificate is not accepted."""
    NOTHING = "nothing"
    """The record speaks of one engine alone: its credential, its hook, its address."""


def reading(close: Close | None) -> Reading:
    """Read the record of a failed dial or of a lost connection; None: a dial has opened."""
    if close is None:
        return Reading.UP
    if close.code == TLS_HANDSHAKE:
        return Reading.CERTIFICATE
    if close.intentional or close.cause is Cause.PROXY:
        return Reading.NOTHING
    if close.busy:
        return Reading.BUSY
    restarts = close.cause is Cause.CLOSE_FRAME and close.code in (GOING_AWAY, SERVICE_RESTART)
    if restarts or close.cause in _UNREACHABLE or close.status in _GATEWAY:
        return Reading.DOWN
    return Reading.NOTHING


class News(NamedTuple):
    """One fact of a host that serves other processes, too."""

    key: str
    """What the governor limits by: "host:port", an address, or a key of the application."""
    reading: Reading
    """UP: a dial has opened at a host that was down. DOWN: the host counts as down. BUSY: a dial of
    its return has failed. A certificate is judged by each process for itself."""
    retry_after: float | None = None
    """Seconds for which the host asks its clients to stay away."""
    spread: float | None = None
    """Seconds over which the host asks its clients to spread their return."""
