"""What the application may give for an input of a dial: a value, a function or a coroutine."""

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar, cast

T = TypeVar("T")

Input: TypeAlias = T | Callable[[], T | Awaitable[T]]
"""A plain value, a function that gives one, or a coroutine function that does."""


async def resolve(given: Input[T]) -> T:
    """Ask for the value; raises what the function raises."""
    if not callable(given):
        return given
    value = given()
    return cast("T", await value if inspect.isawaitable(value) else value)
