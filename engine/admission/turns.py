"""Turns: who comes when a server has no room is told when to come, each a time of its own.

Pure: `now` is an argument, and so is the roll.
"""

from typing import Final

_LEAST: Final = 1
"""Seconds: Retry-After has whole ones (RFC 9110 section 10.2.3), and 0 would be an invitation."""


class Turns:
    """Admits `capacity` connections a second, after a burst of one second's worth.

    The turns of those who are refused follow each other `1 / capacity` seconds apart. A turn that
    lies further away than `longest` seconds is drawn from the upper half of that time.
    """

    __slots__ = ("_at", "_capacity", "_longest", "_promised", "_room")

    def __init__(self, capacity: float, *, longest: float) -> None:
        self._capacity = capacity
        self._longest = longest
        self._room = max(1.0, capacity)
        """Connections that can be admitted at once."""
        self._at: float | None = None
        """When `_room` was right."""
        self._promised = 0.0
        """The turn of the latest who was refused."""

    def ask(self, now: float, roll: float) -> int | None:
        """Admit one who comes now, or return the whole seconds after which to come again."""
        before = now if self._at is None else self._at
        self._at = now
        self._room = min(
            max(1.0, self._capacity), self._room + max(0.0, now - before) * self._capacity
        )
        if self._room >= 1.0:
            self._room -= 1.0
            return None
        first = now + (1.0 - self._room) / self._capacity
        self._promised = max(first, self._promised + 1.0 / self._capacity)
        seconds = self._promised - now
        if seconds > self._longest:
            self._promised = now + self._longest
            seconds = self._longest * (0.5 + roll / 2)
        # The fraction is the chance of one second more: so turns within a second stay apart.
        return max(_LEAST, int(seconds + roll))
