"""One dial from end to end: ask the providers, open the socket, run `on_open`."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from recloser.clock import Clock
from recloser.driver.generation import Generation
from recloser.driver.opening import OnOpen, Opening
from recloser.fsm.closecodes import ABNORMAL
from recloser.fsm.errors import Unauthorized
from recloser.fsm.record import Cause, Close, Origin, bare
from recloser.transport.base import DialFailed, Request, Transport

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


async def dial(
    generation: Generation,
    *,
    request: Awaitable[Request],
    transport: Transport,
    on_open: OnOpen | None,
    ended: Callable[[Close], None],
    wanted: Callable[[], bool],
) -> None:
    """Put the wire into `generation`; raises `DialFailed` for whatever went wrong.

    `request` asks the providers. `wanted` is asked after each wait: a provider that catches
    cancellation must not lead to a dial after `close()` (A1).
    """
    asked = await request
    if not wanted():
        raise DialFailed(CANCELLED)
    with blamed(Cause.DIAL):
        generation.wire = await transport.dial(asked, ended)
    if not wanted():
        generation.abort()
        raise DialFailed(CANCELLED)
    if on_open is None:
        return
    with blamed(Cause.HOOK):
        outcome = on_open(Opening(generation, generation.wire))
        if inspect.isawaitable(outcome):
            await outcome


async def pause(clock: Clock, when: float) -> None:
    """Wait until `when` on the engine's clock."""
    if clock.monotonic() >= when:
        return
    over = asyncio.Event()
    timer = clock.call_at(when, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


def outcome_of(task: asyncio.Task[None]) -> Close | None:
    """Return why a finished dial failed, None if it did not."""
    if task.cancelled():
        return CANCELLED
    error = task.exception()
    if error is None or isinstance(error, DialFailed):
        return None if error is None else error.close
    # An exit of the process, or the application's own clock; whatever it was, the dial is over.
    return replace(CANCELLED, error=bare(error))
