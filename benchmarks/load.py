"""Ten thousand engines under load, through a restart of their server.

    python benchmarks/load.py [ENGINES [SECONDS]]

Each connection receives a message a second, and all together send a fifth as many. The server is a
process of its own; a third of the way through it is stopped by SIGTERM, and is away for three
seconds. Beside it stand the bare aiohttp program that does the same without a restart, and the
engines without one. The CPU is that of the client's process from the moment when all are open.

Every message is accounted for: what the servers have sent was received or reported as undelivered,
and what was to be sent was received by a server, or reported as unsent, or `send` raised.
`make fleet` runs it; it takes about four minutes and ends by itself.
"""

import asyncio
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle

import aiohttp
from aiohttp import WSMsgType, web
from peers import silence
from table import Table

import recloser

GOAL = 1.10
SHARE = 5
"""So many messages are received for one that is sent."""
TICK = 0.05
MESSAGE = "x" * 100
AWAY = 3.0
PATIENCE = 60.0
"""Seconds for which all engines may take to open."""
SERVICE_RESTART = b"\x03\xf4restart"


async def serve(port: int) -> None:
    """Send each connection a message a second until SIGTERM; then print what was counted."""
    counts = {"sent": 0, "received": 0}
    connections = dict[int, web.WebSocketResponse]()
    stop, empty = asyncio.Event(), asyncio.Event()

    async def feed(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        connections[id(ws)] = ws
        try:
            if stop.is_set():
                await ws.send_frame(SERVICE_RESTART, WSMsgType.CLOSE)
            # The client's messages before its close frame are read to the last.
            async for _ in ws:
                counts["received"] += 1
        finally:
            del connections[id(ws)]
            if not connections:
                empty.set()
        return ws

    async def publish() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not stop.is_set():
            for number in range(round(1 / TICK)):
                for ws in [*connections.values()][number :: round(1 / TICK)]:
                    if not ws.closed and not stop.is_set():
                        with suppress(ConnectionError):
                            await ws.send_str(MESSAGE)
                            counts["sent"] += 1
                due += TICK
                await asyncio.sleep(max(0.0, due - loop.time()))

    app = web.Application()
    app.router.add_get("/", feed)
    runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096, reuse_address=True).start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(runner.addresses[0][1], flush=True)
    await publish()
    for ws in [*connections.values()]:
        with suppress(ConnectionError):
            await ws.send_frame(SERVICE_RESTART, WSMsgType.CLOSE)
    if connections:
        with suppress(TimeoutError):
            await asyncio.wait_for(empty.wait(), 10.0)
    print(json.dumps(counts), flush=True)
    await runner.cleanup()


class Server:
    """The server's process; it comes back at the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.sent = self.received = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, __file__, "--serve", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        """Stop it, and add up what it has counted."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            told, _ = process.communicate()
            counts = json.loads(told)
            self.sent += counts["sent"]
            self.received += counts["received"]


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Count:
    """What the client has seen of its messages, and what it took."""

    received: int = 0
    undelivered: int = 0
    sent: int = 0
    unsent: int = 0
    refused: int = 0
    cpu: float = 0.0
    open: int = 0


Send = Callable[[str], Awaitable[object]]


async def load(senders: list[Send], seconds: float, count: Count) -> None:
    """Send for so long, one sender after the other; keeps the CPU that the process took."""
    loop = asyncio.get_running_loop()
    each = max(1, round(len(senders) / SHARE * TICK))
    turn = cycle(senders)
    cpu, due = time.process_time(), loop.time()
    for _ in range(round(seconds / TICK)):
        for _ in range(each):
            try:
                await next(turn)(MESSAGE)
            except (recloser.NotOpen, recloser.ConnectionClosed):
                count.refused += 1
            else:
                count.sent += 1
        due += TICK
        await asyncio.sleep(max(0.0, due - loop.time()))
    count.cpu = time.process_time() - cpu


async def bare(connections: int, seconds: float) -> tuple[Count, Server]:
    """Do it with aiohttp alone."""
    count = Count()

    async def read(ws: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in ws:
            count.received += 1

    with serving() as server:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"http://127.0.0.1:{server.port}/"
            opened = [await session.ws_connect(url) for _ in range(connections)]
            readers = [asyncio.create_task(read(ws)) for ws in opened]
            await load([ws.send_str for ws in opened], seconds, count)
            count.open = sum(not ws.closed for ws in opened)
            await asyncio.to_thread(server.stop)
            await asyncio.gather(*readers)
    return count, server


class Engines:
    """The engines of one run, and what their changes say of messages."""

    def __init__(self, connections: int, url: str) -> None:
        self.count = Count()
        self._all = asyncio.Event()
        self.engines = [recloser.connect(url, observers=[self._see]) for _ in range(connections)]

    def _see(self, change: recloser.StateChange) -> None:
        count, opened = self.count, recloser.State.OPEN
        count.open += (change.current is opened) - (change.previous is opened)
        count.undelivered += change.undelivered
        if change.close is not None:
            count.unsent += change.close.unsent
        if count.open == len(self.engines):
            self._all.set()
        else:
            self._all.clear()

    async def read(self, ws: recloser.ReconnectingWebSocket) -> None:
        async for _ in ws:
            self.count.received += 1

    async def opened(self) -> None:
        """Wait until all are open, or for as long as that may take."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all.wait(), PATIENCE)


@asynccontextmanager
async def engines_at(connections: int, url: str) -> AsyncIterator[Engines]:
    """Open engines with a consumer each, and close them at the end."""
    crowd = Engines(connections, url)
    for ws in crowd.engines:
        ws.connect()
    readers = [asyncio.create_task(crowd.read(ws)) for ws in crowd.engines]
    try:
        await crowd.opened()
        yield crowd
    finally:
        await asyncio.gather(*(ws.close() for ws in crowd.engines))
        await asyncio.gather(*readers)


async def engines(connections: int, seconds: float, *, restart: bool) -> tuple[Count, Server]:
    """Do it with engines, through a restart if that is asked for."""
    with serving() as server:

        async def restarted() -> None:
            await asyncio.sleep(seconds / 3)
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(server.start)

        async with engines_at(connections, f"ws://127.0.0.1:{server.port}/") as crowd:
            both = [load([ws.send for ws in crowd.engines], seconds, crowd.count)]
            if restart:
                both.append(restarted())
            await asyncio.gather(*both)
            opened = crowd.count.open
            # The server ends first, so that no message crosses a close of ours.
            await asyncio.to_thread(server.stop)
        crowd.count.open = opened
    return crowd.count, server


def main(connections: int, seconds: float) -> None:
    silence()
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = min(connections, descriptors - 200)
    table = Table(
        f"{connections:,} connections under load for {seconds:g} s",
        [
            *("CPU s", "to bare aiohttp", "open at the end", "received", "undelivered"),
            *("lost on the way here", "sent", "unsent", "`send` raised", "lost on the way there"),
        ],
        judged="to bare aiohttp",
    )
    base = 0.0
    for name, run in (
        ("bare aiohttp, no restart", bare(connections, seconds)),
        ("recloser, no restart", engines(connections, seconds, restart=False)),
        ("recloser, through a restart", engines(connections, seconds, restart=True)),
    ):
        count, server = asyncio.run(run)
        base = base or count.cpu
        ratio = count.cpu / base
        here = server.sent - count.received - count.undelivered
        there = count.sent - server.received - count.unsent
        numbers = (
            *(count.open, count.received, count.undelivered, here),
            *(count.sent, count.unsent, count.refused, there),
        )
        table.add(
            name, f"{count.cpu:.2f}", f"{ratio:.2f}", *(f"{each:,}" for each in numbers),
            judged=ratio, goal=GOAL,
        )  # fmt: skip
    print(table.markdown())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2])))
    else:
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 10_000,
            float(sys.argv[2]) if len(sys.argv) > 2 else 60.0,
        )
