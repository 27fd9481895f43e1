"""`suspend_until`: rest until an awaitable is done, then connect."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from recloser import log
from recloser.driver.driver import Driver
from recloser.fsm.change import StateChange
from recloser.fsm.events import Ask
from recloser.fsm.states import State, Wish


async def rest_until(
    driver: Driver, ask: Ask, awaitable: Awaitable[object], latest: Callable[[], bool]
) -> None:
    """Suspend, await, connect; `latest()` says whether no other `suspend()` was called since.

    The task of the caller waits, so the rest costs no task of the engine (H1).
    """
    try:
        await driver.leave(ask)
        resting = driver.core.state is State.PASSIVE and latest()
    except BaseException:
        _close_coroutine(awaitable)
        raise
    if not resting:
        _close_coroutine(awaitable)
        return
    try:
        if not await _awaited_at_rest(driver, awaitable):
            return
    # A cancelled future raises CancelledError: a failure, unless this task is being cancelled.
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, Exception) or task is None or not task.cancelling():
            log.failure(log.REST_FAILED, driver.fields, awaitable, error)
        raise
    if driver.core.state is State.PASSIVE and latest():
        driver.feed(Ask(Wish.CONNECT))


async def _awaited_at_rest(driver: Driver, awaitable: Awaitable[object]) -> bool:
    """Await; cancel it and return False when the engine leaves passive first."""
    now = asyncio.get_running_loop().time
    limit = asyncio.timeout(None)
    try:
        async with limit:

            def cancel(_: StateChange) -> None:
                if not limit.expired():
                    limit.reschedule(now())

            unsubscribe = driver.observers.subscribe(cancel)
            try:
                await awaitable
            finally:
                unsubscribe()
    except TimeoutError:
        if limit.expired():
            return False
        raise
    return True


def _close_coroutine(awaitable: Awaitable[object]) -> None:
    """Close a coroutine that will not be awaited; a future belongs to somebody else."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()
