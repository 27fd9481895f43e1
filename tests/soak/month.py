"""A virtual month of ten engines, and 100,000 connections of one: in virtual time, in minutes."""

import asyncio
import random
from collections.abc import Callable

import recloser
from recloser import State, policies
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import CUT, pass_time
from tests.stories.test_cycles import Careless, Endless
from tests.stories.test_long_run import Tokens, Weather

ENGINES = 10
HOUR = 3600.0
HOURS = 30 * 24
CYCLES = 100_000
STEP = 250


class Forgetful(Weather):
    """Keeps no record of its sockets and requests."""

    async def dial(self, request, ended):
        self.wires[:] = self.live
        self.requests.clear()
        return await super().dial(request, ended)


async def month(seed: int, sample: Callable[[], None]) -> dict[str, int]:
    """Live through thirty days; `sample` is called every hour."""
    tokens = Tokens()
    shared = recloser.Credentials(tokens.fetch)
    engines = [
        recloser.connect(
            "ws://feed.example/",
            transport=Forgetful(random.Random(seed + number), tokens),
            credentials=shared,
            policy=policies.standard(),
            seed=seed + number,
        )
        for number in range(ENGINES)
    ]
    received = 0

    async def consume(ws: recloser.ReconnectingWebSocket) -> None:
        nonlocal received
        async for _ in ws:
            received += 1

    consumers = [asyncio.ensure_future(consume(ws)) for ws in engines]
    for ws in engines:
        ws.connect()
    for _ in range(HOURS):
        await pass_time(HOUR)
        sample()
        for ws in engines:
            assert ws.state in (State.OPEN, State.CONNECTING, State.BACKOFF), ws
    for ws in engines:
        await ws.close()
    await asyncio.wait(consumers)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    opens = sum(ws.statistics().opens for ws in engines)
    return {"opens": opens, "received": received}


async def cycles(sample: Callable[[], None]) -> dict[str, int]:
    """Open and lose a connection a hundred thousand times."""
    plans = (Plan(), Plan(messages=("a", "b")), Plan(refused=CUT), Plan(takes=0.5), Plan(deaf=True))
    transport: ScriptedTransport = Endless(*plans)
    ws = recloser.connect(
        "ws://feed.example/", transport=transport, policy=Careless(recloser.Retry(1.0))
    )
    ws.connect()
    for number in range(CYCLES):
        await ws.wait_for(State.OPEN)
        assert len(transport.live) == 1
        transport.wires[-1].end(CUT)
        if number % STEP == 0:
            sample()
    await ws.close()
    return {"opens": ws.statistics().opens}
