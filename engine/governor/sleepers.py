"""The engines in backoff at a host, and who of them its return may wake."""

from collections import OrderedDict
from collections.abc import Hashable
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple


class _Sleeper(NamedTuple):
    """An engine that the return of the host may not wake yet."""

    ripe: float
    """When it may; infinity for never."""
    number: int
    """They fell asleep in this order."""
    engine: int
    route: Hashable
    """By which its next dial goes."""


class Sleepers:
    """The engines in backoff: those that are *ripe*, which the return wakes, and the others."""

    __slots__ = ("_later", "_number", "_others", "ripe", "undecided")

    def __init__(self) -> None:
        self.ripe: OrderedDict[int, Hashable] = OrderedDict()
        """Those that the return of the host wakes, one after the other, with their route."""
        self.undecided: set[int] = set()
        """Those whose dial has failed, and that have not said yet what comes next."""
        self._others: dict[int, _Sleeper] = {}
        self._later: list[_Sleeper] = []
        """Those that will be ripe, by moment; who is not in `_others` counts no more."""
        self._number = 0

    def __len__(self) -> int:
        return len(self.ripe) + len(self._others) + len(self.undecided)

    def add(self, engine: int, route: Hashable, ripe: float) -> None:
        """Take an engine that is ripe at this moment: -infinity for now, infinity for never."""
        self.undecided.discard(engine)
        if ripe == -inf:
            self._others.pop(engine, None)
            self.ripe[engine] = route
            return
        self.ripe.pop(engine, None)
        self._number += 1
        sleeper = self._others[engine] = _Sleeper(ripe, self._number, engine, route)
        if ripe == inf:
            return
        heappush(self._later, sleeper)
        if len(self._later) > 2 * len(self._others) + 16:  # most of them count no more
            self._later = sorted(each for each in self._others.values() if each.ripe < inf)

    def discard(self, engine: int) -> None:
        """Let an engine go, if it sleeps here."""
        self.undecided.discard(engine)
        self.ripe.pop(engine, None)
        self._others.pop(engine, None)

    def pass_time(self, now: float) -> None:
        """Put those who are ripe by now behind those who have been."""
        while self._later and self._later[0].ripe <= now:
            sleeper = heappop(self._later)
            if self._others.get(sleeper.engine) is sleeper:
                del self._others[sleeper.engine]
                self.ripe[sleeper.engine] = sleeper.route

    @property
    def due(self) -> float:
        """When the next one may be ripe; infinity if time makes none."""
        return self._later[0].ripe if self._later else inf

    def forget(self) -> None:
        """Forget the moments of those who have gone: nobody sleeps here."""
        self._later.clear()
