"""A consumer that does not consume: reading pauses, and the log says so."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from aiohttp import web

import recloser

Line = MutableMapping[str, Any]


@pytest.fixture
def lines() -> Iterator["asyncio.Queue[Line]"]:
    queue: asyncio.Queue[Line] = asyncio.Queue()

    def keep(_logger: object, event: str, line: Line) -> Line:
        queue.put_nowait(line)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        yield queue
    finally:
        structlog.configure(**before)


async def flood(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    for number in range(40_000):
        await ws.send_str(f"{number} " + 1000 * "x")
    return ws


@pytest.mark.spec("F7")
async def test_reading_that_pauses_is_told_with_the_fields_of_the_engine(
    lines: "asyncio.Queue[Line]",
) -> None:
    app = web.Application()
    app.router.add_get("/", flood)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with asyncio.timeout(20), recloser.connect(url, fields={"user": "ada"}) as ws:
            line = await lines.get()
            while line["event"] != "websocket.reading_paused":
                line = await lines.get()
            assert line["user"] == "ada"
            assert line["unread"] > 100
            assert (await ws.receive())[:2] == "0 "
    finally:
        await runner.cleanup()
