"""The initial window: how many dials may be under way at a host of which nothing is known.

It begins as that of TCP (RFC 6928), and each dial that opens makes room for one more, as in its
slow start (RFC 5681).
"""

from typing import Final

_INITIAL: Final = 10
"""Dials with which it begins."""
BEYOND: Final = 10.0
"""Dials per second that begin though it is full: those within may hang."""


class InitialWindow:
    """The window of one host, until that goes down."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size: int = _INITIAL
        """Dials that may be under way."""

    @property
    def opened(self) -> int:
        """How many dials have opened while half of it was used, or more."""
        return self.size - _INITIAL

    def grow(self, under_way: int) -> None:
        """Take a dial that has opened, one of so many under way."""
        if 2 * under_way >= self.size:
            self.size += 1
