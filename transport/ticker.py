"""One timer per event loop that looks after wires nobody reads from."""

import asyncio
from typing import ClassVar, Final, Protocol

TICK: Final = 0.5
"""Seconds between two looks: half of the second within which a close is to be noticed (F7)."""


class Ticking(Protocol):
    """What the ticker looks after."""

    def tick(self) -> None:
        """Look once."""
        ...


class Ticker:
    """The live wires of one event loop. No wire, no timer, no ticker."""

    _tickers: ClassVar[dict[asyncio.AbstractEventLoop, "Ticker"]] = {}

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Ticker":
        """Give the ticker of this loop; one is made if there is none."""
        found = cls._tickers.get(loop)
        if found is None:
            for each in [each for each in cls._tickers if each.is_closed()]:
                del cls._tickers[each]
            found = cls._tickers[loop] = cls(loop)
        return found

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wires: set[Ticking] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, wire: Ticking) -> None:
        """Look after this wire from the next tick on."""
        self._wires.add(wire)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK, self._tick)
            self._tickers[self._loop] = self

    def discard(self, wire: Ticking) -> None:
        """Forget a wire; with the last one the timer goes."""
        self._wires.discard(wire)
        if not self._wires and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            del self._tickers[self._loop]

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK, self._tick)
        for wire in tuple(self._wires):
            wire.tick()
