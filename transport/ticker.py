"""One timer per event loop: it looks after wires in which something goes on, and notices a suspend.

A wire is *idle* while somebody reads, nothing waits to leave, and nothing is due. It is looked at
again when that ends; so a tick costs what is due, and not what exists. Of an idle wire it asks one
thing, by one attribute: whether its consumer is still there. If not, the wire reads in its place.
"""

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import ClassVar, Final, Protocol

TICK: Final = 0.5
"""Seconds between two looks: half of the second within which a close is to be noticed (F7)."""

JUMP: Final = 3.0
"""Seconds by which the wall clock must outrun the monotonic one between two looks to tell of a
suspend (F6). A leap second and the steps of time services (0.128 s of ntpd, 0.4 s of
systemd-timesyncd) stay below; a shorter sleep breaks no connection."""

_ASKS: Final = 2
"""Looks after a suspend at which peers are asked: bytes of just before it answer the first (the
kernel's clock stood still too), but not one half a second later."""


class Drift:
    """Notices that the machine slept: the wall clock went on, the monotonic one did not.

    A blocked event loop moves both clocks (F3). A wall clock that is set back has no effect; one
    that is set forward costs a ping.
    """

    __slots__ = ("_ahead", "_monotonic", "_wall")

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._ahead = wall() - monotonic()

    def jumped(self) -> bool:
        """Whether there was a suspend since the last look."""
        before, self._ahead = self._ahead, self._wall() - self._monotonic()
        return self._ahead - before > JUMP


class Sleeper(Protocol):
    """The wire, as its parts see it: they wake it when it is idle."""

    def wake(self) -> None:
        """Be looked at by the next tick: something goes on."""
        ...


class Ticking(Protocol):
    """The wire, as the ticker sees it."""

    busy: bool
    """False while its consumer does something else than read, and nobody reads in its place."""

    def read_ahead(self) -> None:
        """Read in the place of the consumer."""
        ...

    def tick(self) -> float:
        """Look once; return the moment of `time.monotonic` until which the wire is idle.

        0 says that it is not idle; infinity, that it is until it wakes.
        """
        ...

    def due(self) -> float:
        """Do what is due of an idle wire, and nothing more; return the moment until the next."""
        ...

    def probe(self) -> None:
        """Ask the peer for a sign of life now: the machine slept."""
        ...

    def drop(self) -> None:
        """Close the socket; also once the event loop is closed."""
        ...


class Ticker:
    """The wires of one event loop whose sockets are open. No wire, no timer, no ticker.

    A closed loop calls nobody back: its wires are dropped when another loop has a wire, or when
    their engines are forgotten. Until then they are kept here, since each would warn of itself.
    """

    _tickers: ClassVar[dict[asyncio.AbstractEventLoop, "Ticker"]] = {}

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Ticker":
        """Return the ticker of this loop; the first call makes it."""
        found = cls._tickers.get(loop)
        if found is None:
            for each in tuple(cls._tickers):  # a copy: loops of other threads come and go
                ended = cls._tickers.pop(each, None) if each.is_closed() else None
                if ended is not None:
                    ended.drop_all()
            found = cls._tickers[loop] = cls(loop)
        return found

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wires: dict[Ticking, int | None] = {}
        """The number of the span of `TICK` within which each is due; None without an act."""
        self._due: dict[int, set[Ticking]] = {}
        """The same by that number."""
        self._spans: list[int] = []
        """The numbers in it, as a heap."""
        self._awake: set[Ticking] = set()
        """The wires that the next tick looks at."""
        self._ended: set[Ticking] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.drift: Drift = Drift()
        self._asks = 0

    def add(self, wire: Ticking, until: float) -> None:
        """Look after this wire, which is idle until this moment of `time.monotonic`, or `wake`."""
        self._wires[wire] = span = None if until == inf else int(until / TICK)
        if span is not None:
            self._enter(wire, span)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK, self._tick)
            self._tickers[self._loop] = self

    def wake(self, wire: Ticking) -> None:
        """Look at this wire at the next tick, though it is idle."""
        if wire in self._wires:
            self._awake.add(wire)

    def postpone(self, wire: Ticking, until: float) -> None:
        """Look at an idle wire at this moment, and not at the one that was due."""
        if wire not in self._wires or wire in self._awake:
            return  # a look will ask it
        if until > time.monotonic() + TICK:
            self._schedule(wire, until)
        else:
            self._awake.add(wire)

    def discard(self, wire: Ticking) -> None:
        """Look no longer after a wire that has ended; the last one ends the timer."""
        if wire not in self._wires:
            return
        span = self._wires.pop(wire)
        if span in self._due:
            self._due[span].discard(wire)
        self._awake.discard(wire)
        self._ended.add(wire)
        if not self._wires and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget(self, wire: Ticking) -> None:
        """Forget a wire whose socket is closed."""
        if wire in self._wires:
            self.discard(wire)
        self._ended.discard(wire)
        if not self._wires and not self._ended:
            self._tickers.pop(self._loop, None)

    def drop_all(self) -> None:
        """Close the sockets of all wires: the loop is closed."""
        for wire in (*self._wires, *self._ended):
            wire.drop()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK, self._tick)
        self._asks = _ASKS if self.drift.jumped() else max(0, self._asks - 1)
        now = time.monotonic()
        for wire in [wire for wire in self._wires if not wire.busy]:
            wire.read_ahead()
        while self._spans and self._spans[0] * TICK <= now:
            for wire in self._due.pop(heappop(self._spans)):
                if wire not in self._awake:
                    self._rest(wire, wire.due(), now)
        for wire in tuple(self._awake):
            self._rest(wire, wire.tick(), now)
        if self._asks:
            for wire in tuple(self._wires):
                wire.probe()

    def _rest(self, wire: Ticking, until: float, now: float) -> None:
        """Leave a wire alone until this moment, or look at it at the next tick if that is near."""
        if wire not in self._wires:
            return  # it has ended meanwhile
        if until > now + TICK:
            self._awake.discard(wire)
            self._schedule(wire, until)
        else:
            self._awake.add(wire)

    def _schedule(self, wire: Ticking, until: float) -> None:
        """Look at a wire when the span of this moment begins, and not when another one does."""
        span = None if until == inf else int(until / TICK)
        before = self._wires[wire]
        if before == span:
            return
        if before in self._due:
            self._due[before].discard(wire)
        self._wires[wire] = span
        if span is not None:
            self._enter(wire, span)

    def _enter(self, wire: Ticking, span: int) -> None:
        found = self._due.get(span)
        if found is None:
            found = self._due[span] = set()
            heappush(self._spans, span)
        found.add(wire)
