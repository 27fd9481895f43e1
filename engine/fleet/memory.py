"""`MemoryStore`: the leases, the workers and the credentials of one event loop."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import uuid4

from recloser.fleet.store import Grant, Refusal


class LeaseRecord(NamedTuple):
    """What a store knows of one key. It outlives every lease: the fencing number must rise.

    Times are on one clock of the store, whichever that is.
    """

    token: int = 0
    owner: str = ""
    until: float = 0.0
    """The end of the lease."""

    def granted(
        self, owner: str, ttl: float, floor: int, now: float
    ) -> "tuple[LeaseRecord, Grant | Refusal]":
        """Answer a request for the lease, and give what is known then."""
        if self.owner not in ("", owner) and self.until > now:
            return self, Refusal(self.until - now)
        token = max(self.token, floor) + 1
        return LeaseRecord(token, owner, now + ttl), Grant(token)

    def renewed(self, owner: str, token: int, ttl: float, now: float) -> "LeaseRecord | None":
        """Answer a renewal with what is known then; None if the lease is another's, or newer."""
        if (self.owner, self.token) != (owner, token):
            return None
        return LeaseRecord(token, owner, now + ttl)

    def released(self, owner: str) -> "LeaseRecord | None":
        """Answer a release with what is known then; None if the lease is another's."""
        return self._replace(owner="") if self.owner == owner else None


_NOTHING: Final = LeaseRecord()


class MemoryStore:
    """A store for the engines of one event loop, and for tests.

        store = MemoryStore()
        ws = recloser.connect(url, lease=Lease(store, "prices"))

    Two engines with one key, in one process: one is open, the other is its hot standby.
    """

    __slots__ = ("_leases", "_members", "_refreshes", "_sealed", "_watchers")

    def __init__(self) -> None:
        self._leases: dict[str, LeaseRecord] = {}
        self._members: dict[str, dict[str, float]] = {}
        self._sealed: dict[str, tuple[str, bytes, float]] = {}
        self._refreshes: dict[str, tuple[str, float]] = {}
        self._watchers: dict[str, list[Callable[[], None]]] = {}

    async def acquire(self, key: str, owner: str, ttl: float, floor: int) -> Grant | Refusal:
        """See `LeaseStore.acquire`."""
        known, now = self._leases.get(key, _NOTHING), asyncio.get_running_loop().time()
        self._leases[key], answer = known.granted(owner, ttl, floor, now)
        return answer

    async def renew(self, key: str, owner: str, token: int, ttl: float) -> bool:
        """See `LeaseStore.renew`."""
        known, now = self._leases.get(key, _NOTHING), asyncio.get_running_loop().time()
        renewed = known.renewed(owner, token, ttl, now)
        if renewed is None:
            return False
        self._leases[key] = renewed
        return True

    async def release(self, key: str, owner: str) -> None:
        """See `LeaseStore.release`."""
        released = self._leases.get(key, _NOTHING).released(owner)
        if released is not None:
            self._leases[key] = released
            self._tell(key)

    async def credential(self, name: str) -> tuple[str, bytes] | None:
        """See `CredentialStore.credential`."""
        found = self._sealed.get(name)
        if found is None or found[2] <= asyncio.get_running_loop().time():
            return None
        return found[:2]

    async def begin_refresh(self, name: str, owner: str, ttl: float) -> float:
        """See `CredentialStore.begin_refresh`."""
        now = asyncio.get_running_loop().time()
        other, until = self._refreshes.get(name, ("", 0.0))
        if other != owner and until > now:
            return until - now
        self._refreshes[name] = owner, now + ttl
        return 0.0

    async def end_refresh(self, name: str, owner: str, sealed: bytes | None, ttl: float) -> str:
        """See `CredentialStore.end_refresh`."""
        found = ""
        if self._refreshes.get(name, ("", 0.0))[0] == owner:
            del self._refreshes[name]
            if sealed is not None:
                found = uuid4().hex
                self._sealed[name] = found, sealed, asyncio.get_running_loop().time() + ttl
            self._tell(name)
        return found

    async def beat(self, group: str, member: str, ttl: float) -> tuple[str, ...]:
        """See `MemberStore.beat`."""
        now = asyncio.get_running_loop().time()
        known = self._members.get(group, {})
        alive = {each: until for each, until in known.items() if until > now}
        self._members[group] = {**alive, member: now + ttl}
        if member not in alive:
            self._tell(group)
        return tuple(self._members[group])

    async def leave(self, group: str, member: str) -> None:
        """See `MemberStore.leave`."""
        members = self._members.get(group, {})
        if members.pop(member, None) is not None:
            self._tell(group)
        if not members:
            self._members.pop(group, None)

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

    def _tell(self, key: str) -> None:
        for callback in tuple(self._watchers.get(key, ())):
            callback()
