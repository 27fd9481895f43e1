"""A real aiohttp server on loopback that misbehaves in order, one act a connection.

    python examples/server.py [PORT]

serves ws://127.0.0.1:8765 until Ctrl-C, and starts again from the first act after the last.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

TICK = 0.05
"""Seconds between two messages of the feed."""


@dataclass(frozen=True)
class Act:
    """What one connection goes through, after a while of ordinary service."""

    title: str
    play: Callable[["Server", web.Request, web.WebSocketResponse], Awaitable[None]]


@dataclass(frozen=True)
class Refusal:
    """An upgrade that is answered with an HTTP status instead of 101."""

    title: str
    status: int
    headers: dict[str, str]


def closing(code: int, reason: str = "") -> Act:
    """Make an act that ends with this close frame."""

    async def play(_server: "Server", _request: web.Request, ws: web.WebSocketResponse) -> None:
        await ws.close(code=code, message=reason.encode())

    return Act(f"closes with {code} {reason!r}", play)


async def _cut(_server: "Server", request: web.Request, _ws: web.WebSocketResponse) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _fall_silent(server: "Server", _request: web.Request, _ws: web.WebSocketResponse) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.stopping.wait(), 5.0)


async def _go_down(server: "Server", request: web.Request, ws: web.WebSocketResponse) -> None:
    await server.stop_listening()
    await _cut(server, request, ws)
    server.later(1.5, server.listen)


ACTS: tuple[Act | Refusal, ...] = (
    closing(1000, "shift is over"),
    closing(1001, "going away"),
    closing(1000, "Token expired"),
    closing(1012, "restarting"),
    closing(4401, "who are you?"),
    Act("cuts the line", _cut),
    Refusal("refuses the upgrade with 503, Retry-After: 1", 503, {"Retry-After": "1"}),
    Act("goes silent: no data, no pong", _fall_silent),
    closing(4000, "maintenance"),
    Act("goes down for 1.5 s", _go_down),
)


@dataclass
class Server:
    """The misbehaving server; `dials` counts the connections that reached it."""

    service: float = 0.7
    """Seconds of ordinary service before each act."""
    port: int = 0
    """0 until it listens, if none was chosen."""
    dials: int = 0
    repeat: bool = False
    """Start again from the first act after the last; otherwise just serve from then on."""
    on_act: Callable[[str], None] = lambda _title: None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None
    _site: web.TCPSite | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen on loopback."""
        app = web.Application()
        app.router.add_get("/", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        await self.listen()

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def stop_listening(self) -> None:
        """Refuse new connections; those that are up stay."""
        if self._site is not None:
            await self._site.stop()

    async def stop(self) -> None:
        """End everything."""
        self.stopping.set()
        for task in self._tasks:
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    def later(self, seconds: float, call: Callable[[], Awaitable[None]]) -> None:
        """Call a coroutine function after a while."""

        async def wait() -> None:
            await asyncio.sleep(seconds)
            await call()

        task = asyncio.get_running_loop().create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        number, self.dials = self.dials, self.dials + 1
        act = ACTS[number % len(ACTS)] if self.repeat or number < len(ACTS) else None
        if isinstance(act, Refusal):
            self.on_act(act.title)
            return web.Response(status=act.status, headers=act.headers)
        ws = web.WebSocketResponse(autoping=act is None or act.play is not _fall_silent)
        await ws.prepare(request)
        feed = asyncio.get_running_loop().create_task(self._feed(number, ws))
        try:
            async with asyncio.timeout(None if act is None else self.service):
                async for message in ws:
                    await ws.send_str(f"echo {message.data}")
        except TimeoutError:
            feed.cancel()
            if act is not None:
                self.on_act(act.title)
                await act.play(self, request, ws)
        finally:
            feed.cancel()
            await asyncio.wait({feed})
        return ws

    async def _feed(self, number: int, ws: web.WebSocketResponse) -> None:
        for tick in range(1_000_000):
            try:
                await ws.send_str(f"connection {number + 1} tick {tick}")
            except ConnectionError:
                return
            await asyncio.sleep(TICK)


async def main(port: int) -> None:
    """Serve until interrupted."""
    server = Server(port=port, service=3.0, repeat=True, on_act=print)
    await server.start()
    print(f"ws://127.0.0.1:{server.port} misbehaves until Ctrl-C")
    try:
        await server.stopping.wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765))
