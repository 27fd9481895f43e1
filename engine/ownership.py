"""The end of an engine whose owner cannot wait for it: cancelled, raising, or gone."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Final

from recloser.driver.driver import Driver
from recloser.fsm.events import Ask
from recloser.fsm.states import State, Wish

_CLOSING: Final = 0.75
"""Seconds for the closing when an exception leaves the `async with` block (J3)."""
_RELEASING: Final = 0.2
"""Seconds for the release that follows."""


async def enter(driver: Driver, opened: Awaitable[None]) -> None:
    """Wait for the connection; close at once where that fails, or is cancelled."""
    try:
        await opened
    except BaseException:
        await _leave_at_once(driver)
        raise


async def leave(driver: Driver, close: Callable[[], Awaitable[None]], *, raised: bool) -> None:
    """Close; within a second in all if the block has `raised`, or the owner is cancelled."""
    if raised:
        await _leave_at_once(driver)
        return
    try:
        await close()
    except asyncio.CancelledError:
        await _leave_at_once(driver)
        raise


async def _leave_at_once(driver: Driver) -> None:
    await driver.leave(Ask(Wish.CLOSE, within=_CLOSING), release_timeout=_RELEASING)


def begin_to_close(driver: Driver) -> None:
    """Begin to close within a second; for an owner that must not wait for the end."""
    driver.feed(Ask(Wish.CLOSE, within=_CLOSING))


def close_forgotten(driver: Driver, engine: object) -> None:
    """Warn of an engine that nobody asked to close, and that was forgotten; close it (J2)."""
    core = driver.core
    asked = core.state is State.CLOSING and core.wish is Wish.CLOSE
    if core.state is not State.CLOSED and not asked:
        warnings.warn(
            f"{engine!r} was never closed: use 'async with', or await close()",
            ResourceWarning,
            source=engine,
            stacklevel=3,
        )
    driver.close_from_finalizer()
