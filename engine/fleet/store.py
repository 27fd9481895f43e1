"""`LeaseStore`: what keeps the leases of a fleet, and who holds which."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from recloser.fsm.errors import RecloserError


class Grant(NamedTuple):
    """The lease was granted."""

    token: int
    """The fencing number: higher than that of every grant of this key before."""


class Refusal(NamedTuple):
    """The lease was not granted."""

    remaining: float
    """Seconds after which it is worth while to ask again."""


class StoreUnreachable(RecloserError, ConnectionError):
    """The store gives no answer; what it keeps goes on."""


class LeaseStore(Protocol):
    """Keeps who holds which lease; several processes may share what is behind it.

    Every method may raise: any exception is told in the log, and the request has failed. Raise
    `TimeoutError` where the request may have been carried out and no answer came. A request that
    takes long is cancelled.
    """

    async def acquire(self, key: str, owner: str, ttl: float, floor: int) -> Grant | Refusal:
        """Grant the lease of `key` for `ttl` seconds, unless another owner holds it.

        The owner that holds it gets it anew. The fencing number is higher than every one before,
        and than `floor`.
        """
        ...

    async def renew(self, key: str, owner: str, token: int, ttl: float) -> bool:
        """Prolong the lease to `ttl` seconds from now; False if it is another's, or newer."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """End the lease if this owner holds it, and tell those who watch."""
        ...

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback()` in this event loop when the lease may be free; soon, not surely.

        The returned function ends that.
        """
        ...
