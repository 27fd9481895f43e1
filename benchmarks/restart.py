"""Ten thousand engines and the restarts of their server: python benchmarks/restart.py [ENGINES].

The server is a process of its own. It is killed and away for three seconds, killed and away for
thirty, killed and back at a tenth of its capacity, and restarted twice, one half after the other,
behind haproxy if that is installed. The optimum is what the server takes: a program that dials
without a pause, as many at a time as it likes, or the capacity where the server has one.
`make fleet` runs it; the run takes about five minutes and ends by itself.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from peers import silence
from table import Table

import recloser
from recloser.admission import Admission, aiohttp_admission

GOAL = 1.2
AT_ONCE = 200
MOST = 120.0
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

    app = web.Application()
    app.router.add_get("/", feed)
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
        """When each of the latest return was open, on the clock of `time.monotonic`."""
        self._all = asyncio.Event()
        self._none = asyncio.Event()
        self.engines = [recloser.connect(url, observers=[self._note]) for _ in range(count)]

    def _note(self, change: recloser.StateChange) -> None:
        if change.current is recloser.State.OPEN:
            self.open += 1
            self.moments.append(time.monotonic())
        elif change.previous is recloser.State.OPEN:
            self.open -= 1
        for event, wanted in ((self._all, len(self.engines)), (self._none, 0)):
            event.set() if self.open == wanted else event.clear()

    async def back(self) -> None:
        """Wait until every engine is open."""
        async with asyncio.timeout(MOST):
            await self._all.wait()

    async def gone(self) -> None:
        """Wait until no engine is open."""
        async with asyncio.timeout(MOST):
            await self._none.wait()

    async def close(self) -> None:
        await asyncio.gather(*(ws.close() for ws in self.engines))


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

    def __init__(self, count: int) -> None:
        self._count = count
        self.table = Table(
            f"{count:,} engines come back",
            ["optimum s", "half s", "99 % s", "all s", "to the optimum", "CPU ms an engine"],
            judged="to the optimum",
        )

    def add(self, name: str, since: float, cpu: float, optimum: float, crowd: Crowd) -> None:
        spent = time.process_time() - cpu
        moments = sorted(each - since for each in crowd.moments[-self._count :])
        whole = moments[-1]
        cells = (optimum, statistics.median(moments), moments[len(moments) * 99 // 100], whole)
        figures = [f"{each:.2f}" for each in cells]
        ratio = whole / optimum
        self.table.add(
            name, *figures, f"{ratio:.2f}", f"{spent / self._count * 1e3:.2f}",
            judged=ratio, goal=GOAL,
        )  # fmt: skip


# -- the restarts -------------------------------------------------------------------------


async def restarts(count: int) -> Table:
    """Kill the server in three ways; behind haproxy restart one half after the other."""
    account, server = Account(count), Server()
    server.start()
    try:
        optimum = await without_a_pause(count, f"http://127.0.0.1:{server.port}/")
        crowd = Crowd(count, f"ws://127.0.0.1:{server.port}/")
        since, cpu = time.monotonic(), time.process_time()
        for ws in crowd.engines:
            ws.connect()
        await crowd.back()
        account.add("first connection", since, cpu, optimum, crowd)
        before = held()
        for away, capacity in ((3.0, 0.0), (30.0, 0.0), (3.0, count / optimum / 10)):
            server.end()
            await crowd.gone()
            await asyncio.sleep(away)
            cpu = time.process_time()
            server.start(capacity)
            since = time.monotonic()
            await crowd.back()
            name = f"killed, away for {away:g} s"
            if capacity:
                name += f", back at {capacity:.0f} a second"
            account.add(name, since, cpu, count / capacity if capacity else optimum, crowd)
        await asyncio.sleep(1.0)
        after = held()
        print(f"descriptors and tasks: {before} when open at first, {after} at the end")
        await crowd.close()
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
        process = subprocess.Popen([program, "-db", "-f", str(file)], stderr=subprocess.DEVNULL)
        try:
            yield f"ws://127.0.0.1:{front}/"
        finally:
            process.terminate()
            process.wait()


async def rolling(count: int) -> Table:
    """Restart two servers behind haproxy, one after the other, by SIGTERM and with a drain."""
    account = Account(count)
    servers = (Server(), Server())
    for server in servers:
        server.start()
    try:
        with haproxy(servers[0].port, servers[1].port, count + 100) as url:
            await asyncio.sleep(1.0)
            crowd = Crowd(count, url)
            since, cpu = time.monotonic(), time.process_time()
            for ws in crowd.engines:
                ws.connect()
            await crowd.back()
            optimum = time.monotonic() - since
            account.add("first connection through haproxy", since, cpu, optimum, crowd)
            for number, server in enumerate(servers, start=1):
                since, cpu = time.monotonic(), time.process_time()
                await asyncio.to_thread(server.end, signal.SIGTERM)
                await asyncio.to_thread(server.start)
                await crowd.back()
                # The drain asks to come back within ten seconds, and takes two itself.
                account.add(f"rolling restart, server {number}", since, cpu, 12.0, crowd)
            await crowd.close()
    finally:
        for server in servers:
            server.end()
    return account.table


def main(count: int) -> None:
    silence()
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = descriptors - 200
    print(asyncio.run(restarts(min(count, most))).markdown())
    if shutil.which("haproxy", path=f"/usr/sbin:{os.environ['PATH']}") is None:
        print("rolling restart: not run, there is no haproxy")
        return
    # haproxy has two descriptors for each connection.
    print(asyncio.run(rolling(min(count, most // 2))).markdown())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2]), float(sys.argv[3])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
