"""`RedisBudgetStore`: the dials of one budget, for all processes of a fleet."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Final

from recloser.fleet.redis_link import RedisLink
from recloser.fsm.allowance import Allowance

_PATIENCE: Final = 2.0
"""Seconds for an answer."""

_SPEND: Final = """
local given = cjson.decode(ARGV[1])
local owner, now, longest = given.owner .. ':', given.now, 0
for _, each in ipairs(given.allowances) do
    longest = math.max(longest, each[2])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.17g', now - longest))
local ahead = string.format('(%.17g', now + longest)
for _, dial in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ahead, '+inf')) do
    redis.call('ZADD', KEYS[1], string.format('%.17g', now), dial)
end
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local others, moments = {}, {}
for at = 1, #found, 2 do
    if string.sub(found[at], 1, #owner) ~= owner then
        table.insert(others, found[at + 1])
        table.insert(moments, tonumber(found[at + 1]))
    end
end
for _, moment in ipairs(given.own) do
    table.insert(moments, moment)
end
local granted = 1
for _, each in ipairs(given.allowances) do
    local count = 0
    for _, moment in ipairs(moments) do
        if moment > now - each[2] then
            count = count + 1
        end
    end
    if count >= each[1] then
        granted = 0
    end
end
for _, dial in ipairs(given.dials) do
    if granted == 1 or dial[1] ~= given.number then
        redis.call('ZADD', KEYS[1], 'NX', string.format('%.17g', dial[2]),
            owner .. string.format('%.0f', dial[1]))
    end
end
redis.call('PEXPIRE', KEYS[1], math.ceil(longest * 1000))
return {granted, others}
"""
"""Keeps dials in KEYS[1], by their moments, if each allowance leaves one."""


class RedisBudgetStore:
    """A `BudgetStore` in Redis: `RedisStore(url).budget(name)`.

    The moments are those of the processes' own wall clocks, which must agree to what the budget
    is to be kept.
    """

    def __init__(self, link: RedisLink, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a budget must be a str, not {type(name).__name__}")
        if not name:
            raise ValueError("the name of a budget must not be empty: name what it is for")
        self._link = link
        self._name = name

    @property
    def name(self) -> str:
        """The name of the budget."""
        return self._name

    async def spend(
        self,
        owner: str,
        dials: Mapping[int, float],
        own: Sequence[float],
        allowances: Sequence[Allowance],
    ) -> tuple[Sequence[float], bool]:
        """See `BudgetStore.spend`; raises `OSError`."""
        number = max(dials)
        given = {
            "owner": owner,
            "number": number,
            "now": dials[number],
            "dials": list(dials.items()),
            "own": list(own),
            "allowances": [(each.dials, each.seconds) for each in allowances],
        }
        async with asyncio.timeout(_PATIENCE):
            answer = await self._link.run(
                _SPEND, (self._link.key("budget", self._name),), json.dumps(given)
            )
        granted, others = answer
        return [float(at) for at in others], bool(granted)
