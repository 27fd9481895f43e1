"""`RedisGovernorStore`: permits to dial, and news of hosts, for all processes of a fleet."""

import asyncio
import json
from collections.abc import Callable
from math import isfinite
from typing import Final
from uuid import uuid4

from recloser.fleet.redis_link import RedisLink
from recloser.governor.limits import DialLimits
from recloser.governor.news import News, Reading

_PATIENCE: Final = 2.0
"""Seconds for an answer."""
_FULL: Final = 1.0
"""Seconds after which to ask again where a dial must end first."""

_ACQUIRE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local permit, gap, most, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local free = tonumber(redis.call('GET', KEYS[1]) or 0)
if gap > 0 and free > now and free < now + gap + 1 then
    return tostring(free - now)
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if most > 0 and redis.call('ZCARD', KEYS[2]) >= most then
    local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    return tostring(math.min(tonumber(ARGV[5]), tonumber(first[2]) - now))
end
if gap > 0 then
    redis.call('SET', KEYS[1], string.format('%.3f', now + gap), 'PX', math.ceil(gap))
end
redis.call('ZADD', KEYS[2], now + lease, permit)
redis.call('PEXPIRE', KEYS[2], math.ceil(lease))
return '0'
"""
"""Takes a permit: KEYS[1] is when the next dial may start, KEYS[2] are the permits by their end."""


class RedisGovernorStore:
    """A `GovernorStore` in Redis: `RedisStore(url).governor`.

    The rate and the ends of permits are by the clock of the server.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._owner = uuid4().hex

    async def acquire(self, key: str, permit: str, limits: DialLimits, lease: float) -> float:
        """See `GovernorStore.acquire`; raises `OSError`."""
        keys = self._link.key("next", key), self._permits(key)
        gap = 0.0 if limits.rate is None else 1000 / limits.rate
        arguments = permit, gap, limits.at_once or 0, lease * 1000, _FULL * 1000
        async with asyncio.timeout(_PATIENCE):
            wait = float(await self._link.run(_ACQUIRE, keys, *arguments))
        return wait / 1000

    async def release(self, key: str, permit: str) -> None:
        """See `GovernorStore.release`; raises `OSError`."""
        async with asyncio.timeout(_PATIENCE):
            await self._link.run(
                "return redis.call('ZREM', KEYS[1], ARGV[1])", (self._permits(key),), permit
            )

    async def publish(self, news: News) -> None:
        """See `GovernorStore.publish`; raises `OSError`."""
        said = self._owner, news.key, news.reading.value, news.retry_after, news.spread
        async with asyncio.timeout(_PATIENCE):
            await self._link.tell(self._link.channel("host"), json.dumps(said))

    def subscribe(self, hear: Callable[[News], None]) -> Callable[[], None]:
        """See `GovernorStore.subscribe`."""

        def read(message: str) -> None:
            news = _news(message, self._owner)
            if news is not None:
                hear(news)

        return self._link.listen(self._link.channel("host"), read)

    def _permits(self, key: str) -> str:
        return self._link.key("permits", key)


def _news(message: str, own: str) -> News | None:
    """Read what another process tells; None for our own, and for what this version cannot read."""
    try:
        owner, key, reading, *seconds = json.loads(message)
        retry_after, spread = (None if each is None else float(each) for each in seconds)
        news = News(str(key), Reading(reading), retry_after, spread)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None  # JSON has numbers that no float holds, and lists in lists without a bound
    sound = all(each is None or (isfinite(each) and each >= 0) for each in news[2:])
    return news if sound and owner != own else None
