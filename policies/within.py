"""What a backoff is, and the plainest: a random moment, whatever the attempt."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from recloser.fsm.decisions import Context
from recloser.fsm.record import Close
from recloser.policies.numbers import check_order, check_seconds


class Backoff(ABC):
    """One way of choosing a delay; frozen, so that one object serves every connection.

    Its `str` says what it does, in a few words for a table.
    """

    __slots__ = ()

    @abstractmethod
    def bound(self) -> float:
        """Return the longest delay, in seconds, that can come out."""

    @abstractmethod
    def delay(self, close: Close, context: Context, /) -> float:
        """Return the seconds from now to the next dial."""


@dataclass(frozen=True, slots=True)
class Within(Backoff):
    """A random moment between `low` and `cap`, whatever the attempt."""

    low: float
    cap: float

    def __post_init__(self) -> None:
        check_seconds("low", self.low)
        check_seconds("cap", self.cap)
        check_order("low", self.low, "cap", self.cap)

    def __str__(self) -> str:
        if self.low == self.cap:
            return f"after {self.cap:g} s" if self.cap else "at once"
        return f"after {self.low:g}-{self.cap:g} s"

    def bound(self) -> float:
        """Return the cap."""
        return self.cap

    def delay(self, close: Close, context: Context, /) -> float:
        """Return low + roll * (cap - low)."""
        del close
        return self.low + context.roll * (self.cap - self.low)
