"""`MemoryStore`: the leases of the engines of one event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from recloser.fleet.store import Grant, Refusal


@dataclass(slots=True)
class _Lease:
    """What is known of one key. It stays: the fencing number must outlive every lease."""

    token: int = 0
    owner: str = ""
    until: float = 0.0
    """The end of the lease, on the clock of the event loop."""


class MemoryStore:
    """A store for the engines of one event loop, and for tests.

        store = MemoryStore()
        ws = recloser.connect(url, lease=Lease(store, "prices"))

    Two engines with one key, in one process: one is open, the other is its hot standby.
    """

    __slots__ = ("_leases", "_watchers")

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}
        self._watchers: dict[str, list[Callable[[], None]]] = {}

    async def acquire(self, key: str, owner: str, ttl: float, floor: int) -> Grant | Refusal:
        """See `LeaseStore.acquire`."""
        lease, now = self._leases.setdefault(key, _Lease()), asyncio.get_running_loop().time()
        if lease.owner not in ("", owner) and lease.until > now:
            return Refusal(lease.until - now)
        lease.token = max(lease.token, floor) + 1
        lease.owner, lease.until = owner, now + ttl
        return Grant(lease.token)

    async def renew(self, key: str, owner: str, token: int, ttl: float) -> bool:
        """See `LeaseStore.renew`."""
        lease = self._leases.get(key)
        if lease is None or (lease.owner, lease.token) != (owner, token):
            return False
        lease.until = asyncio.get_running_loop().time() + ttl
        return True

    async def release(self, key: str, owner: str) -> None:
        """See `LeaseStore.release`."""
        lease = self._leases.get(key)
        if lease is not None and lease.owner == owner:
            lease.owner = ""
            for callback in tuple(self._watchers.get(key, ())):
                callback()

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """See `LeaseStore.watch`."""
        self._watchers.setdefault(key, []).append(callback)

        def end() -> None:
            watchers = self._watchers.get(key, [])
            if callback in watchers:
                watchers.remove(callback)
            if not watchers:
                self._watchers.pop(key, None)

        return end
