"""Admission in a real aiohttp server, with a raw client and with an engine (M4)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

import recloser
from recloser.admission import Admission, aiohttp_admission
from recloser.fsm import Cause


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def serving(admission: Admission) -> AsyncIterator[tuple[web.AppRunner, str]]:
    async def feed(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async def health(request: web.Request) -> web.Response:
        return web.Response(text="fine")

    app = web.Application()
    app.router.add_get("/feed", feed)
    app.router.add_get("/health", health)
    aiohttp_admission(app, admission)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def the_third_is_told_its_turn() -> None:
    clock = Clock()
    admission = Admission(2.0, clock=clock, roll=lambda: 0.0)
    async with serving(admission) as (_, url), aiohttp.ClientSession() as session:
        first = await session.ws_connect(f"{url}/feed")
        second = await session.ws_connect(f"{url}/feed")
        assert admission.open == 2
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{url}/feed")
        assert refused.value.status == 503
        assert refused.value.headers is not None
        assert refused.value.headers["Retry-After"] == "1"
        async with session.get(f"{url}/health") as answer:
            assert await answer.text() == "fine"
        clock.now = 1.0
        third = await session.ws_connect(f"{url}/feed")
        await third.send_str("echo")
        assert await third.receive_str() == "echo"
        for ws in (first, second, third):
            await ws.close()
    assert admission.open == 0


async def a_drain_closes_all_and_admits_nobody() -> None:
    admission = Admission(50.0, window=40.0, roll=lambda: 0.5)
    async with serving(admission) as (_, url), aiohttp.ClientSession() as session:
        policy = recloser.policies.standard()
        async with recloser.connect(f"{url}/feed".replace("http", "ws"), policy=policy) as ws:
            assert await admission.drain() == 0
            await ws.wait_for(recloser.State.BACKOFF)
            close = ws.last_close
            assert close is not None
            assert (close.code, close.reason) == (1012, "restart; spread=40")
            assert close.spread == 40.0
            assert close.cause is Cause.CLOSE_FRAME
        assert admission.open == 0
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{url}/feed")
        assert refused.value.headers is not None
        assert refused.value.headers["Retry-After"] == "21"


async def a_shutdown_drains() -> None:
    admission = Admission(50.0)
    async with serving(admission) as (runner, url), aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"{url}/feed")
        stopping = asyncio.create_task(runner.cleanup())
        message = await ws.receive()
        assert (message.data, message.extra) == (1012, "restart; spread=30")
        await stopping
    assert admission.draining


async def an_upgrade_under_way_is_closed_by_the_drain(*, below: bool) -> None:
    """Another signal takes its time; with `below` all of it is in an application below another."""
    admission, begun, going_on = Admission(50.0), asyncio.Event(), asyncio.Event()

    async def feed(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for _ in ws:
            pass
        return ws

    async def slow(request: web.Request, response: web.StreamResponse) -> None:
        begun.set()
        await going_on.wait()

    app = web.Application()
    app.router.add_get("/feed", feed)
    aiohttp_admission(app, admission)
    app.on_response_prepare.append(slow)
    top = app
    if below:
        top = web.Application()
        top.add_subapp("/below", app)
    runner = web.AppRunner(top, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{'/below' if below else ''}/feed"
    async with aiohttp.ClientSession() as session:
        connecting = asyncio.create_task(session.ws_connect(url))
        await begun.wait()
        draining = asyncio.create_task(runner.cleanup() if below else admission.drain())
        await asyncio.sleep(0)
        going_on.set()
        async with asyncio.timeout(20):
            message = await (await connecting).receive()
            await draining
        assert (message.data, message.extra) == (1012, "restart; spread=30")
    assert admission.open == 0
    await runner.cleanup()


@pytest.mark.spec("M4.4")
@pytest.mark.parametrize("below", [False, True])
def test_an_upgrade_under_way_is_closed_by_the_drain(below: bool) -> None:
    asyncio.run(an_upgrade_under_way_is_closed_by_the_drain(below=below))


@pytest.mark.spec("M4.2", "M4.3")
def test_who_comes_too_many_is_told_a_turn() -> None:
    asyncio.run(the_third_is_told_its_turn())


@pytest.mark.spec("M4.1", "M4.4")
def test_a_drain_closes_all_and_admits_nobody() -> None:
    asyncio.run(a_drain_closes_all_and_admits_nobody())


@pytest.mark.spec("M4.4")
def test_a_shutdown_drains() -> None:
    asyncio.run(a_shutdown_drains())


def test_an_application_has_one_admission() -> None:
    app = web.Application()
    aiohttp_admission(app, Admission(capacity=5))
    before = list(app.middlewares), list(app.on_response_prepare), list(app.on_shutdown)
    with pytest.raises(ValueError, match="call aiohttp_admission once"):
        aiohttp_admission(app, Admission(capacity=5))
    assert (list(app.middlewares), list(app.on_response_prepare), list(app.on_shutdown)) == before
    aiohttp_admission(web.Application(), Admission(capacity=5))
