"""The page as it is mounted: in a real aiohttp server, and as a real ASGI application."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from starlette.applications import Starlette
from starlette.routing import Mount

from recloser.inspector import Inspector, aiohttp_app, asgi_app
from recloser.inspector.rows import Moment
from tests.engine.inspector.pages import parsed
from tests.engine.journal.changes import OPENED


@pytest.mark.spec("I9.4", "I9.1")
async def test_in_an_aiohttp_server() -> None:
    inspector = Inspector()
    inspector.add(Moment("ada", 1.0, OPENED))
    app = web.Application()
    app.add_subapp("/recloser/", aiohttp_app(inspector))
    runner = web.AppRunner(app, shutdown_timeout=3600)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with (
            asyncio.timeout(60),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}/recloser/") as session,
        ):
            async with session.get("") as response:
                assert response.status == 200
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            async with session.post("close", data=b"x" * 20_000) as response:
                assert response.status == 413
            async with session.get("events") as response:
                text = ""
                while "\n\n" not in text:
                    text += (await response.content.readany()).decode()
                name, data = parsed(text[: text.index("\n\n") + 2])
                assert (name, data["rows"][0]["engine"]) == ("snapshot", "ada")
                assert len(inspector._pages) == 1
            async with session.get("events") as response:
                await response.content.readany()
                await runner.cleanup()  # a service stops although a page is open
                assert (await response.content.read())[-2:] in {b"", b"\n\n"}
    finally:
        await runner.cleanup()
    for _ in range(100):
        await asyncio.sleep(0)
    assert inspector._pump is None


class Caller:
    """Calls an ASGI application as a server does."""

    def __init__(self, app: Any, path: str, method: str = "GET", body: bytes = b"") -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.inbox.put_nowait({"type": "http.request", "body": body, "more_body": False})
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "root_path": "",
            "query_string": b"engine=ada",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 50000),
        }
        self.task = asyncio.ensure_future(app(scope, self.inbox.get, self.sent.put))


@pytest.mark.spec("I9.4", "I9.1")
async def test_as_an_asgi_application() -> None:
    inspector = Inspector()
    inspector.add(Moment("ada", 1.0, OPENED))
    app = Starlette(routes=[Mount("/recloser", asgi_app(inspector))])
    call = Caller(app, "/recloser/timeline")
    await call.task
    start, body = await call.sent.get(), await call.sent.get()
    assert start["status"] == 200
    assert (b"cache-control", b"no-store") in start["headers"]
    assert b'"engine": "ada"' in body["body"]
    large = Caller(app, "/recloser/close", "POST", b"x" * 20_000)
    await large.task
    assert (await large.sent.get())["status"] == 413
    stream = Caller(app, "/recloser/events")
    assert (await stream.sent.get())["status"] == 200
    name, _ = parsed((await stream.sent.get())["body"].decode())
    assert name == "snapshot"
    stream.inbox.put_nowait({"type": "http.disconnect"})
    await stream.task
    assert not inspector._pages
    assert inspector._pump is None
    with pytest.raises(RuntimeError, match="speaks HTTP"):
        await asgi_app(inspector)({"type": "websocket"}, stream.inbox.get, stream.sent.put)
