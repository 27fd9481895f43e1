"""One dial from end to end: ask the providers, open the socket, run `on_open`."""

import asyncio
import inspect
from collections.abc import Callable

from recloser.clock import Clock
from recloser.failures import CANCELLED, failed
from recloser.fsm.record import Cause, Close
from recloser.generation import Generation
from recloser.inputs import Inputs
from recloser.opening import OnOpen, Opening
from recloser.transport.base import DialFailed, Transport


async def dial(
    generation: Generation,
    *,
    inputs: Inputs,
    transport: Transport,
    on_open: OnOpen | None,
    ended: Callable[[Close], None],
) -> None:
    """Put the wire into `generation`; raises `DialFailed` for whatever went wrong."""
    request = await inputs.request()
    try:
        generation.wire = await transport.dial(request, ended)
    except Exception as error:
        raise failed(Cause.CONFIGURATION, error) from error
    if on_open is None:
        return
    try:
        outcome = on_open(Opening(generation, generation.wire))
        if inspect.isawaitable(outcome):
            await outcome
    except Exception as error:
        raise failed(Cause.HOOK, error) from error


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
    if error is None:
        return None
    if isinstance(error, DialFailed):
        return error.close
    raise error
