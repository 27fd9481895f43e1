"""Close records for dials that failed on this side of the wire."""

from recloser.fsm.closecodes import ABNORMAL
from recloser.fsm.errors import Unauthorized
from recloser.fsm.record import Cause, Close, Origin, bare
from recloser.transport.base import DialFailed

CANCELLED = Close(code=ABNORMAL, origin=Origin.ENGINE, cause=Cause.CANCELLED)
"""A dial that was given up; the core adds who asked for it."""


def failed(cause: Cause, error: Exception) -> DialFailed:
    """Return what to raise for an error out of a provider or a hook."""
    if isinstance(error, DialFailed):
        return error
    if isinstance(error, Unauthorized):
        cause = Cause.UNAUTHORIZED
    return DialFailed(Close(code=ABNORMAL, origin=Origin.ENGINE, cause=cause, error=bare(error)))
