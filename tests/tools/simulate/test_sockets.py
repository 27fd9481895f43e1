"""The simulated storm against a real one: an aiohttp server, real sockets, the real engine.

The same policy, the same gate, the same outage, in real time and scaled down. The big run is
marked slow; a small one of the same kind is part of every run.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import structlog
from aiohttp import web

import recloser
from recloser.policies.backoff import FullJitter
from recloser.simulate.baselines import BackoffOnly
from recloser.simulate.scenario import Governing, Scenario
from recloser.simulate.server import Gate
from recloser.simulate.storm import simulate

POLICY = BackoffOnly(FullJitter(base=0.25, cap=2.0))


@pytest.fixture(autouse=True)
def quiet():
    """Drop the log lines of some ten thousand changes."""
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(logger, name, event):
    raise structlog.DropEvent


class Server:
    """Loses everybody at `lose`, listens again after the outage, and admits what its gate does."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.gate = None
        self.answers = Counter()
        self.held = set()

    async def start(self, stack):
        app = web.Application()
        app.router.add_get("/", self.handle)
        self.runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self.runner.setup()
        stack.push_async_callback(self.runner.cleanup)
        self.site = web.TCPSite(self.runner, "127.0.0.1", 0, backlog=4096)
        await self.site.start()
        self.port = self.runner.addresses[0][1]
        if self.scenario.start:
            idle = asyncio.get_running_loop().time() - 1.0
            self.gate = Gate(self.scenario.capacity, cost=self.scenario.refusal_cost, opens=idle)

    async def handle(self, request):
        if self.gate is not None:
            admitted = self.gate.admit(asyncio.get_running_loop().time()) is not None
            self.answers[admitted] += 1
            if not admitted:
                return web.Response(status=503)
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        self.held.add(request.transport)
        async for _ in answer:
            pass
        self.held.discard(request.transport)
        return answer

    async def lose(self):
        """Drop everything without a word; give the moment of the return."""
        await self.site.stop()
        for transport in self.held:
            transport.abort()
        self.held.clear()
        loop = asyncio.get_running_loop()
        scenario = self.scenario
        self.lost_at = loop.time()
        back = self.lost_at + scenario.outage
        self.gate = Gate(scenario.capacity, cost=scenario.refusal_cost, opens=back)
        self.returning = loop.create_future()
        loop.call_at(back, self.returning.set_result, None)
        await self.returning
        self.site = web.TCPSite(self.runner, "127.0.0.1", self.port, backlog=4096)
        await self.site.start()


async def real(scenario, governor=None):
    """Run the start, and the storms; of the last give the moments of dials and opens since then,
    and the server."""
    loop = asyncio.get_running_loop()
    server, dials, opened = Server(scenario), [], []
    everybody = asyncio.Event()

    def watch(change):
        if change.current is recloser.State.CONNECTING:
            dials.append(change.at)
        elif change.current is recloser.State.OPEN:
            opened.append(change.at)
            if len(opened) == scenario.engines:
                everybody.set()

    async with asyncio.timeout(120), AsyncExitStack() as stack:
        await server.start(stack)
        engines = [
            recloser.connect(
                f"ws://127.0.0.1:{server.port}/",
                policy=POLICY,
                governor=governor,
                observers=[watch],
                heartbeat=None,
                seed=scenario.seed + number,
            )
            for number in range(scenario.engines)
        ]
        since = loop.time()
        for engine in engines:
            stack.push_async_callback(engine.close)
            engine.connect()
        await everybody.wait()
        for _ in range(scenario.storms):
            for counted in (everybody, dials, opened, server.answers):
                counted.clear()
            await server.lose()
            await everybody.wait()
            since = server.lost_at
        assert loop.time() - since < scenario.end
        found = [moment - since for moment in dials], [moment - since for moment in opened]
        await asyncio.gather(*(engine.close() for engine in engines))
    return *found, server


def check(scenario, dials, opened, server):
    """Hold what is true of every storm, however slow the machine."""
    assert len(opened) == scenario.engines
    assert server.answers[True] == scenario.engines
    after = sum(moment >= scenario.outage for moment in dials)
    assert server.answers.total() <= after + scenario.engines // 10
    assert max(opened) >= scenario.optimum - 0.01
    assert len(dials) >= server.answers.total()


@pytest.mark.spec("L4", "M2")
async def test_a_hundred_real_engines():
    scenario = Scenario(
        engines=100, outage=0.5, capacity=100.0, refusal_cost=0.05, round_trip=0.01, horizon=40.0
    )
    check(scenario, *await real(scenario))


@pytest.mark.slow
@pytest.mark.spec("L4", "M3.3")
async def test_a_thousand_real_engines_and_their_governor():
    """The same storm has 6 dials for each engine without one."""
    scenario = Scenario(
        engines=1000, outage=2.0, capacity=250.0, refusal_cost=0.05, round_trip=0.02, horizon=40.0
    )
    _, opened, server = await real(scenario, "shared")
    assert len(opened) == server.answers[True] == scenario.engines
    assert server.answers.total() <= 1.3 * scenario.engines
    told = simulate(POLICY, replace(scenario, governor=Governing.PROCESS))
    assert server.answers[False] <= told.refused + 0.2 * scenario.engines


@pytest.mark.slow
@pytest.mark.spec("M3.15", "M3.16")
async def test_a_thousand_real_engines_meet_their_limiter_again():
    """The first storm has some hundred dials refused, as in the simulation."""
    scenario = Scenario(
        engines=1000, outage=2.0, capacity=100.0, governor=Governing.PROCESS, storms=2, horizon=60.0
    )
    _, opened, server = await real(scenario, "shared")
    told = simulate(POLICY, replace(scenario, storms=1))
    assert told.refused >= 50
    assert server.answers[False] <= 10
    assert len(opened) == server.answers[True] == scenario.engines


@pytest.mark.slow
@pytest.mark.spec("M3.17")
async def test_a_thousand_real_engines_meet_a_limiter_as_they_start():
    """Some 130 dials are refused; it is 220 where 200 dial at once."""
    scenario = Scenario(
        engines=1000,
        outage=0.0,
        capacity=100.0,
        governor=Governing.PROCESS,
        start=True,
        storms=0,
        horizon=60.0,
    )
    _, opened, server = await real(scenario, recloser.Governor())
    assert server.answers[False] <= 175
    assert len(opened) == server.answers[True] == scenario.engines


@pytest.mark.slow
@pytest.mark.spec("L4", "M2")
async def test_four_hundred_real_engines_do_what_the_simulation_says():
    """Of a thousand the dials alone are more than a slow machine makes in this time."""
    scenario = Scenario(
        engines=400, outage=2.0, capacity=100.0, refusal_cost=0.05, round_trip=0.02, horizon=40.0
    )
    dials, opened, server = await real(scenario)
    check(scenario, dials, opened, server)
    told = simulate(POLICY, scenario)
    opened.sort()
    for share in (0.5, 0.9, 0.99):
        moment = opened[round(share * scenario.engines) - 1]
        assert moment == pytest.approx(told.fleet.time(share), rel=0.15)
    assert len(dials) == pytest.approx(len(told.fleet.dials), rel=0.2)
    assert server.answers[False] == pytest.approx(told.refused, rel=0.35)
