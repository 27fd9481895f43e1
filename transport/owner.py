"""What a wire asks of the transport that dialled it."""

from collections.abc import Callable
from typing import Protocol

from recloser.transport.liveness import Heartbeat


class Owner(Protocol):
    """What the wires of one transport have in common."""

    @property
    def heartbeat(self) -> Heartbeat | None:
        """When to ping."""
        ...

    @property
    def ask_kernel(self) -> bool:
        """Whether the kernel may judge silence, where it can."""
        ...

    @property
    def backlogged(self) -> Callable[[int], None] | None:
        """To be told how many messages are unread when reading pauses."""
        ...

    def orphaned(self) -> bool:
        """Whether the session was closed under the wires."""
        ...
