"""`Handover`: a move from an open connection to its successor, as long as it is under way."""

from typing import NamedTuple


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
