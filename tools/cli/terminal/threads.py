"""Calls that may block for ever, in a thread that the end of the process does not wait for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


def in_thread(function: Callable[[], T]) -> "asyncio.Future[T]":
    """Call a function in a daemon thread; the future has its result or what it raised.

    An executor of asyncio or `concurrent.futures` would be joined at the end, and reading
    from a terminal, or writing to a pipe that nobody empties, may never return.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        if not future.done():  # or nobody waits any longer
            tell()

    def work() -> None:
        try:
            tell = partial(future.set_result, function())
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
            tell = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop has been closed meanwhile: nobody waits
            loop.call_soon_threadsafe(settle, tell)

    threading.Thread(target=work, name="recloser terminal", daemon=True).start()
    return future
