"""The evidence that a host is down, by what its engines meet there."""

from math import inf
from typing import Final

_MINUTE: Final = 60.0
"""Seconds within which two engines must fail for a clear host to count as down."""
_LAPSE: Final = 5
"""So many dials in a return that find no server, and began after the last one had opened: the host
is down again."""


class Evidence:
    """What speaks against one host since a dial opened there."""

    __slots__ = ("_missed", "_opened_at", "_suspect")

    def __init__(self) -> None:
        self._suspect: tuple[int, float] | None = None
        """The engine that failed last, and when, while the host was clear."""
        self._missed = 0
        """Dials of the return that found no server."""
        self._opened_at = -inf
        """When a dial opened last."""

    def opened(self, now: float) -> None:
        """Take a dial that has opened."""
        self._suspect = None
        self._missed = 0
        self._opened_at = now

    def shown_by(self, engine: int, since: float, now: float) -> bool:
        """Take an engine that fails at a clear host, and has failed since then.

        One engine that fails is no evidence; the second one is. One that has failed since before
        another one opened is none at all.
        """
        if since < self._opened_at:
            return False
        suspect, self._suspect = self._suspect, (engine, now)
        return suspect is not None and suspect[0] != engine and now - suspect[1] <= _MINUTE

    def shown_again_by(self, began: float) -> bool:
        """Take a dial of a return that began then and found no server."""
        self._missed += began >= self._opened_at
        return self._missed >= _LAPSE

    def renew(self) -> None:
        """Begin anew: the host is down, returns, or is clear."""
        self._suspect = None
        self._missed = 0
