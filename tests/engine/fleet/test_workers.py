"""Workers of a group over a memory store, in virtual time."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import RecloserError
from recloser.fleet import MemoryStore, StoreUnreachable, Workers
from tests.engine.rig import now, pass_time, turns, virtual

TTL = 9.0
KEYS = [f"symbol {number}" for number in range(200)]


class Severable(MemoryStore):
    away = False

    async def beat(self, group: str, member: str, ttl: float) -> tuple[str, ...]:
        if self.away:
            raise StoreUnreachable("cut off")
        return await super().beat(group, member, ttl)


class Worker:
    """A member with its task, and what it has."""

    def __init__(self, store: Any, name: str, keys: Iterable[str] = KEYS) -> None:
        self.workers = Workers(store, "feeds", name=name, ttl=TTL)
        self.mine: frozenset[str] = frozenset()
        self.told = 0
        self._keys = keys

    async def live(self) -> None:
        async with self.workers:
            async for mine in self.workers.shares(self._keys):
                self.mine = mine
                self.told += 1


def covered(workers: Iterable[Worker]) -> bool:
    """Whether each key is had by exactly one."""
    had = [key for worker in workers for key in worker.mine]
    return sorted(had) == sorted(KEYS)


@pytest.mark.spec("O6.1", "O6.3")
@virtual
async def test_shares_follow_who_joins_leaves_and_dies() -> None:
    store = MemoryStore()
    workers = [Worker(store, f"w{number}") for number in range(4)]
    tasks = []
    for worker in workers:
        tasks.append(asyncio.create_task(worker.live()))
        await turns()
    assert covered(workers)
    assert all(worker.mine for worker in workers)
    assert workers[0].workers.members == {"w0", "w1", "w2", "w3"}
    assert all(workers[1].workers.has(key) == (key in workers[1].mine) for key in KEYS)
    begun, told = now(), workers[1].told
    tasks[0].cancel()  # it leaves: those who stay hear of it at once
    await turns()
    workers[0].mine = frozenset()
    assert covered(workers)
    assert now() == begun
    assert workers[1].told == told + 1
    dead = Workers(store, "feeds", name="dead", ttl=TTL)
    await dead._beat()  # it joins, and says nothing any more
    await turns()
    assert not covered(workers)
    await pass_time(TTL * 4 / 3 + 0.1)
    assert covered(workers)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.spec("O6.4")
@virtual
async def test_who_cannot_reach_the_store_has_nothing_until_it_can() -> None:
    store, cut = MemoryStore(), Severable()
    cut._members, cut._watchers = store._members, store._watchers
    one, two = Worker(cut, "one"), Worker(store, "two")
    tasks = [asyncio.create_task(each.live()) for each in (one, two)]
    await pass_time(1)
    assert covered([one, two])
    with capture_logs() as lines:
        cut.away = True
        begun = now()
        while one.mine:
            await pass_time(0.05)
        assert now() - begun < TTL
        assert len(two.mine) < len(KEYS)  # nobody has taken them yet
        await pass_time(TTL)
        assert two.mine == frozenset(KEYS)
        assert (one.workers.members, one.workers.has(KEYS[0])) == (frozenset(), False)
        cut.away = False
        await pass_time(2)
        assert covered([one, two])
        assert one.mine
    events = [line["event"] for line in lines]
    assert events == ["websocket.store_unreachable", "websocket.store_reached"]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@virtual
async def test_a_worker_is_a_member_in_its_block_alone() -> None:
    workers = Workers(MemoryStore(), "feeds")
    with pytest.raises(RecloserError, match="use it in 'async with'"):
        await anext(workers.shares(KEYS))
    async with workers:
        assert repr(workers) == "<Workers 'feeds' 1 members>"
        with pytest.raises(RecloserError, match="make one for each block"):
            await workers.__aenter__()
        async for mine in workers.shares(KEYS):
            assert mine == frozenset(KEYS)
            break
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(workers)
        assert workers.has("anything")


@pytest.mark.spec("E7")
def test_what_cannot_be_a_worker_is_refused() -> None:
    with pytest.raises(TypeError, match="MemberStore such as"):
        Workers(object(), "feeds")  # type: ignore[arg-type] # on purpose
    for options in ({"group": 7}, {"group": "a", "name": 7}):
        with pytest.raises(TypeError, match="must be a str"):
            Workers(MemoryStore(), **options)  # type: ignore[arg-type] # on purpose
    for options in ({"group": ""}, {"group": "a", "name": ""}):
        with pytest.raises(ValueError, match="name what it is for"):
            Workers(MemoryStore(), **options)  # type: ignore[arg-type] # on purpose
    with pytest.raises(ValueError, match="ttl"):
        Workers(MemoryStore(), "a", ttl=0.0)
    assert Workers(MemoryStore(), "a", name="one").name == "one"
