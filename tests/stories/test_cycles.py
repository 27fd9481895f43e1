"""Thousands of connections through one engine: tasks, timers and objects stay constant."""

import asyncio
import gc
import os
from collections import Counter
from typing import Any

import pytest

from recloser import Retry, State
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import (
    CUT,
    DEAF,
    REFUSED,
    UP,
    URL,
    Answering,
    engine,
    others,
    timers,
    turns,
    virtual,
)

CYCLES = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "slow" else 10_000


class Endless(ScriptedTransport):
    """Plays a pattern for ever and keeps no record of it."""

    def __init__(self, *plans: Plan) -> None:
        super().__init__()
        self.plans = plans
        self.dials = 0

    async def dial(self, request: Any, ended: Any) -> Any:
        self._plans = iter([self.plans[self.dials % len(self.plans)]])
        self.dials += 1
        self.wires.clear()
        self.requests.clear()
        return await super().dial(request, ended)


class Careless(Answering):
    """Keeps no record of what it was asked."""

    def decide(self, close: Any, context: Any) -> Any:
        answer = super().decide(close, context)
        self.asked.clear()
        return answer


def population() -> Counter[str]:
    """Count all objects by type.

    They are counted one by one: `Counter(generator)` asks whether that is a `Mapping`, and the
    first answer is cached by each class derived from it, with two objects; after the import of
    all tests there are more than eighty, and which test comes first depends on the workers.
    """
    gc.collect()
    found: Counter[str] = Counter()
    for each in gc.get_objects():
        found[type(each).__qualname__] += 1
    return found


@pytest.mark.spec("J1.1", "A7", "C1")
@pytest.mark.usefixtures("quiet")
@virtual
async def test_cycles_leave_nothing_behind() -> None:
    transport = Endless(
        UP, Plan(messages=("a", "b")), Plan(refused=REFUSED), Plan(takes=0.5), Plan(deaf=True)
    )
    policy = Careless(Retry(1.0))
    ends = 0

    def count(change: Any) -> None:
        nonlocal ends
        ends += change.close is not None

    async def hook(opening: Any) -> None:
        opening.scope.create_task(asyncio.Event().wait())
        opening.scope.callback(int)

    ws, _ = engine(transport=transport, policy=policy, on_open=hook, observers=[count])
    ws.connect()

    async def cycles(count: int) -> None:
        for _ in range(count):
            await ws.wait_for(State.OPEN)
            assert len(transport.live) == 1
            transport.wires[-1].end(CUT)

    await cycles(100)
    await ws.wait_for(State.OPEN)
    before, tasks, set_timers = population(), len(others()), len(timers())
    await cycles(CYCLES)
    await ws.wait_for(State.OPEN)
    after = population()
    assert (len(others()), len(timers())) == (tasks, set_timers)
    assert {name: n for name, n in (after - before).items() if n > CYCLES // 100} == {}
    assert ends >= CYCLES
    assert ws.statistics().opens >= CYCLES
    await ws.close()


@pytest.mark.spec("J1.1", "J1.2", "A11.5")
@pytest.mark.usefixtures("quiet")
@virtual
async def test_lives_of_one_engine_leave_nothing_behind() -> None:
    ws, _ = engine(transport=Endless(UP, DEAF), policy=Careless())

    async def lives(count: int) -> None:
        for turn in range(count):
            async with ws:
                watch = ws.changes()
                waiting = asyncio.ensure_future(ws.receive())
                await turns(2)
                if turn % 2:
                    await ws.suspend()
                    ws.connect()
                    await ws.wait_for(State.OPEN)
                waiting.cancel()
                del watch
            assert others() <= {waiting}
            assert timers() == []

    await lives(20)
    before = population()
    await lives(500)
    await turns()
    after = population()
    assert {name: n for name, n in (after - before).items() if n > 50} == {}


@pytest.mark.spec("J1.1")
@pytest.mark.usefixtures("quiet")
@virtual
async def test_a_generation_is_freed_without_the_garbage_collector() -> None:
    """What only the collector can free stays for seconds, and its pauses are felt."""
    transport = Endless(UP, Plan(refused=REFUSED))
    ws, _ = engine(transport=transport, policy=Careless(Retry(1.0)), url=lambda: URL)
    ws.connect()

    async def cycles(count: int) -> None:
        for _ in range(count):
            await ws.wait_for(State.OPEN)
            transport.wires[-1].end(CUT)

    await cycles(10)
    gc.collect()
    gc.disable()
    try:
        await cycles(100)
        found = gc.collect()
    finally:
        gc.enable()
    assert found < 100  # fewer objects than generations
    await ws.close()
