"""What every store of leases keeps to, whatever is behind it."""

from collections.abc import Awaitable, Callable
from typing import Any

from recloser.fleet import Grant, LeaseStore, Refusal

Wait = Callable[[float], Awaitable[object]]
TTL = 0.5
"""Short, since a real store counts real time; no figure here is an upper bound of a wait."""


async def one_owner_at_a_time(store: LeaseStore, wait: Wait) -> None:
    first = await store.acquire("a", "one", TTL, 0)
    assert isinstance(first, Grant)
    refused = await store.acquire("a", "two", TTL, 0)
    assert isinstance(refused, Refusal)
    assert 0 < refused.remaining <= TTL
    other = await store.acquire("b", "two", TTL, 0)
    assert isinstance(other, Grant)
    await wait(refused.remaining + 0.01)
    second = await store.acquire("a", "two", TTL, 0)
    assert isinstance(second, Grant)
    assert second.token > first.token
    assert not await store.renew("a", "one", first.token, TTL)
    assert await store.renew("a", "two", second.token, TTL)


async def the_number_rises_with_every_grant(store: LeaseStore, wait: Wait) -> None:
    seen = 0
    for owner in ("one", "one", "two", "one"):
        granted = await store.acquire("a", owner, TTL, 0)
        assert isinstance(granted, Grant)
        assert granted.token > seen
        seen = granted.token
        if owner != "one":
            await store.release("a", owner)
        else:
            await store.release("a", "somebody else")
            assert await store.renew("a", owner, seen, TTL)
            await store.release("a", owner)
    floored = await store.acquire("a", "one", TTL, seen + 10**15)
    assert isinstance(floored, Grant)
    assert floored.token > seen + 10**15


async def a_renewal_counts_from_now(store: LeaseStore, wait: Wait) -> None:
    granted = await store.acquire("a", "one", TTL, 0)
    assert isinstance(granted, Grant)
    await wait(TTL / 2)
    assert await store.renew("a", "one", granted.token, 60.0)
    refused = await store.acquire("a", "two", TTL, 0)
    assert isinstance(refused, Refusal)
    assert refused.remaining > TTL
    assert not await store.renew("a", "two", granted.token, TTL)
    assert not await store.renew("a", "one", granted.token - 1, TTL)


async def a_release_is_told_to_those_who_watch(store: LeaseStore, wait: Wait) -> None:
    told: list[str] = []
    ends = [store.watch(key, lambda key=key: told.append(key)) for key in ("a", "a", "b")]
    ends.append(store.watch("c", lambda: told.append("c")))
    assert isinstance(await store.acquire("a", "one", TTL, 0), Grant)
    while told.count("a") < 2:
        await store.release("a", "one")
        await wait(0.05)
        await store.acquire("a", "one", TTL, 0)
    assert set(told) == {"a"}
    for end in ends:
        end()
        end()
    told.clear()
    await store.release("a", "one")
    await wait(0.05)
    assert told == []


async def members_live_as_long_as_they_say(store: Any, wait: Wait) -> None:
    told: list[str] = []
    end = store.watch("g", lambda: told.append("g"))
    assert set(await store.beat("g", "one", 60.0)) == {"one"}
    while not told:
        await store.leave("g", "one")
        await store.beat("g", "one", 60.0)
        await wait(0.05)
    assert set(await store.beat("g", "two", TTL)) == {"one", "two"}
    assert set(await store.beat("other", "three", TTL)) == {"three"}
    await wait(TTL + 0.05)
    assert set(await store.beat("g", "one", 60.0)) == {"one"}
    await store.leave("g", "one")
    await store.leave("g", "unknown")
    assert set(await store.beat("g", "two", TTL)) == {"two"}
    await store.leave("g", "two")
    end()


async def one_owner_refreshes_at_a_time(store: Any, wait: Wait) -> None:
    assert await store.credential("c") is None
    assert await store.begin_refresh("c", "one", 60.0) == 0.0
    assert await store.begin_refresh("c", "one", TTL) == 0.0
    assert 0.0 < await store.begin_refresh("c", "two", TTL) <= TTL
    assert await store.end_refresh("c", "two", b"theirs", 60.0) == ""
    first = await store.end_refresh("c", "one", b"sealed", 60.0)
    assert await store.credential("c") == (first, b"sealed")
    assert await store.begin_refresh("c", "two", TTL) == 0.0
    assert await store.end_refresh("c", "two", None, 0.0) == ""
    assert await store.credential("c") == (first, b"sealed")
    assert await store.begin_refresh("c", "two", 60.0) == 0.0
    second = await store.end_refresh("c", "two", b"sealed anew", TTL)
    assert second not in ("", first)
    assert await store.credential("c") == (second, b"sealed anew")
    assert await store.credential("other") is None
    await wait(TTL + 0.05)
    assert await store.credential("c") is None


CONTRACT = (
    one_owner_at_a_time,
    the_number_rises_with_every_grant,
    a_renewal_counts_from_now,
    a_release_is_told_to_those_who_watch,
    members_live_as_long_as_they_say,
    one_owner_refreshes_at_a_time,
)
