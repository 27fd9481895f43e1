"""A provider of an input of a dial: a value, or a function that returns it."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from traceback import format_exception
from typing import Final, TypeAlias, TypeVar, cast

from aiohttp import ClientError

from recloser.fsm.errors import RecloserError, bare
from recloser.fsm.record import Cause, Close
from recloser.transport.base import DialFailed

T = TypeVar("T")

_FAILURES: Final = (OSError, RecloserError, ClientError, asyncio.CancelledError)
"""What the code of an application raises when the other end fails; all else is a bug in it."""

Input: TypeAlias = T | Callable[[], T | Awaitable[T]]
"""A value, a function that returns one, or a coroutine function that does."""


class Unauthorized(RecloserError):
    """Raised by the application: there is no credential, or the peer does not accept it.

    Out of a provider it says that asking again is useless: the shipped policies stop. Out of
    `on_open` it says that the peer did not accept the credential of this dial: the standard
    policy asks for a new one once, and stops where that is not possible or does not help.
    """


async def resolve(given: Input[T]) -> T:
    """Return the value, and call the function for it if one is given; raises what that raises."""
    if not callable(given):
        return given
    value = given()
    return cast("T", await value if inspect.isawaitable(value) else value)


class dial_failure:  # noqa: N801 - a context manager; a generator would cost each dial more
    """Raise `DialFailed` with this cause for an exception of a provider, a transport or a hook.

    `Unauthorized` has causes of its own, and a `DialFailed` passes. A `CancelledError` is an
    exception like any other unless this task is being cancelled: something that the application
    awaited was cancelled.
    """

    __slots__ = ("_cause",)

    def __init__(self, cause: Cause) -> None:
        self._cause = cause

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise `DialFailed` in the place of the exception, if there is one to replace."""
        cause = self._cause
        if not isinstance(error, Exception | asyncio.CancelledError):
            return
        if isinstance(error, DialFailed):
            return
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is None or task.cancelling():
                return
        if isinstance(error, Unauthorized):
            cause = Cause.REJECTED if cause is Cause.HOOK else Cause.UNAUTHORIZED
        trace = "" if isinstance(error, _FAILURES) else "".join(format_exception(error))
        failed = DialFailed(Close.by_engine(cause, error=bare(error)))
        failed.trace = trace
        raise failed from error
