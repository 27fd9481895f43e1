"""One dial from end to end: ask the providers, open the socket, run `on_open`."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from typing import Final, Protocol

from recloser import log, redact
from recloser.clock import Clock
from recloser.driver.generation import Generation
from recloser.driver.opening import OnOpen, Opening, farewell_of
from recloser.fsm.decisions import Session
from recloser.fsm.effects import Dial
from recloser.fsm.errors import bare
from recloser.fsm.events import Event
from recloser.fsm.record import Cause, Close, varied
from recloser.providers import dial_failure
from recloser.transport.base import DialFailed, Request
from recloser.transport.wire import Transport, Wire

CANCELLED = Close.by_engine(Cause.CANCELLED)
"""The record of a cancelled dial; the core adds who asked for it."""
Spend = Callable[[], Awaitable[None]]
"""Counts a dial against the budget."""
_BUGS: Final = {Cause.HOOK: log.ON_OPEN_FAILED, Cause.CREDENTIALS: log.PROVIDER_FAILED}


class Dialler(Protocol):
    """The driver, as a dial sees it."""

    @property
    def session(self) -> Session | None:
        """What the policy says of the session."""
        ...

    async def prepare(self, generation: Generation, effect: Dial) -> Spend | None:
        """Return once the dial may begin; raises `DialFailed` if it may not.

        The result counts the dial against the budget, or raises; None without one.
        """
        ...

    async def request(self, effect: Dial) -> Request:
        """Ask the providers; raises `DialFailed`."""
        ...

    def wants(self, generation: Generation) -> bool:
        """Return whether the dial is to go on; asked after each wait.

        A provider that catches cancellation must not lead to a dial after `close()` (A1).
        """
        ...

    def addressed(self, request: Request) -> None:
        """Take note of what the providers gave."""
        ...

    def connected(self, generation: Generation, wire: Wire) -> None:
        """Take the wire, before `on_open`."""
        ...

    def feed(self, event: Event) -> None:
        """Take the advice that the hook passes on."""
        ...


async def dial(
    generation: Generation,
    driver: Dialler,
    effect: Dial,
    plain: Request | None,
    transport: Transport,
    on_open: OnOpen | None,
) -> None:
    """Put the wire into `generation` and tell it; raises `DialFailed` for whatever went wrong.

    `plain` is the request, where no provider need be asked.
    """
    context = copy_context()
    spend = await driver.prepare(generation, effect)
    ready = await driver.request(effect) if plain is None else plain
    if not driver.wants(generation):
        raise DialFailed(CANCELLED)
    driver.addressed(ready)
    if spend is not None:
        await spend()
        if not driver.wants(generation):
            raise DialFailed(CANCELLED)
    try:
        generation.wire = await transport.dial(ready, generation.ended)
    except DialFailed as failed:
        if failed.close.body:
            failed.close = varied(failed.close, body=redact.text(failed.close.body))
        raise
    except BaseException:
        with dial_failure(Cause.DIAL):
            raise
    if not driver.wants(generation):
        generation.abort()
        raise DialFailed(CANCELLED)
    driver.connected(generation, generation.wire)
    if on_open is not None:
        opening = Opening(
            generation,
            generation.wire,
            credential=ready.credential,
            advise=driver.feed,
            session=driver.session,
        )
        await _open(generation, opening, on_open)
    # What follows is not the hook's: its context variables are those of who caused the dial.
    context.run(generation.succeeded)


async def _open(generation: Generation, opening: Opening, on_open: OnOpen) -> None:
    """Run the hook; raises `DialFailed` if it failed."""
    try:
        with dial_failure(Cause.HOOK):
            outcome = on_open(opening)
            if inspect.isawaitable(outcome):
                await outcome
            opening.finish()
    except DialFailed as failed:
        if not generation.connected:
            raise
        generation.farewell = code, _ = farewell_of(failed.__cause__)
        failed.close = varied(failed.close, sent_code=code)
        raise


async def sleep_until(when: float, clock: Clock) -> None:
    """Wait until `when` on the engine's clock."""
    due = asyncio.Event()
    timer = clock.call_at(when, due.set)
    try:
        await due.wait()
    finally:
        timer.cancel()


def failure_of(task: asyncio.Task[None]) -> Close | None:
    """Return why a finished dial failed; None if it did not fail."""
    if task.cancelled():
        return CANCELLED
    error = task.exception()
    if error is None or isinstance(error, DialFailed):
        return None if error is None else error.close
    # An exit of the process, or an error of the application's own clock: this dial has ended.
    return varied(CANCELLED, error=bare(error))


def log_bug(
    task: asyncio.Task[None], close: Close, fields: Mapping[str, object], on_open: OnOpen | None
) -> None:
    """Write the traceback of a bug in `on_open` or in a provider, by which a dial failed."""
    failed = None if task.cancelled() else task.exception()
    event = _BUGS.get(close.cause)
    if event is not None and isinstance(failed, DialFailed) and failed.trace:
        who = on_open if close.cause is Cause.HOOK else "provider"
        log.bug(event, fields, who, close.error, failed.trace)
