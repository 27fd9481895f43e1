"""The setbacks of engines: what says that an engine fails for a reason of its own.

A governor thinks of an outage as of one event that hits all. An engine that has failed since before
the host let another one in is no witness of an outage. And one that is refused, or let in and cut
off, again and again is not dialled as often as the host opens a dial.
"""

from math import inf
from typing import Final

_FORGOTTEN: Final = 600.0
"""Seconds after which the setbacks of an engine that is open count no more."""
_FEW: Final = 64
"""So many may be kept beside those of the last ten minutes."""


class Setbacks:
    """Those of all engines of one governor."""

    __slots__ = ("_counts", "_most", "_since")

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        """When an engine began to fail, of those that have not opened since."""
        self._counts: dict[int, tuple[int, float]] = {}
        """How many setbacks an engine has had one after the other, and when the last one was."""
        self._most = _FEW

    def fails(self, engine: int, now: float) -> None:
        """Take note that an engine does not get in, or is out."""
        self._since.setdefault(engine, now)

    def since(self, engine: int) -> float:
        """Return when the engine began to fail; infinity if it does not."""
        return self._since.get(engine, inf)

    def opened(self, engine: int) -> None:
        """Take note that the engine is in; what it has met counts on until it is stable."""
        self._since.pop(engine, None)

    def add(self, engine: int, now: float) -> None:
        """Count a dial that a host has refused in its return, or a connection lost at once."""
        self._counts[engine] = self.count(engine) + 1, now
        if len(self._counts) > self._most:
            self._counts = {
                each: setback
                for each, setback in self._counts.items()
                if each in self._since or now - setback[1] <= _FORGOTTEN
            }
            self._most = 2 * len(self._counts) + _FEW

    def count(self, engine: int) -> int:
        """Return how many setbacks the engine has had one after the other."""
        return self._counts.get(engine, (0, 0.0))[0]

    def stable(self, engine: int) -> None:
        """Take note that the connection of the engine was stable: its setbacks are over."""
        self._counts.pop(engine, None)

    def forget(self, engine: int) -> None:
        """Let an engine go."""
        self._since.pop(engine, None)
        self._counts.pop(engine, None)
