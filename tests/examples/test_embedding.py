"""The examples of embedding run as processes, against a real server."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

EXAMPLES = Path(__file__).parents[2] / "examples"


class Feed:
    """Sends three ticks to everybody, then closes the first `ended` connections."""

    def __init__(self, ended: int) -> None:
        self.ended = ended
        self.url = ""
        self.dials = 0
        self.up = asyncio.Queue[int]()
        """Numbers of the connections that have got their ticks and stay."""
        self.codes: list[int | None] = []
        """The close codes of those that stayed."""

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.dials += 1
        number = self.dials
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        for tick in range(3):
            await ws.send_str(f"connection {number} tick {tick}")
        if number <= self.ended:
            await ws.close()
            return ws
        self.up.put_nowait(number)
        async for _ in ws:
            pass
        self.codes.append(ws.close_code)
        return ws


@asynccontextmanager
async def feeding(ended: int = 0) -> AsyncIterator[Feed]:
    feed = Feed(ended)
    app = web.Application()
    app.router.add_get("/", feed.serve)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    feed.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with asyncio.timeout(120):
            yield feed
    finally:
        await runner.cleanup()


@asynccontextmanager
async def example(name: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-W", "error", str(EXAMPLES / name), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def output_of(process: asyncio.subprocess.Process) -> str:
    output, _ = await process.communicate()
    return output.decode()


@pytest.mark.parametrize("name", ["embed_taskgroup.py", "embed_uvloop.py"])
async def test_a_task_group_goes_on_and_ends_by_itself(name: str) -> None:
    if "uvloop" in name:
        pytest.importorskip("uvloop")
    async with feeding(ended=1) as feed, example(name, feed.url, "6") as process:
        output = await output_of(process)
        assert process.returncode == 0, output
        for line in ("connection 2 tick 2", "to=backoff", "closing -> closed"):
            assert line in output
        assert feed.codes == [1000]


@pytest.mark.spec("H7.3", "H7.4")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_supervisor_ends_in_good_order_on_a_signal(signum: signal.Signals) -> None:
    async with feeding() as feed, example("embed_supervisor.py", *[feed.url] * 3) as process:
        assert process.stdout is not None
        ticks = [await process.stdout.readline() for _ in range(3 * 3)]  # all have opened then
        assert all(b" tick " in line for line in ticks), ticks
        process.send_signal(signum)
        output = await output_of(process)
        assert process.returncode == 0, output
        assert output.count("handled ") == 3
        assert "failed" not in output
        assert feed.codes == [1001] * 3


async def latest(port: str, wanted: str) -> str:
    """Ask the service until it has shown the wanted message; its status then."""
    async with asyncio.timeout(120), aiohttp.ClientSession() as session:
        while True:
            # Its engine is connected a moment before the service itself listens.
            with suppress(aiohttp.ClientConnectorError):
                async with session.get(f"http://127.0.0.1:{port}/") as response:
                    seen = await response.json()
                if seen["latest"] == wanted:
                    return str(seen["status"])


@pytest.mark.spec("H5.1", "H7.3")
@pytest.mark.parametrize("framework", ["aiohttp", "starlette"])
async def test_a_web_service_shows_the_feed_and_leaves_with_1001(framework: str) -> None:
    if framework == "starlette":
        pytest.importorskip("starlette")
        pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    async with feeding() as feed, example(f"embed_{framework}.py", feed.url, port) as process:
        assert await feed.up.get() == 1
        assert await latest(port, "connection 1 tick 2") == "online"
        process.send_signal(signal.SIGTERM)
        output = await output_of(process)
        assert process.returncode in (0, -signal.SIGTERM), output
        assert "Traceback" not in output
        assert feed.codes == [1001]
