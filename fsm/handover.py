"""`Handover`: a move from an open connection to its successor, as long as it is under way.

It begins in `open`: the successor is dialled, and the connection goes on. Once the successor is
ready, the connection is left as by `Reconnect`, and the successor is *promoted* in the place of a
dial. If the connection ends before, the successor's dial is the redial; if that dial fails, the
connection stays.
"""

from recloser.fsm.named_tuple import NamedTuple


class Handover(NamedTuple):
    """The successor of an open connection: dialled first, so that nothing is missed between."""

    number: int
    """The number of the generation that succeeds."""
    started: float
    """When its dial starts, in seconds."""
    due: float | None
    """When its dial has taken too long; None once it is ready."""
    code: int
    """The code of the close frame for the connection that is left."""
    reason: str
    planned: bool
    """The time of that connection is over: that it is left is no failure."""
