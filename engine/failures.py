"""Close records for dials that failed on this side of the wire."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from recloser.fsm.closecodes import ABNORMAL
from recloser.fsm.errors import Unauthorized
from recloser.fsm.record import Cause, Close, Origin, bare
from recloser.transport.base import DialFailed

CANCELLED = Close(code=ABNORMAL, origin=Origin.ENGINE, cause=Cause.CANCELLED)
"""A dial that was given up; the core adds who asked for it."""


@contextmanager
def blamed(cause: Cause) -> Iterator[None]:
    """Make a failed dial of what a provider, a transport or a hook raises.

    A cancellation is an error like any other if nobody cancelled this task: it came out of
    something that the application awaited.
    """
    try:
        yield
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, DialFailed):
            raise
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        if isinstance(error, Unauthorized):
            cause = Cause.UNAUTHORIZED
        close = Close(code=ABNORMAL, origin=Origin.ENGINE, cause=cause, error=bare(error))
        raise DialFailed(close) from error
