"""The measurements of one engine, whatever library the numbers go to."""

from collections.abc import Mapping
from typing import Final, Protocol

from recloser.fsm.change import StateChange
from recloser.fsm.states import State
from recloser.statistics.kinds import CloseKind, KindBound

DURATIONS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
"""Bounds of the histogram of dials, in seconds; a dial takes `Timeouts.connect` at most."""
UPTIMES: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0, 604800.0)
"""Bounds of the histogram of connections, in seconds: a second to a week."""
LONGEST_NAME: Final = 40
"""Characters of an engine's name in an exemplar, whose labels have 128 at most (OpenMetrics)."""


class Instruments(Protocol):
    """The destination of the numbers. Times in seconds."""

    def move(self, previous: State, current: State) -> None:
        """Count an engine in another state; in closed it is not counted."""

    def dialled(self) -> None:
        """Count a dial."""

    def opened(self, peer: str, seconds: float, origin: Mapping[str, str]) -> None:
        """Count a connection that opened after a dial of so many seconds."""

    def closed(self, kind: CloseKind) -> None:
        """Count an end of a generation, or a failed dial."""

    def lived(self, peer: str, seconds: float, origin: Mapping[str, str]) -> None:
        """Take the time of a connection that has ended."""

    def undelivered(self, count: int) -> None:
        """Count received messages that no consumer gets."""

    def gave_up(self) -> None:
        """Count an engine that ended without being asked to."""


class EngineMeter:
    """Measures one engine: an observer."""

    __slots__ = ("_bound", "_counted", "_dialled_at", "_instruments", "_name")

    def __init__(self, name: str, instruments: Instruments, bound: KindBound) -> None:
        self._name = name[:LONGEST_NAME]
        self._instruments = instruments
        self._bound = bound
        self._counted = State.CLOSED
        """The state in which the engine is counted; closed if it is not counted."""
        self._dialled_at: float | None = None

    def __call__(self, change: StateChange) -> None:
        """Take one change into account."""
        instruments = self._instruments
        instruments.move(self._counted, change.current)
        self._counted = change.current
        origin = {"engine": self._name, "generation": str(change.generation)}
        if change.undelivered:
            instruments.undelivered(change.undelivered)
        if change.close is not None:
            kind = self._bound.kind_of(change, change.close)
            instruments.closed(kind)
            if change.uptime is not None:
                instruments.lived(kind.peer, change.uptime, origin)
        if change.current is State.CONNECTING:
            self._dialled_at = change.at
            instruments.dialled()
        elif change.current is State.OPEN and self._dialled_at is not None:
            peer = self._bound.peer_of(change)
            instruments.opened(peer, max(0.0, change.at - self._dialled_at), origin)
        if change.gave_up:
            instruments.gave_up()
