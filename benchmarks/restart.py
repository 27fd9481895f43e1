"""Ten thousand engines and the restarts of their server.

    python benchmarks/restart.py [ENGINES [restarts | rolling]]

The server is a process of its own. It is killed and away for three seconds, killed and away for
thirty, killed and back at a tenth of its capacity, and restarted twice, one half after the other,
behind haproxy if that is installed. The optimum is what the server takes: a program that dials
without a pause, as many at a time as it likes, or the capacity where the server has one.
A return in which an engine is missing after ninety seconds is a row that says what was open, and
the run goes on. `make fleet` runs it; the run takes about five minutes and ends by itself.
"""

import asyncio
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from math import inf
from pathlib import Path

import aiohttp
from aiohttp import web
from peers import silence
from table import Table

import recloser
from recloser.admission import Admission, aiohttp_admission

GOAL = 1.2
AT_ONCE = 200
MOST = 90.0
"""Seconds after which a return has failed."""


# -- the server ---------------------------------------------------------------------------


async def serve(port: int, capacity: float) -> None:
    """Serve until SIGTERM, then drain; `capacity` 0 stands for no limit."""

    async def feed(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async def health(request: web.Request) -> web.Response:
        del request
        return web.Response(status=503 if admission.draining else 200)

    app = web.Application()
    app.router.add_get("/", feed)
    app.router.add_get("/health", health)
    admission = Admission(capacity or 1e6, window=10.0)
    aiohttp_admission(app, admission)
    runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096, reuse_address=True).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(runner.addresses[0][1], flush=True)
    await stop.wait()
    await admission.drain(over=2.0)
    await runner.cleanup()


class Server:
    """The server's process; it comes back at the same port."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, capacity: float = 0.0) -> None:
        command = [sys.executable, __file__, "--serve", str(self.port), str(capacity)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.communicate()
            self._process = None


# -- the engines --------------------------------------------------------------------------


class Crowd:
    """Engines of one process, and how many of them are open."""

    def __init__(self, count: int, url: str) -> None:
        self.open = 0
        self.moments: list[float] = []
        """When engines opened, on the clock of `time.monotonic`."""
        self.dials = 0
        self.closes = Counter[str]()
        """The ends of connections and of dials, by kind."""
        self._all = asyncio.Event()
        self._none = asyncio.Event()
        self.engines = [recloser.connect(url, observers=[self._note]) for _ in range(count)]

    def _note(self, change: recloser.StateChange) -> None:
        if change.close is not None:
            self.closes[str(change.close)] += 1
        if change.current is recloser.State.CONNECTING:
            self.dials += 1
        if change.current is recloser.State.OPEN:
            self.open += 1
            self.moments.append(time.monotonic())
        elif change.previous is recloser.State.OPEN:
            self.open -= 1
        for event, wanted in ((self._all, len(self.engines)), (self._none, 0)):
            event.set() if self.open == wanted else event.clear()

    def mark(self) -> None:
        """Begin a return: what is counted is counted from here on."""
        self.moments.clear()
        self.closes.clear()
        self.dials = 0

    async def back(self) -> None:
        """Wait until every engine is open, or for as long as a return may take."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MOST):
                await self._all.wait()

    async def gone(self) -> None:
        """Wait until no engine is open."""
        async with asyncio.timeout(MOST):
            await self._none.wait()

    def connect(self) -> None:
        for ws in self.engines:
            ws.connect()

    async def close(self) -> None:
        await asyncio.gather(*(ws.close() for ws in self.engines))


@asynccontextmanager
async def crowd_at(count: int, url: str) -> AsyncIterator[Crowd]:
    """Make engines that are closed at the end, also of a run that fails."""
    crowd = Crowd(count, url)
    try:
        yield crowd
    finally:
        await crowd.close()


async def without_a_pause(count: int, url: str) -> float:
    """Seconds in which bare aiohttp opens as many connections, `AT_ONCE` at a time."""
    free = asyncio.Semaphore(AT_ONCE)
    connector = aiohttp.TCPConnector(limit=0)

    async def dial(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        async with free:
            return await session.ws_connect(url)

    async with aiohttp.ClientSession(connector=connector) as session:
        started = time.monotonic()
        opened = await asyncio.gather(*(dial(session) for _ in range(count)))
        took = time.monotonic() - started
        await asyncio.gather(*(ws.close() for ws in opened))
    return took


def held() -> tuple[int, int]:
    """Descriptors and tasks of this process."""
    return len([*Path("/proc/self/fd").iterdir()]), len(asyncio.all_tasks())


class Account:
    """The rows of the table."""

    def __init__(self, count: int, optimum: float) -> None:
        self._count = count
        self._optimum = optimum
        self.table = Table(
            f"{count:,} engines come back",
            [
                *("optimum s", "half s", "99 % s", "all s", "to the optimum"),
                *("CPU ms an engine", "dials an engine"),
            ],
            judged="to the optimum",
        )

    @asynccontextmanager
    async def row(
        self, name: str, crowd: Crowd, optimum: float | None = None
    ) -> AsyncIterator[None]:
        """Measure from here until every engine is open; the block begins the return."""
        best = self._optimum if optimum is None else optimum
        crowd.mark()
        since, cpu = time.monotonic(), time.process_time()
        yield
        await crowd.back()
        spent = (time.process_time() - cpu) / self._count * 1e3
        costs = (f"{spent:.2f}", f"{crowd.dials / self._count:.2f}")
        if crowd.open < self._count:
            print(f"{name}: {crowd.open:,} of {self._count:,} are open after {MOST:g} s.")
            print(
                *(f"  {number:,} x {close}" for close, number in crowd.closes.most_common(5)),
                sep="\n",
            )
            self.table.add(
                f"{name}: {crowd.open:,} are open", f"{best:.2f}", "", "", "", "", *costs,
                judged=inf, goal=GOAL,
            )  # fmt: skip
            return
        # An engine may have opened more than once; the latest ones are those that stay.
        moments = sorted(each - since for each in crowd.moments)[-self._count :]
        whole = moments[-1]
        cells = (best, statistics.median(moments), moments[len(moments) * 99 // 100], whole)
        self.table.add(
            name, *(f"{each:.2f}" for each in cells), f"{whole / best:.2f}", *costs,
            judged=whole / best, goal=GOAL,
        )  # fmt: skip


# -- the restarts -------------------------------------------------------------------------


async def restarts(count: int) -> Table:
    """Kill the server in three ways, and let it come back."""
    server = Server()
    server.start()
    url = f"http://127.0.0.1:{server.port}/"
    try:
        optimum = await without_a_pause(count, url)
        account = Account(count, optimum)
        async with crowd_at(count, url.replace("http", "ws")) as crowd:
            async with account.row("first connection", crowd):
                crowd.connect()
            before = held()
            for away, capacity in ((3.0, 0.0), (30.0, 0.0), (3.0, count / optimum / 10)):
                server.end()
                await crowd.gone()
                await asyncio.sleep(away)
                name = f"killed, away for {away:g} s"
                if capacity:
                    name += f", back at {capacity:.0f} a second"
                server.start(capacity)
                async with account.row(name, crowd, count / capacity if capacity else None):
                    pass
            await asyncio.sleep(1.0)
            print(f"descriptors and tasks: {before} when open at first, {held()} at the end")
    finally:
        server.end()
    return account.table


CONFIG = """
global
    maxconn {most}
defaults
    mode http
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend ws
    bind 127.0.0.1:{front}
    default_backend app
backend app
    balance leastconn
    option redispatch
    option httpchk GET /health
    timeout check 10s
    server one 127.0.0.1:{one} check inter 200 fall 1 rise 1
    server two 127.0.0.1:{two} check inter 200 fall 1 rise 1
"""


@contextmanager
def haproxy(one: int, two: int, most: int) -> Iterator[str]:
    """Run haproxy in front of two servers; gives the URL."""
    program = shutil.which("haproxy", path=f"/usr/sbin:{os.environ['PATH']}")
    assert program is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        front = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(CONFIG.format(most=most, front=front, one=one, two=two), encoding="utf-8")
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen([program, "-db", "-f", str(file)], stderr=output)
        try:
            time.sleep(1.0)  # until it has looked whether the servers are up
            if process.poll() is not None:
                raise RuntimeError(f"haproxy did not start: {log.read_text(encoding='utf-8')}")
            yield f"ws://127.0.0.1:{front}/"
        finally:
            process.terminate()
            process.wait()


async def rolling(count: int) -> Table:
    """Restart two servers behind haproxy, one after the other, by SIGTERM and with a drain."""
    servers = (Server(), Server())
    for server in servers:
        server.start()
    try:
        with haproxy(servers[0].port, servers[1].port, count + 100) as url:
            optimum = await without_a_pause(count, url.replace("ws", "http", 1))
            account = Account(count, optimum)
            async with crowd_at(count, url) as crowd:
                async with account.row("first connection through haproxy", crowd):
                    crowd.connect()
                before = held()
                for number, server in enumerate(servers, start=1):
                    # The drain asks to come back within ten seconds, and takes two itself.
                    name = f"rolling restart, server {number}"
                    async with account.row(name, crowd, 12.0):
                        await asyncio.to_thread(server.end, signal.SIGTERM)
                        await asyncio.to_thread(server.start)
                await asyncio.sleep(1.0)
                print(f"descriptors and tasks: {before} when open at first, {held()} at the end")
    finally:
        for server in servers:
            server.end()
    return account.table


def main(count: int, *parts: str) -> None:
    silence()
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = descriptors - 200
    if "restarts" in parts:
        print(asyncio.run(restarts(min(count, most))).markdown(), flush=True)
    if "rolling" not in parts:
        return
    if shutil.which("haproxy", path=f"/usr/sbin:{os.environ['PATH']}") is None:
        print("rolling restart: not run, there is no haproxy")
        return
    # haproxy has two descriptors for each connection, and refuses to start with too few of them.
    print(asyncio.run(rolling(min(count, most // 2 - 100))).markdown())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2]), float(sys.argv[3])))
    else:
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 10_000,
            *(sys.argv[2:] or ("restarts", "rolling")),
        )
