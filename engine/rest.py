"""Rests until something is done, then connects, unless the application asked otherwise."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from recloser import log
from recloser.driver.driver import Driver
from recloser.fsm.change import StateChange
from recloser.fsm.events import Ask
from recloser.fsm.states import State, Wish


async def rest_until(
    driver: Driver, ask: Ask, awaitable: Awaitable[object], last: Callable[[], bool]
) -> None:
    """Suspend, await, connect; `last()` is whether no other `suspend()` came since.

    The caller's own task waits, so the rest costs no task of the engine (H1).
    """
    try:
        await driver.leave(ask)
        resting = driver.core.state is State.PASSIVE and last()
    except BaseException:
        _dismiss(awaitable)
        raise
    if not resting:
        _dismiss(awaitable)
        return
    try:
        if not await _outlasted(driver, awaitable):
            return
    # A cancelled future raises the second; only then is it no failure of our own task.
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, Exception) or task is None or not task.cancelling():
            log.failed(log.REST_FAILED, driver.fields, awaitable, error)
        raise
    if driver.core.state is State.PASSIVE and last():
        driver.feed(Ask(Wish.CONNECT))


async def _outlasted(driver: Driver, awaitable: Awaitable[object]) -> bool:
    """Await in passive; False, and cancelled, if the application left it before the end."""
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(None) as limit:

            def left(_: StateChange) -> None:
                if not limit.expired():
                    limit.reschedule(now())

            stop = driver.observers.subscribe(left)
            try:
                await awaitable
            finally:
                stop()
    except TimeoutError:
        if limit.expired():
            return False
        raise
    return True


def _dismiss(awaitable: Awaitable[object]) -> None:
    """Let a coroutine go that will not be awaited; what is anybody else's stays alone."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()
