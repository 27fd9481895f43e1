"""`RedisStore`: the leases of a fleet in Redis or Valkey."""

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Any, Final, Self

from redis import asyncio as redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from recloser.fleet.store import Grant, Refusal, StoreUnreachable
from recloser.fsm.numbers import check_count

_TIMEOUT: Final = 10.0
"""Seconds for a connection to Redis, and for an answer; a lease has less patience."""
_WAIT: Final = 1000
"""Milliseconds that replicas have to confirm a write."""
_PAUSE: Final = 0.3
"""Seconds between two attempts to subscribe."""
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


class RedisStore:
    """The leases of a fleet in Redis 6.2 or later, or Valkey.

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
        self, server: "str | redis.Redis", *, replicas: int = 0, prefix: str = "recloser"
    ) -> None:
        check_count("replicas", replicas, least=0)
        if not isinstance(prefix, str):
            raise TypeError(f"prefix must be a str, not {type(prefix).__name__}")
        self._own = isinstance(server, str)
        if isinstance(server, str):
            server = redis.Redis.from_url(
                server, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
            )
        elif not isinstance(server, redis.Redis):
            raise TypeError(f"server must be a URL or a redis.asyncio.Redis, not {server!r}")
        self._redis = server
        self._replicas = replicas
        self._prefix = f"{{{prefix}}}"
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def acquire(self, key: str, owner: str, ttl: float, floor: int) -> Grant | Refusal:
        """See `LeaseStore.acquire`; raises `StoreUnreachable`."""
        keys = self._lease(key), f"{self._prefix}:server"
        answer = await self._confirmed(_ACQUIRE, keys, owner, _milliseconds(ttl), floor, _IDLE)
        granted, number = answer
        return Grant(int(number)) if int(granted) else Refusal(int(number) / 1000)

    async def renew(self, key: str, owner: str, token: int, ttl: float) -> bool:
        """See `LeaseStore.renew`; raises `StoreUnreachable`."""
        arguments = owner, token, _milliseconds(ttl), _IDLE
        return bool(await self._confirmed(_RENEW, (self._lease(key),), *arguments))

    async def release(self, key: str, owner: str) -> None:
        """See `LeaseStore.release`; raises `StoreUnreachable`."""
        channel = f"{self._channels}{key}"
        await self._run(_RELEASE, (self._lease(key), channel), owner)

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """See `LeaseStore.watch`."""
        self._watchers.setdefault(key, []).append(callback)
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(
                self._listen(), name="recloser lease news"
            )

        def end() -> None:
            watchers = self._watchers.get(key, [])
            if callback in watchers:
                watchers.remove(callback)
            if not watchers:
                self._watchers.pop(key, None)
            if not self._watchers:
                self._stop_listening()

        return end

    async def aclose(self) -> None:
        """Hear nothing more, and close the connections; those of your own client stay yours."""
        task = self._stop_listening()
        if task is not None:
            await asyncio.wait((task,))
        if self._own:
            await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    # -- requests -----------------------------------------------------------------------

    def _lease(self, key: str) -> str:
        return f"{self._prefix}:lease:{key}"

    @property
    def _channels(self) -> str:
        return f"{self._prefix}:free:"

    async def _confirmed(self, script: str, keys: tuple[str, ...], *arguments: object) -> Any:
        """Run a script, and return its answer once so many replicas have what it wrote."""
        answer, *copies = await self._run(script, keys, *arguments, wait=self._replicas)
        if copies and copies[0] < self._replicas:
            raise StoreUnreachable(
                f"only {copies[0]} of {self._replicas} replicas have it: see to the replication"
            )
        return answer

    async def _run(
        self, script: str, keys: tuple[str, ...], *arguments: object, wait: int = 0
    ) -> list[Any]:
        """Run a script; return its answer, and how many replicas have it if any must."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.eval(script, len(keys), *keys, *map(str, arguments))
        if wait:
            pipeline.execute_command("WAIT", wait, _WAIT)
        try:
            found: list[Any] = await pipeline.execute()
        except RedisTimeout as error:
            raise TimeoutError("Redis gave no answer in time") from error
        except (RedisError, OSError) as error:
            raise StoreUnreachable(f"Redis gives no answer: {error}") from error
        return found

    # -- news ---------------------------------------------------------------------------

    def _stop_listening(self) -> asyncio.Task[None] | None:
        task, self._listening = self._listening, None
        if task is not None:
            task.cancel()
        return task

    async def _listen(self) -> None:
        """Hear of releases, and ask again whatever may have been missed."""
        missed = False
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as news:
                    await news.psubscribe(f"{self._channels}*")
                    if missed:
                        self._tell_all()
                    while True:
                        self._tell(await news.get_message(timeout=_TIMEOUT))
            except (RedisError, OSError):
                missed = True  # the requests of those who wait tell the log what is wrong
                await asyncio.sleep(_PAUSE)

    def _tell(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        channel = message["channel"]
        name = channel.decode() if isinstance(channel, bytes) else channel
        for callback in tuple(self._watchers.get(name.removeprefix(self._channels), ())):
            callback()

    def _tell_all(self) -> None:
        for watchers in tuple(self._watchers.values()):
            for callback in tuple(watchers):
                callback()


def _milliseconds(seconds: float) -> int:
    return ceil(seconds * 1000)
