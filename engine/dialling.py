"""One dial from end to end: ask the providers, open the socket, run `on_open`."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace

from recloser.clock import Clock
from recloser.failures import CANCELLED, blamed
from recloser.fsm.record import Cause, Close, bare
from recloser.generation import Generation
from recloser.opening import OnOpen, Opening
from recloser.transport.base import DialFailed, Request, Transport


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
    with blamed(Cause.CONFIGURATION):
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
