"""The dials of a budget in a real Redis or Valkey server, over all processes of a fleet."""

from pathlib import Path

import pytest

from recloser import Budget
from recloser.fleet import RedisStore
from recloser.fsm import Cause
from recloser.fsm.allowance import Allowance
from recloser.testing import HandClock
from recloser.transport.base import DialFailed
from tests.engine.fleet.redis_server import RedisServer

pytestmark = pytest.mark.fleet

TIMES = 1_764_000_000.125
"""A moment that needs all digits of a float."""


@pytest.mark.spec("O5.4", "D9.1", "D9.4")
async def test_dials_of_all_owners_count(tmp_path: Path, program: str) -> None:
    async with RedisServer(program, tmp_path) as server, RedisStore(server.url) as redis:
        store = redis.budget("binance")
        assert store.name == "binance"
        allowances = [Allowance(2, 10.0), Allowance(3, 100.0)]

        async def spend(owner: str, at: float, number: int, own: list[float]) -> object:
            return await store.spend(owner, {number: TIMES + at}, own, allowances)

        assert await spend("one", 0.0, 1, []) == ([], True)
        assert await spend("two", 1.0, 1, []) == ([TIMES], True)
        assert await spend("two", 2.0, 2, [TIMES + 1.0]) == ([TIMES], False)
        assert await spend("one", 2.0, 2, [TIMES]) == ([TIMES + 1.0], False)
        assert await spend("one", 11.0, 3, [TIMES]) == ([TIMES + 1.0], True)
        assert await spend("two", 50.0, 3, [TIMES + 1.0]) == ([TIMES, TIMES + 11.0], False)
        assert await spend("two", 101.5, 4, []) == ([TIMES + 11.0], True)
        # What could not be kept before is kept now, once.
        late = {7: TIMES + 102.0, 8: TIMES + 120.0}
        assert await store.spend("one", late, [], allowances) == ([TIMES + 101.5], True)
        assert await store.spend("one", late, [], allowances) == ([TIMES + 101.5], True)
        others, _ = await store.spend("three", {1: TIMES + 121.0}, [], allowances)
        assert list(others) == [TIMES + each for each in (101.5, 102.0, 120.0)]
        assert (await redis.budget("other").spend("one", {1: TIMES}, [], allowances))[1]


@pytest.mark.spec("O5.4", "D9.8")
async def test_dials_from_the_future_hold_nobody_up_for_ever(tmp_path: Path, program: str) -> None:
    """The clock of one machine was a year ahead until a time service set it."""
    async with RedisServer(program, tmp_path) as server, RedisStore(server.url) as redis:
        store = redis.budget("binance")
        allowances = [Allowance(1, 10.0)]
        assert await store.spend("one", {1: TIMES + 3e7}, [], allowances) == ([], True)
        assert await store.spend("two", {1: TIMES}, [], allowances) == ([TIMES], False)
        assert await store.spend("two", {2: TIMES + 9.9}, [], allowances) == ([TIMES], False)
        assert await store.spend("two", {3: TIMES + 10.1}, [], allowances) == ([], True)


@pytest.mark.spec("O5.4", "D9.4", "D9.3")
async def test_two_processes_share_a_budget(tmp_path: Path, program: str) -> None:
    async with (
        RedisServer(program, tmp_path) as server,
        RedisStore(server.url) as first,
        RedisStore(server.url) as second,
    ):
        budgets = [Budget((2, 60.0), store=each.budget("feed")) for each in (first, second)]
        clock = HandClock(monotonic=5.0)
        for budget in budgets:
            await budget.spend(clock, {})
        with pytest.raises(DialFailed) as failed:
            await budgets[0].spend(clock, {})
        assert failed.value.close.cause is Cause.BUDGET
        assert budgets[0].wait(6.0) > 0


@pytest.mark.spec("E7")
async def test_a_budget_has_a_name() -> None:
    async with RedisStore("redis://localhost") as redis:
        with pytest.raises(ValueError, match="name what it is for"):
            redis.budget("")
        with pytest.raises(TypeError, match="must be a str"):
            redis.budget(7)  # type: ignore[arg-type] # on purpose
