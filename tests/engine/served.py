"""Real aiohttp servers on loopback, in this process and in one that can be killed."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from ssl import SSLContext
from typing import Any, Self

from aiohttp import web

PATIENCE = 120.0
"""Seconds within which anything must have happened; far more than it takes."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    handler: Handler, *, method: str = "GET", ssl: SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve one handler on a free port; gives the URL, of the scheme ws."""
    app = web.Application()
    app.router.add_route(method, "/", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl)
    await site.start()
    server: Any = site._server
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        await runner.cleanup()


async def upgraded(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(timeout=1.0)
    await ws.prepare(request)
    return ws


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Say every message back."""
    ws = await upgraded(request)
    async for message in ws:
        if message.type is web.WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)
    return ws


class Victim:
    """An echo server in a process of its own, on one port through all its lives.

    Between two lives the port is reserved: else a dial of anybody could get it for its own end.
    """

    def __init__(self) -> None:
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "ignore", str(Path(__file__)), str(self.port)),
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        assert int(line) == self.port
        return self

    async def kill(self) -> None:
        """`kill -9`: the kernel alone tells the peers."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def release(self) -> None:
        """End it, and let go of the port."""
        await self.kill()
        self._reserved.close()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"


async def _serve(port: int) -> None:
    runner = web.AppRunner(web.Application())
    runner.app.router.add_get("/", echo)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_port=True)
    await site.start()
    server: Any = site._server
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
