"""`RedisStore`: what the processes of a fleet share, in Redis or Valkey."""

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from recloser.fleet.redis_budget import RedisBudgetStore
from recloser.fleet.redis_governor import RedisGovernorStore
from recloser.fleet.redis_link import RedisLink, text_of
from recloser.fleet.store import Grant, Refusal

if TYPE_CHECKING:
    from redis.asyncio import Redis

_IDLE: Final = 86_400_000
"""Milliseconds after the end of a lease for which Redis keeps the fencing number of its key."""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
"""The time of the server in milliseconds."""

_ACQUIRE: Final = f"""{_NOW}
local owner, ttl, floor, idle = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local known = redis.call('HMGET', KEYS[2], 'run', 'since')
local since = tonumber(known[2])
if known[1] ~= run or since > now then
    redis.call('HSET', KEYS[2], 'run', run, 'since', string.format('%.0f', now))
    since = now
end
local lease = redis.call('HMGET', KEYS[1], 'owner', 'token', 'until', 'ttl')
local remaining = since + ttl - now
if lease[1] and lease[1] ~= '' and lease[1] ~= owner then
    remaining = math.max(remaining, math.min(tonumber(lease[3]) - now, tonumber(lease[4])))
end
if remaining > 0 then
    return {{0, string.format('%.0f', remaining)}}
end
local token = string.format('%.0f', math.max(tonumber(lease[2] or 0) + 1, floor + 1, now))
redis.call('HSET', KEYS[1], 'owner', owner, 'token', token, 'ttl', ARGV[2],
    'until', string.format('%.0f', now + ttl))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl + idle))
return {{1, token}}
"""
"""Grants the lease KEYS[1] unless it is another's, or this server is too young (KEYS[2])."""

_RENEW: Final = f"""{_NOW}
local owner, token, ttl, idle = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local lease = redis.call('HMGET', KEYS[1], 'owner', 'token')
local known = tonumber(lease[2] or 0)
if known > token or (known == token and lease[1] ~= owner) then
    return 0
end
redis.call('HSET', KEYS[1], 'owner', owner, 'token', ARGV[2], 'ttl', ARGV[3],
    'until', string.format('%.0f', now + ttl))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl + idle))
return 1
"""
"""Prolongs the lease unless a newer one was granted; also where the server has lost it."""

_RELEASE: Final = """
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'owner', '', 'until', '0')
    redis.call('PUBLISH', KEYS[2], '')
end
return 0
"""
"""Ends the lease, keeps its fencing number, and tells the channel KEYS[2]."""


_BEAT: Final = f"""{_NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1]) == 1 then
    redis.call('PUBLISH', KEYS[2], '')
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
"""Counts a member of KEYS[1] as alive, tells the channel KEYS[2] of a new one."""

_LEAVE: Final = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
    redis.call('PUBLISH', KEYS[2], '')
end
return 0
"""
"""Counts a member of KEYS[1] as gone, and tells the channel KEYS[2]."""


_BEGIN: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or
        redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 0
end
return math.max(1, redis.call('PTTL', KEYS[1]))
"""
"""Lets one owner refresh a credential: KEYS[1]; else returns the wait."""

_END: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return ''
end
redis.call('DEL', KEYS[1])
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[2], 'id', ARGV[2], 'sealed', ARGV[3])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
redis.call('PUBLISH', KEYS[3], '')
return ARGV[3] ~= '' and ARGV[2] or ''
"""
"""Ends a refresh, keeps the credential in KEYS[2], and tells the channel KEYS[3]."""


class RedisStore:
    """What the processes of a fleet share, in Redis 6.2 or later, or Valkey.

        store = RedisStore("redis://localhost")
        ws = recloser.connect(url, lease=Lease(store, "prices"))
        ...
        await store.aclose()

    server: the URL of the server, or a `redis.asyncio.Redis` of your own, which stays yours to
        close.
    replicas: so many replicas must have each grant and each renewal, or it does not count. With
        all replicas that may be promoted, a failover that loses writes lets no second holder in.
    prefix: the first part of every key and channel. All keys are in one slot of a cluster.

    A server that has just begun to serve (it was started, it was promoted, its data is gone, or
    it is used for the first time) grants nothing for one `ttl`: holders of whom it knows nothing
    may be there. They renew meanwhile. Keys must not be evicted: `maxmemory-policy noeviction`.

    One store serves all leases of an event loop, with one connection to hear of releases while
    any of its engines is a standby. Raises `ImportError` where the redis library is missing, and
    `TypeError` or `ValueError` for what cannot work.
    """

    def __init__(
        self, server: "str | Redis", *, replicas: int = 0, prefix: str = "recloser"
    ) -> None:
        self._link = RedisLink(server, replicas=replicas, prefix=prefix)
        self._governor = RedisGovernorStore(self._link)

    @property
    def governor(self) -> RedisGovernorStore:
        """Permits to dial and news of hosts, for `Governor(store=...)`."""
        return self._governor

    def budget(self, name: str) -> RedisBudgetStore:
        """Return the dials of one budget of the fleet, for `Budget(..., store=...)`.

        Budgets of one name share their dials. Raises `TypeError` or `ValueError`.
        """
        return RedisBudgetStore(self._link, name)

    async def acquire(self, key: str, owner: str, ttl: float, floor: int) -> Grant | Refusal:
        """See `LeaseStore.acquire`; raises `StoreUnreachable`."""
        keys = self._lease(key), self._link.key("server")
        answer = await self._link.confirmed(_ACQUIRE, keys, owner, _milliseconds(ttl), floor, _IDLE)
        granted, number = answer
        return Grant(int(number)) if int(granted) else Refusal(int(number) / 1000)

    async def renew(self, key: str, owner: str, token: int, ttl: float) -> bool:
        """See `LeaseStore.renew`; raises `StoreUnreachable`."""
        arguments = owner, token, _milliseconds(ttl), _IDLE
        return bool(await self._link.confirmed(_RENEW, (self._lease(key),), *arguments))

    async def release(self, key: str, owner: str) -> None:
        """See `LeaseStore.release`; raises `StoreUnreachable`."""
        await self._link.run(_RELEASE, (self._lease(key), self._free(key)), owner)

    async def credential(self, name: str) -> tuple[str, bytes] | None:
        """See `CredentialStore.credential`; raises `StoreUnreachable`."""
        script = "return redis.call('HMGET', KEYS[1], 'id', 'sealed')"
        found, sealed = await self._link.run(script, (self._link.key("credential", name),))
        return None if found is None else (text_of(found), text_of(sealed).encode())

    async def begin_refresh(self, name: str, owner: str, ttl: float) -> float:
        """See `CredentialStore.begin_refresh`; raises `StoreUnreachable`."""
        keys = (self._link.key("refresh", name),)
        return int(await self._link.run(_BEGIN, keys, owner, _milliseconds(ttl))) / 1000

    async def end_refresh(self, name: str, owner: str, sealed: bytes | None, ttl: float) -> str:
        """See `CredentialStore.end_refresh`; raises `StoreUnreachable`."""
        keys = self._link.key("refresh", name), self._link.key("credential", name)
        text = "" if sealed is None else sealed.decode()
        arguments = owner, uuid4().hex, text, max(1, _milliseconds(ttl))
        return text_of(await self._link.run(_END, (*keys, self._free(name)), *arguments))

    async def beat(self, group: str, member: str, ttl: float) -> tuple[str, ...]:
        """See `MemberStore.beat`; raises `StoreUnreachable`."""
        keys = self._link.key("members", group), self._free(group)
        found = await self._link.run(_BEAT, keys, member, _milliseconds(ttl))
        return tuple(map(text_of, found))

    async def leave(self, group: str, member: str) -> None:
        """See `MemberStore.leave`; raises `StoreUnreachable`."""
        keys = self._link.key("members", group), self._free(group)
        await self._link.run(_LEAVE, keys, member)

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """See `LeaseStore.watch`."""
        return self._link.listen(self._free(key), lambda _: callback(), callback)

    async def aclose(self) -> None:
        """Hear nothing more, and close the connections; those of your own client stay yours."""
        await self._link.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    def _lease(self, key: str) -> str:
        return self._link.key("lease", key)

    def _free(self, key: str) -> str:
        return self._link.channel("free", key)


def _milliseconds(seconds: float) -> int:
    return ceil(seconds * 1000)
