"""What engines of one process know together of a host, and of an address of their own (B17, D4)."""

import asyncio
import gc

import pytest
from aiohttp import web

import recloser
from recloser import Close, Context, Hold, Retry, State, policies
from recloser.checks import address_of
from recloser.driver.hosts import _HOSTS, Neighbour
from recloser.fsm import Cause, Decision, Origin, Phase
from recloser.testing import Plan
from tests.engine.rig import CUT, DOWN, KICKED, UP, Answering, opened, pass_time, virtual
from tests.engine.served import PATIENCE, serving, upgraded

OTHER = "ws://other.example/v1"
NOBODY = Plan(refused=Close(code=1006, origin=Origin.NETWORK, cause=Cause.TCP))


@pytest.mark.parametrize(
    ("url", "address", "host"),
    [
        ("wss://feed.example/v1", "wss://feed.example/v1", "feed.example:443"),
        ("wss://me:pw@feed.example:443/v1?token=a", "wss://feed.example/v1", "feed.example:443"),
        ("ws://FEED.example", "ws://feed.example/", "feed.example:80"),
        ("ws://[::1]:8080/a%2Fb", "ws://[::1]:8080/a%2Fb", "::1:8080"),
    ],
)
def test_an_address_has_no_credential_in_it(url: str, address: str, host: str) -> None:
    assert address_of(url) == (address, host)


@pytest.mark.spec("D4.9", "J1.2")
@virtual
async def test_an_engine_is_counted_at_its_host_until_it_rests_or_is_closed() -> None:
    policy = Answering(Retry(5.0))
    ws, wire, _ = await opened(UP, UP, policy=policy)
    others = [(await opened(UP))[0] for _ in range(3)]
    elsewhere, _, _ = await opened(UP, url=OTHER)
    wire.end(CUT)
    await pass_time(0.0)
    assert policy.asked[-1][1].engines == 4
    await others[0].close()
    await others[1].suspend()
    await pass_time(6.0)
    assert ws.state is State.OPEN
    ws.reconnect()
    await pass_time(2.0)
    assert policy.asked[-1][1].engines == 2
    for each in (ws, *others, elsewhere):
        await each.close()
    gc.collect()
    assert not _HOSTS, "a host is forgotten with its last engine"


@pytest.mark.spec("D4.9")
@virtual
async def test_an_engine_that_dials_another_host_counts_there() -> None:
    urls = iter(["ws://one.example/", "ws://two.example/", "ws://two.example/"])
    policy = Answering(Retry(5.0))
    ws, wire, transport = await opened(UP, UP, policy=policy, url=lambda: next(urls))
    beside, _, _ = await opened(UP, url="ws://one.example/")
    wire.end(CUT)
    await pass_time(6.0)
    assert ws.state is State.OPEN
    transport.wires[-1].end(CUT)
    await pass_time(0.0)
    assert [context.engines for _, context in policy.asked] == [2, 1]
    await ws.close()
    await beside.close()


def test_an_engine_that_is_gone_is_counted_no_more() -> None:
    here, gone = Neighbour(), Neighbour()
    here.at("feed.example:443")
    gone.at("feed.example:443")
    assert here.host.engines == 2
    del gone
    gc.collect()
    assert here.host.engines == 1


@pytest.mark.spec("D4.10")
@virtual
async def test_what_one_engine_saw_of_a_restart_the_others_know() -> None:
    policy = Answering(Retry(3.0))
    ws, wire, _ = await opened(UP, NOBODY, NOBODY, UP, policy=policy)
    other = Answering(Retry(3.0))
    beside, its_wire, _ = await opened(UP, UP, policy=other)
    wire.end(KICKED)
    await pass_time(10.0)
    assert ws.state is State.OPEN
    its_wire.end(CUT)
    await pass_time(0.0)
    context = other.asked[-1][1]
    assert (context.outage, context.crowded) == (6.0, False), "the second dial was the last in vain"
    await ws.close()
    await beside.close()


@pytest.mark.spec("D4.10")
@pytest.mark.parametrize("plan", [DOWN, Plan(takes=99.0)], ids=["busy", "unanswered"])
@virtual
async def test_a_host_without_room_after_its_restart_is_remembered(plan: Plan) -> None:
    policy = Answering(Retry(3.0))
    ws, wire, transport = await opened(UP, plan, UP, policy=policy)
    wire.end(KICKED)
    await ws.wait_for(State.BACKOFF)
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(KICKED)
    await pass_time(0.0)
    context = policy.asked[-1][1]
    assert (context.outage, context.crowded) == (0.0, True)
    decision = policies.standard().decide(KICKED, context)
    assert isinstance(decision, Retry)
    assert decision.rule in ("restart", "restart-again")
    await ws.close()


@pytest.mark.spec("D4.10")
@pytest.mark.parametrize("end", [CUT, Close(code=1001, origin=Origin.PEER, cause=Cause.EOF)])
@virtual
async def test_another_end_teaches_nothing_of_restarts(end: Close) -> None:
    policy = Answering(Retry(3.0))
    ws, wire, transport = await opened(UP, NOBODY, UP, policy=policy)
    wire.end(end)
    await pass_time(7.0)
    transport.wires[-1].end(KICKED)
    await pass_time(0.0)
    assert policy.asked[-1][1].outage is None
    await ws.close()


@pytest.mark.spec("D4.10")
@virtual
async def test_a_restart_that_was_rested_through_teaches_nothing() -> None:
    policy = Answering(Hold(), Retry(3.0))
    ws, wire, transport = await opened(UP, UP, policy=policy)
    wire.end(KICKED)
    await pass_time(1000.0)
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(CUT)
    await pass_time(0.0)
    assert policy.asked[-1][1].outage is None
    await ws.close()


class Watching:
    """The standard policy without its pauses, so that a test on sockets need not wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[Close, Context]] = []
        self._policy = policies.standard()

    def decide(self, close: Close, context: Context, /) -> Decision:
        self.asked.append((close, context))
        decision = self._policy.decide(close, context)
        return Retry(0.01, rule=decision.rule) if isinstance(decision, Retry) else decision


@pytest.mark.spec("B17.1", "B17.2")
@pytest.mark.parametrize("status", [200, 302, 404, 403, 426])
async def test_a_real_server_that_refuses_while_it_restarts_is_outlasted(status: int) -> None:
    """The HTTP half of an npm server answers 200 or 404 while its WebSocket half drains."""
    dials = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal dials
        dials += 1
        if dials in (2, 3, 4):
            return web.Response(status=status, headers={"Location": "/elsewhere"}, text="starting")
        ws = await upgraded(request)
        await ws.close(code=1001) if dials == 1 else await ws.receive()
        return ws

    policy = Watching()
    tokens = iter(range(100))
    async with asyncio.timeout(PATIENCE), serving(handle) as url:
        ws = recloser.connect(lambda: f"{url}?token={next(tokens)}", policy=policy)
        async with ws:
            await ws.wait_for(State.OPEN)
            await ws.wait_for(State.BACKOFF)
            await ws.wait_for(State.OPEN)
    refusals = [context for close, context in policy.asked if close.status == status]
    assert [context.been_open for context in refusals] == [True] * 3
    assert [context.phase for context in refusals] == [Phase.DIAL] * 3


@pytest.mark.spec("B17.2")
@pytest.mark.parametrize("first", ["/nowhere", "/"])
async def test_a_real_server_that_refuses_another_address_is_believed(first: str) -> None:
    """At the first dial, and at a path that has not been open."""

    async def handle(request: web.Request) -> web.StreamResponse:
        ws = await upgraded(request)
        await ws.close(code=1001)
        return ws

    policy = Watching()
    paths = iter([first, "/nowhere"])
    async with asyncio.timeout(PATIENCE), serving(handle) as url:
        ws = recloser.connect(lambda: url[:-1] + next(paths), policy=policy)
        ws.connect()
        await ws.wait_for(State.CLOSED)
    assert policy.asked[-1][0].status == 404
    assert not policy.asked[-1][1].been_open
