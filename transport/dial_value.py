"""Values that the hooks of one dial read: aiohttp hands none through to them."""

from contextvars import ContextVar, Token
from typing import Any, TypeVar

T = TypeVar("T")


def set_value(variable: ContextVar[T], value: T) -> Token[T] | None:
    """Give a context variable a value around a dial; returns what `reset_value` takes.

    None if it has the value, as it has as a rule: a context in which a variable was set costs each
    connection 120 bytes. A `with` block would keep two objects for as long as the dial takes.
    """
    return None if variable.get() is value else variable.set(value)


def reset_value(token: Token[Any] | None) -> None:
    """Give the variable the value from before, once the dial is over."""
    if token is not None:
        token.var.reset(token)
