"""The whole engine against real aiohttp servers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp import ClientSession, web

import recloser
from recloser import Retry, State, StateChange, Stop
from recloser.fsm import Cause, Origin
from tests.engine.rig import PATIENT, Answering, Hasty
from tests.engine.served import PATIENCE, Victim, echo, serving, upgraded

pytestmark = pytest.mark.usefixtures("quick_ticks")

DESCRIPTORS = Path("/proc/self/fd")
NOW = Retry(1.0, rule="soon")


def descriptors() -> int:
    """How many this process has open, where the platform tells."""
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0


def sockets() -> set[str]:
    """Those of them that are sockets; an event loop has descriptors of its own."""
    names = set()
    for each in DESCRIPTORS.iterdir() if DESCRIPTORS.exists() else ():
        with suppress(FileNotFoundError):
            names.add(str(each.readlink()))
    return {name for name in names if name.startswith("socket:")}


@pytest.fixture(autouse=True)
def no_sockets() -> Iterator[None]:
    before = sockets()
    yield
    assert sockets() <= before, "the test leaves sockets open"


@asynccontextmanager
async def living(url: str, **options: Any) -> AsyncIterator[recloser.ReconnectingWebSocket]:
    """An open engine that redials soon, and a bound on how long the test may take."""
    options = {"policy": Answering(NOW), "clock": Hasty(), "timeouts": PATIENT, **options}
    async with asyncio.timeout(PATIENCE), recloser.connect(url, **options) as ws:
        yield ws


@pytest.mark.spec("J1.2")
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_as_in_the_readme(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def story() -> None:
        seen: list[str] = []
        async with serving(echo) as url, living(url) as ws:
            ws.subscribe(lambda change: seen.append(f"{change.current.value}"))
            await ws.send("hello")
            await ws.send(b"\0\1")
            await ws.send_json({"op": 1})
            got: list[str | bytes] = []
            async for message in ws:
                got.append(message)
                if len(got) == 3:
                    await ws.close()
            assert got == ["hello", b"\0\1", '{"op": 1}']
            assert seen == ["closing", "closed"]
        assert {task for task in asyncio.all_tasks() if task is not asyncio.current_task()} == set()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(story())


@pytest.mark.spec("B1.1", "C3.2", "B6.1")
@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 3000, 4401, 4999])
async def test_codes_of_the_server_arrive_and_the_next_generation_opens(code: int) -> None:
    visits = iter(["closed", "echoed"])

    async def handler(request: web.Request) -> web.StreamResponse:
        if next(visits) == "echoed":
            return await echo(request)
        ws = await upgraded(request)
        await ws.send_str("hello")
        await ws.close(code=code, message=b"token expired")
        return ws

    policy = Answering(NOW)
    async with serving(handler) as url, living(url, policy=policy) as ws:
        assert await ws.receive() == "hello"
        await ws.wait_for(State.BACKOFF)
        await ws.wait_for(State.OPEN)
        assert ws.generation == 2
        close = ws.last_close
        assert close is not None
        assert (close.code, close.reason) == (code, "token expired")
        assert (close.origin, close.cause, close.clean) == (Origin.PEER, Cause.CLOSE_FRAME, True)
        await ws.send("x")
        assert await ws.receive() == "x"
    assert len(policy.asked) == 2


@pytest.mark.spec("B7")
async def test_a_refused_upgrade_reaches_the_policy_with_status_and_retry_after() -> None:
    refusals = iter([503, 429, 404])

    async def handler(request: web.Request) -> web.StreamResponse:
        status = next(refusals, None)
        if status is None:
            return await echo(request)
        return web.Response(status=status, headers={"Retry-After": "7", "X-Why": "full"})

    policy = Answering(NOW)
    async with serving(handler) as url, living(url, policy=policy) as ws:
        await ws.send("x")
        assert await ws.receive() == "x"
    refused = [close for close, _ in policy.asked if not close.intentional]
    assert [close.status for close in refused] == [503, 429, 404]
    for close in refused:
        assert (close.cause, close.origin, close.retry_after) == (Cause.REFUSED, Origin.PEER, 7.0)
        assert close.headers["x-why"] == "full"


@pytest.mark.spec("E5.1")
async def test_a_redirect_is_a_refused_upgrade() -> None:
    dials: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        dials.append(request.path)
        raise web.HTTPFound("ws://127.0.0.1:1/elsewhere")

    policy = Answering(Stop("no"))
    async with serving(handler) as url:
        with pytest.raises(recloser.ConnectionClosed):
            async with living(url, policy=policy):
                raise AssertionError("not reached")
    assert [close.status for close, _ in policy.asked] == [302]
    assert dials == ["/"]


@pytest.mark.spec("A6.1")
@pytest.mark.parametrize("receiving", [False, True])
async def test_the_code_and_reason_of_close_reach_the_server(receiving: bool) -> None:
    seen: asyncio.Future[tuple[int | None, str]] = asyncio.get_running_loop().create_future()

    async def handler(request: web.Request) -> web.StreamResponse:
        ws = await upgraded(request)
        message = await ws.receive()
        seen.set_result((ws.close_code, message.extra or ""))
        return ws

    async with serving(handler) as url, living(url) as ws:
        waiting = asyncio.ensure_future(ws.receive()) if receiving else None
        await asyncio.sleep(0)
        await ws.close(4123, "a reason, ünïcode")
        assert await seen == (4123, "a reason, ünïcode")
        assert ws.last_close is not None
        assert ws.last_close.sent_code == 4123
        assert ws.last_close.intentional
        if waiting is not None:
            with pytest.raises(recloser.ConnectionClosed):
                await waiting


@pytest.mark.spec("F7.1")
@pytest.mark.parametrize("how", ["close frame", "cut"])
async def test_an_end_is_noticed_and_pings_are_answered_when_nobody_consumes(how: str) -> None:
    ponged = asyncio.Event()
    go_on = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=False, timeout=1.0)
        await ws.prepare(request)
        for number in range(3):
            await ws.send_str(str(number))
        await ws.ping(b"are you there")
        if (await ws.receive()).type is web.WSMsgType.PONG:
            ponged.set()
        await go_on.wait()
        if how == "cut":
            assert request.transport is not None
            request.transport.abort()
        else:
            await ws.close(code=1012)
        return ws

    async with serving(handler) as url, living(url, policy=Answering(Retry(60.0))) as ws:
        await ponged.wait()
        go_on.set()
        await ws.wait_for(State.BACKOFF)
        assert ws.last_close is not None
        assert ws.last_close.code == (1006 if how == "cut" else 1012)
        assert [await ws.receive() for _ in range(3)] == ["0", "1", "2"]


@pytest.mark.spec("J4")
async def test_a_session_that_somebody_closes_is_told_apart_and_no_loop() -> None:
    session = ClientSession()
    policy = Answering(NOW, NOW, Stop("no session"))
    async with serving(echo) as url, asyncio.timeout(PATIENCE):
        ws = recloser.connect(url, session=session, policy=policy, clock=Hasty(), timeouts=PATIENT)
        ws.connect()
        await ws.wait_for(State.OPEN)
        await session.close()
        await ws.wait_for(State.CLOSED)
        causes = [close.cause for close, _ in policy.asked]
        assert causes[-2:] == [Cause.SESSION_CLOSED] * 2
        await ws.close()


@pytest.mark.spec("J1.2", "J2.1")
async def test_a_lent_session_stays_open() -> None:
    async with serving(echo) as url, ClientSession() as session:
        for _ in range(2):
            async with living(url, session=session) as ws:
                await ws.send("x")
                assert await ws.receive() == "x"
        assert not session.closed


@pytest.mark.spec("G8.1")
async def test_the_hook_talks_first_on_every_open() -> None:
    async def identify(opening: recloser.Opening) -> None:
        await opening.send(f"identify {opening.generation}")
        assert await opening.receive() == f"identify {opening.generation}"

    async with serving(echo) as url, living(url, on_open=identify, subprotocols=["chat"]) as ws:
        ws.reconnect(4000)
        await ws.wait_for(State.OPEN)
        await ws.send("after")
        assert await ws.receive() == "after"
        assert ws.generation == 2


@pytest.mark.spec("J1.1")
async def test_reconnecting_leaves_no_descriptor_and_no_task() -> None:
    async with serving(echo) as url, living(url) as ws:
        await ws.send("x")
        assert await ws.receive() == "x"
        tasks, open_now = len(asyncio.all_tasks()), descriptors()
        for number in range(30):
            if number:
                await ws.suspend(4000)
                ws.connect()
            else:
                ws.reconnect(4000)  # once: the next one would wait for the gap of a second
            await ws.wait_for(State.OPEN)
            await ws.send("x")
            assert await ws.receive() == "x"
            assert len(asyncio.all_tasks()) <= tasks + 1  # the server's end may still be closing
            assert descriptors() <= open_now + 1


@pytest.mark.spec("J1.1", "C3.2", "A7")
async def test_ten_times_kill_9() -> None:
    """Ten clean recoveries, nothing piles up, and what came before comes first."""
    kills = 10
    victim = await Victim().start()
    changes: list[StateChange] = []
    pings = 0
    try:
        async with living(victim.url, observers=[changes.append]) as ws:

            async def talk(count: int) -> None:
                nonlocal pings
                first = pings + 1
                for _ in range(count):
                    pings += 1
                    await ws.send(f"{ws.generation} {pings}")
                    while (message := await ws.receive()) == flooded:
                        assert pings == first, "two generations are interleaved"
                    assert message == f"{ws.generation} {pings}"

            async def flood(generation: int) -> None:
                """Leave echoes under way: those that arrive come before the next generation's."""
                while ws.generation == generation and ws.state is State.OPEN:
                    try:
                        await ws.send(f"{generation} flood")
                    except (recloser.NotOpen, ConnectionError):
                        return
                    await asyncio.sleep(0)

            flooded = ""
            await talk(5)
            tasks, open_now = len(asyncio.all_tasks()), descriptors()
            for kill in range(1, kills + 1):
                generation = ws.generation
                flooded = f"{generation} flood"
                flooding = asyncio.ensure_future(flood(generation))
                assert await ws.receive() == flooded
                await victim.kill()
                await flooding
                await ws.wait_for(State.BACKOFF)
                await victim.start()
                await ws.wait_for(State.OPEN)
                await talk(5)
                assert ws.statistics().opens == kill + 1
                assert len(asyncio.all_tasks()) == tasks
                assert descriptors() == open_now
    finally:
        await victim.release()
    losses = [change for change in changes if change.previous is State.OPEN and change.close]
    assert len(losses) == kills
    for change in losses:
        assert change.close is not None
        assert (change.close.code, change.close.origin) == (1006, Origin.NETWORK)
        assert change.close.cause in (Cause.EOF, Cause.RESET)
    assert changes[-1].current is State.CLOSED
