"""A value that the hooks of one dial read: aiohttp hands none through to them."""

from contextvars import ContextVar, Token
from typing import Generic, TypeVar

T = TypeVar("T")


class DialValue(Generic[T]):
    """Gives a context variable a value in a `with` block around a dial.

    It is no generator: that would cost each dial more than all else in the block of ours.
    """

    __slots__ = ("_before", "_value", "_variable")

    def __init__(self, variable: ContextVar[T], value: T) -> None:
        self._variable = variable
        self._value = value
        self._before: Token[T] | None = None

    def __enter__(self) -> None:
        """Set the value."""
        # Unchanged as a rule: a context in which it was set costs each connection 120 bytes.
        if self._value is not self._variable.get():
            self._before = self._variable.set(self._value)

    def __exit__(self, *_: object) -> None:
        """Set the value from before."""
        if self._before is not None:
            self._variable.reset(self._before)
