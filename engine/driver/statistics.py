"""Counters of one engine, as a frozen record."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from recloser.fsm.change import StateChange
from recloser.fsm.named_tuple import NamedTuple

if TYPE_CHECKING:
    from recloser.fsm.record import Origin

_NO_CLOSES: Final[Mapping[tuple[int, str, bool], int]] = MappingProxyType({})


class Statistics(NamedTuple):
    """The counters of an engine since it was made. Times are in seconds."""

    dials: int = 0
    """Dials that were started."""
    opens: int = 0
    """Generations that opened."""
    uptime: float = 0.0
    """Time spent open by the generations that have ended."""
    closes: Mapping[tuple[int, str, bool], int] = _NO_CLOSES
    """Ends of generations and failed dials, by code, origin and intent."""
    undelivered: int = 0
    """Received messages that no consumer gets: they did not fit into the receive buffer, were
    discarded as `unread="discard"` asks, or came with a connection that never opened."""
    dropped: int = 0
    """Messages that the outbox dropped; each was reported."""
    resent: int = 0
    """Messages that may not have left with an ended connection, or were not acknowledged in it, and
    were put back to be sent."""
    acknowledged: int = 0
    """Messages that were acknowledged."""


class Counters:
    """Counts for `Statistics`: the driver and the sender advance them."""

    __slots__ = (
        "_closes",
        "_uptime",
        "acknowledged",
        "dials",
        "dropped",
        "opens",
        "resent",
        "undelivered",
    )

    def __init__(self) -> None:
        self._uptime = 0.0
        self._closes: dict[tuple[int, Origin, bool], int] | None = None
        self.dials: int = 0
        self.opens: int = 0
        self.undelivered: int = 0
        self.dropped: int = 0
        self.resent: int = 0
        self.acknowledged: int = 0

    def ended(self, change: StateChange) -> None:
        """Count the end of a generation or of a dial."""
        if change.uptime is not None:
            self._uptime += change.uptime
        close = change.close
        if close is not None:
            if self._closes is None:
                self._closes = {}  # a `Counter` of these would be one more for the collector
            key = close.code, close.origin, close.intentional
            self._closes[key] = self._closes.get(key, 0) + 1

    def read(self, undelivered: int) -> Statistics:
        """Give the figures as they stand; `undelivered` messages were not told in a change yet."""
        counted = self._closes or {}
        closes = {(key[0], key[1].value, key[2]): number for key, number in counted.items()}
        return Statistics(
            dials=self.dials,
            opens=self.opens,
            uptime=self._uptime,
            closes=MappingProxyType(closes),
            undelivered=self.undelivered + undelivered,
            dropped=self.dropped,
            resent=self.resent,
            acknowledged=self.acknowledged,
        )
