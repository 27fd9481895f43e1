"""Ten thousand engines and the restarts of their server.

    python benchmarks/restart.py [ENGINES [restarts | rolling]] [--rare]

The server is a process of its own. It is killed and away for three seconds, killed and away for
thirty, killed and back at a tenth and at half of its capacity, and restarted twice, one half after
the other, behind haproxy if that is installed. The optimum is what the server takes: a program that
dials without a pause, as many at a time as it likes, or the capacity where the server has one. The
optimum is measured in a process of its own, so that engines and bare aiohttp begin with an empty
heap, and once more at the end, as the control. With `--rare` both have the thresholds of Python's
collector that docs/embedding.md recommends for many engines; the server never has them.
A return in which an engine is missing after ninety seconds is a row that says what was open, and
the run goes on. `make fleet` runs it in both ways; a run takes five minutes and ends by itself.
"""

import asyncio
import gc
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, cast

import aiohttp
from backend import Server, haproxy
from peers import silence
from table import Table

import recloser

CONNECTING, OPEN = recloser.State.CONNECTING, recloser.State.OPEN
GOAL = 1.2
AT_ONCE = 200
MOST = 90.0
"""Seconds after which a return has failed."""
SETTLED = 11.0
"""Seconds after which nothing is left of a return: an engine sets a timer for its first ten."""
PARTS = ("restarts", "rolling")
RARE = "--rare"
THRESHOLDS = (100_000, 20, 100)
"""What `gc.set_threshold` is given with `--rare`."""


# -- the engines --------------------------------------------------------------------------


class Crowd:
    """Engines of one process, and how many of them are open."""

    def __init__(self, count: int, url: str) -> None:
        self.open = 0
        self.moments: list[float] = []
        """When engines opened, on the clock of `time.monotonic`."""
        self.dials = 0
        self.closes = Counter[tuple[object, ...]]()
        """The ends of connections and of dials, by cause, code and status."""
        self._all = asyncio.Event()
        self._none = asyncio.Event()
        self.engines = [recloser.connect(url, observers=[self._note]) for _ in range(count)]

    def _note(self, change: recloser.StateChange) -> None:
        close = change.close
        if close is not None:
            self.closes[close.cause.value, close.code, close.status] += 1
        if change.current is CONNECTING:
            self.dials += 1
        elif change.current is OPEN:
            self.moments.append(time.monotonic())
            self._count(1)
        if change.previous is OPEN:
            self._count(-1)

    def _count(self, more: int) -> None:
        self.open += more
        for event, reached in (
            (self._all, self.open == len(self.engines)),
            (self._none, self.open == 0),
        ):
            event.set() if reached else event.clear()

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


class Bare(NamedTuple):
    """What bare aiohttp takes for as many connections, `AT_ONCE` dials at a time."""

    seconds: float
    cpu: float
    """Seconds of CPU."""
    memory: float
    """Bytes."""

    def per(self, count: int) -> str:
        """Return CPU and memory of one connection."""
        return f"{self.cpu / count * 1e3:.2f} ms of CPU, {self.memory / count / 1e3:.1f} kB"


async def without_a_pause(count: int, url: str) -> Bare:
    """Open connections with bare aiohttp in this process."""
    free = asyncio.Semaphore(AT_ONCE)
    connector = aiohttp.TCPConnector(limit=0)

    async def dial(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        async with free:
            return await session.ws_connect(url)

    async with aiohttp.ClientSession(connector=connector) as session:
        memory, cpu, started = resident(), time.process_time(), time.monotonic()
        opened = await asyncio.gather(*(dial(session) for _ in range(count)))
        took = Bare(time.monotonic() - started, time.process_time() - cpu, resident() - memory)
        await asyncio.gather(*(ws.close() for ws in opened))
    return took


def optimum_of(count: int, url: str, *, rare: bool) -> Bare:
    """Measure `without_a_pause` in a process of its own."""
    command = [sys.executable, __file__, "--bare", str(count), url, *([RARE] if rare else [])]
    return Bare(*json.loads(subprocess.check_output(command, text=True)))


def resident() -> int:
    """Bytes of memory that this process has in use."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


class Holdings(NamedTuple):
    """What this process has now."""

    descriptors: int
    tasks: int
    timers: int
    """What the event loop has scheduled for later and nobody has cancelled: the ticker has one for
    all engines, and an engine while it waits for the answer to a ping."""
    memory: int
    """Bytes."""

    def __str__(self) -> str:
        return (
            f"{self.descriptors:,} descriptors, {self.tasks} tasks, {self.timers} timers, "
            f"{self.memory / 1e6:.0f} MB"
        )


def held() -> Holdings:
    """Count."""
    scheduled = cast("Any", asyncio.get_running_loop())._scheduled  # noqa: SLF001 - there is no public list
    return Holdings(
        len([*Path("/proc/self/fd").iterdir()]),
        len(asyncio.all_tasks()),
        sum(not timer.cancelled() for timer in scheduled),
        resident(),
    )


class Account:
    """The rows of the table, and what the process holds meanwhile."""

    def __init__(self, count: int, url: str, *, rare: bool) -> None:
        self._count, self._url, self._rare = count, url, rare
        bare = optimum_of(count, url, rare=rare)
        self.optimum = bare.seconds
        self._before = held()
        print(f"bare aiohttp for a connection: {bare.per(count)}")
        print(f"before there is an engine: {self._before}")
        self.table = Table(
            f"{count:,} engines come back" + rare * ", and the collector runs rarely",
            [
                *("optimum s", "half s", "99 % s", "all s", "to the optimum"),
                *("CPU ms an engine", "dials an engine"),
            ],
            judged="to the optimum",
        )

    async def control(self) -> None:
        """Measure bare aiohttp once more: what differs by no more than this row says nothing."""
        bare = await asyncio.to_thread(optimum_of, self._count, self._url, rare=self._rare)
        self.table.add(
            "bare aiohttp, once more", f"{self.optimum:.2f}", "", "", f"{bare.seconds:.2f}",
            f"{bare.seconds / self.optimum:.2f}", f"{bare.cpu / self._count * 1e3:.2f}", "1.00",
            judged=None,
        )  # fmt: skip

    async def holds(self, when: str) -> None:
        """Print what the process holds once a return is over, and the memory of an engine."""
        await asyncio.sleep(SETTLED)
        now = held()
        each = (now.memory - self._before.memory) / self._count / 1e3
        print(f"{when}: {now}, {each:.1f} kB an engine")

    @asynccontextmanager
    async def row(
        self, name: str, crowd: Crowd, optimum: float | None = None
    ) -> AsyncIterator[None]:
        """Measure from here until every engine is open; the block begins the return."""
        best = self.optimum if optimum is None else optimum
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


async def restarts(count: int, *, rare: bool) -> Table:
    """Kill the server in three ways, and let it come back."""
    server = Server()
    server.start()
    url = f"http://127.0.0.1:{server.port}/"
    try:
        account = Account(count, url, rare=rare)
        async with crowd_at(count, url.replace("http", "ws")) as crowd:
            async with account.row("first connection", crowd):
                crowd.connect()
            await account.holds("open at first")
            most = count / account.optimum
            for away, capacity in ((3.0, 0.0), (30.0, 0.0), (3.0, most / 10), (3.0, most / 2)):
                server.end()
                await crowd.gone()
                await asyncio.sleep(away)
                name = f"killed, away for {away:g} s"
                if capacity:
                    name += f", back at {capacity:.0f} a second"
                await asyncio.to_thread(server.start, capacity)
                async with account.row(name, crowd, count / capacity if capacity else None):
                    pass
            await account.holds("open at the end")
        await account.holds("closed")
        server.end()
        await asyncio.to_thread(server.start)
        await account.control()
    finally:
        server.end()
    return account.table


async def rolling(count: int, *, rare: bool) -> Table:
    """Restart two servers behind haproxy, one after the other, by SIGTERM and with a drain."""
    servers = (Server(), Server())
    for server in servers:
        server.start()
    try:
        with haproxy(servers[0].port, servers[1].port, count + 100) as url:
            account = Account(count, url.replace("ws", "http", 1), rare=rare)
            async with crowd_at(count, url) as crowd:
                async with account.row("first connection through haproxy", crowd):
                    crowd.connect()
                await account.holds("open at first")
                for number, server in enumerate(servers, start=1):
                    # The drain asks to come back within ten seconds, and takes two itself.
                    name = f"rolling restart, server {number}"
                    async with account.row(name, crowd, 12.0):
                        await asyncio.to_thread(server.end, signal.SIGTERM)
                        await asyncio.to_thread(server.start)
                await account.holds("open at the end")
            await account.holds("closed")
            await account.control()
    finally:
        for server in servers:
            server.end()
    return account.table


def main(count: int, part: str, *, rare: bool) -> None:
    silence()
    if rare:
        gc.set_threshold(*THRESHOLDS)
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = descriptors - 200
    if part == "restarts":
        table = asyncio.run(restarts(min(count, most), rare=rare))
    elif shutil.which("haproxy", path=f"/usr/sbin:{os.environ['PATH']}") is None:
        print("rolling restart: not run, there is no haproxy")
        return
    else:
        # haproxy has two descriptors for each connection, and refuses to start with too few.
        table = asyncio.run(rolling(min(count, most // 2 - 100), rare=rare))
    print("\n" + table.markdown(), flush=True)


def bare(count: int, url: str, *, rare: bool) -> None:
    """Print the figures of `Bare` as JSON."""
    if rare:
        gc.set_threshold(*THRESHOLDS)
    print(json.dumps(asyncio.run(without_a_pause(count, url))))


if __name__ == "__main__":
    rare = RARE in sys.argv
    match [word for word in sys.argv[1:] if word != RARE]:
        case ["--bare", number, url]:
            bare(int(number), url, rare=rare)
        case [number, ("restarts" | "rolling") as part]:
            main(int(number), part, rare=rare)
        case words:
            # Each part has a process of its own, for the sake of its memory.
            for part in PARTS:
                command = [sys.executable, __file__, *(words or ["10000"]), part]
                subprocess.run([*command, *([RARE] if rare else [])], check=True)
