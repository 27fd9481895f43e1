"""What is told of messages that were accepted and will not be sent."""

from dataclasses import dataclass
from enum import Enum

from recloser.outbox.message import Message


class Reason(Enum):
    """Why a message was dropped."""

    EXPIRED = "expired"
    """Its `ttl` ran out."""
    REPLACED = "replaced"
    """A newer message had the same `key`."""
    GENERATION = "generation"
    """It was meant for one generation, which ended."""
    OLDEST = "oldest"
    """The outbox was full, and drops what is oldest."""
    NEWEST = "newest"
    """The outbox was full, and drops what is newest: `send` gave `Delivery.DROPPED`."""
    DECISION = "decision"
    """The policy said so."""
    UNACKNOWLEDGED = "unacknowledged"
    """It was delivered `max_deliveries` times, and never acknowledged."""
    UNRENDERED = "unrendered"
    """`render` raised, or gave neither `str` nor `bytes`; the error was logged."""

    @property
    def asked(self) -> bool:
        """Whether the application asked for it, by `ttl`, `key` or `this_generation`."""
        return self in (Reason.EXPIRED, Reason.REPLACED, Reason.GENERATION)


@dataclass(frozen=True, slots=True)
class Drop:
    """One message that was dropped, and why."""

    message: Message
    reason: Reason
