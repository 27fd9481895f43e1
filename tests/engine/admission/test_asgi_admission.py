"""Admission in ASGI: the two ways of a refusal, and the drain (M4)."""

import asyncio
from typing import Any

import pytest
import uvicorn
from aiohttp import ClientSession, WSServerHandshakeError

from recloser.admission import Admission, asgi_admission
from recloser.admission.asgi_admission import App, Message, Receive, Scope, Send

EXTENSION = {"extensions": {"websocket.http.response": {}}}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            scope["state"]["ended"] = message
            return
        await send({"type": "websocket.send", "text": message["text"]})


class Server:
    """The two channels of one WebSocket, as an ASGI server has them."""

    def __init__(self, app: App, **scope: Any) -> None:
        self.to_app = asyncio.Queue[Message]()
        self.from_app = asyncio.Queue[Message]()
        self.to_app.put_nowait({"type": "websocket.connect"})
        self.state: dict[str, Any] = {}
        self.scope: dict[str, Any] = {"type": "websocket", "state": self.state, **scope}
        self.task = asyncio.create_task(app(self.scope, self.to_app.get, self.from_app.put))


def full() -> Admission:
    """One that has just admitted all it can."""
    admission = Admission(1.0, clock=lambda: 0.0, roll=lambda: 0.0)
    assert admission.ask() is None
    return admission


@pytest.mark.spec("M4.3")
def test_a_refusal_is_a_503_where_the_server_can_say_it() -> None:
    async def story() -> None:
        server = Server(asgi_admission(echo, full()), **EXTENSION)
        start = await server.from_app.get()
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 503)
        assert (b"retry-after", b"1") in start["headers"]
        assert (await server.from_app.get())["type"] == "websocket.http.response.body"
        await server.task

    asyncio.run(story())


@pytest.mark.spec("M4.1", "M4.3")
def test_else_it_is_a_1013_with_a_spread() -> None:
    async def story() -> None:
        server = Server(asgi_admission(echo, full()))
        assert (await server.from_app.get())["type"] == "websocket.accept"
        close = await server.from_app.get()
        assert (close["code"], close["reason"]) == (1013, "no room; spread=1")
        await server.task

    asyncio.run(story())


@pytest.mark.spec("M4.4")
def test_a_drain_closes_and_tells_the_application() -> None:
    async def story() -> None:
        admission = Admission(9.0, window=12.0)
        server = Server(asgi_admission(echo, admission))
        await server.from_app.get()
        server.to_app.put_nowait({"type": "websocket.receive", "text": "hello"})
        assert (await server.from_app.get())["text"] == "hello"
        assert admission.open == 1
        assert await admission.drain() == 0
        close = await server.from_app.get()
        assert (close["code"], close["reason"]) == (1012, "restart; spread=12")
        await server.task
        assert server.state["ended"]["code"] == 1012

    asyncio.run(story())


def test_what_an_application_sends_after_the_drain_is_refused() -> None:
    async def talkative(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        with pytest.raises(OSError, match="drained"):
            await send({"type": "websocket.send", "text": "too late"})

    async def story() -> None:
        admission = Admission(9.0)
        server = Server(asgi_admission(talkative, admission))
        await server.from_app.get()
        await admission.drain()
        await server.task

    asyncio.run(story())


@pytest.mark.spec("M4.4")
def test_an_application_that_only_sends_ends_without_an_error() -> None:
    async def sender(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(0)

    async def story() -> None:
        admission = Admission(9.0)
        server = Server(asgi_admission(sender, admission))
        await server.from_app.get()
        assert await admission.drain() == 0
        async with asyncio.timeout(10):
            await server.task

    asyncio.run(story())


@pytest.mark.spec("M4.5")
def test_a_message_that_arrives_as_its_receiver_is_cancelled_is_the_next_one_s() -> None:
    async def story() -> None:
        got: list[Message] = []

        async def impatient(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            receiving = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            server.to_app.put_nowait({"type": "websocket.receive", "text": "one"})
            server.to_app.put_nowait({"type": "websocket.receive", "text": "two"})
            for _ in range(scope["turns"]):
                await asyncio.sleep(0)
            receiving.cancel()
            found = await asyncio.gather(receiving, return_exceptions=True)
            got.extend(each for each in found if not isinstance(each, BaseException))
            while len(got) < 2:
                got.append(await receive())

        for turns in range(6):
            got.clear()
            server = Server(asgi_admission(impatient, Admission(9.0)), turns=turns)
            async with asyncio.timeout(10):
                await server.task
            assert [message["text"] for message in got] == ["one", "two"]

    asyncio.run(story())


@pytest.mark.spec("M4.5")
def test_two_who_receive_get_a_message_each() -> None:
    async def story() -> None:
        async def two(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            scope["state"]["got"] = await asyncio.gather(receive(), receive())

        server = Server(asgi_admission(two, Admission(9.0)))
        for text in ("one", "two"):
            server.to_app.put_nowait({"type": "websocket.receive", "text": text})
        await server.task
        assert [message["text"] for message in server.state["got"]] == ["one", "two"]

    asyncio.run(story())


@pytest.mark.spec("M4.4")
@pytest.mark.parametrize("first", ["application", "client"])
def test_a_connection_that_has_ended_gets_no_close_frame(first: str) -> None:
    async def story() -> None:
        ended, over = asyncio.Event(), asyncio.Event()

        async def lingering(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            if first == "application":
                await send({"type": "websocket.close", "code": 1000})
            else:
                assert (await receive())["type"] == "websocket.disconnect"
            ended.set()
            await over.wait()

        admission = Admission(9.0)
        server = Server(asgi_admission(lingering, admission))
        server.to_app.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await ended.wait()
        assert (admission.open, await admission.drain()) == (0, 0)
        over.set()
        await server.task
        said = [server.from_app.get_nowait() for _ in range(server.from_app.qsize())]
        assert 1012 not in [message.get("code") for message in said]

    asyncio.run(story())


@pytest.mark.spec("M4.4")
def test_who_accepts_during_a_drain_is_closed_too() -> None:
    async def story() -> None:
        ready = asyncio.Event()

        async def late(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await ready.wait()
            await send({"type": "websocket.accept"})
            scope["state"]["ended"] = await receive()

        admission = Admission(9.0)
        server = Server(asgi_admission(late, admission))
        await asyncio.sleep(0)
        assert await admission.drain() == 0
        ready.set()
        await server.task
        assert server.state["ended"]["code"] == 1012
        assert [(await server.from_app.get()).get("code") for _ in range(2)] == [None, 1012]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


def test_other_than_websockets_pass() -> None:
    async def story() -> None:
        seen: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["type"])

        await Server(asgi_admission(app, full()), type="http").task
        assert seen == ["http"]

    asyncio.run(story())


@pytest.mark.spec("M4.3", "M4.4")
def test_behind_a_real_server() -> None:
    async def story() -> None:
        admission = Admission(1.0, clock=lambda: 0.0, roll=lambda: 0.0)
        app = asgi_admission(echo, admission)
        config = uvicorn.Config(app, port=0, lifespan="off", log_level="error")
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/"
        async with ClientSession() as session:
            ws = await session.ws_connect(url)
            with pytest.raises(WSServerHandshakeError) as refused:
                await session.ws_connect(url)
            assert refused.value.status == 503
            assert refused.value.headers is not None
            assert refused.value.headers["Retry-After"] == "1"
            await admission.drain()
            message = await ws.receive()
            assert (message.data, message.extra) == (1012, "restart; spread=30")
        await server.shutdown()

    asyncio.run(story())
