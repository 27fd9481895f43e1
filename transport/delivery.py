"""What became of a message that was sent."""

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any


class Delivery(Enum):
    """What `send` answers."""

    SENT = "sent"
    """It was handed to the open connection. Whether the peer took it, only the peer can say."""
    QUEUED = "queued"
    """It is in the outbox, and goes out when the connection is open."""
    DROPPED = "dropped"
    """The outbox is full and drops what is newest: this message. The drop was reported."""


Adopt = Callable[[Any], Coroutine[Any, Any, Delivery]]
"""Takes a message, or the item that stands for it, which an ended wire could not take."""
