"""Ten thousand engines and the restarts of their server.

    python benchmarks/restart.py [ENGINES [ROUNDS [restarts | rolling]]] [--rare]

The server is a process of its own. It is killed and away for three seconds, killed and away for
thirty, killed so that dials hang instead of being refused, killed and back at a half and at a tenth
of its capacity and then at all of it, and restarted twice, one half after the other, behind haproxy
if that is installed.
The optimum is bare aiohttp that loses and takes back as many connections in the same way
(`optimum`), or the capacity where the server has one. Both are open at the same time, each in a
process and with a server of its own, and take turns: the speed of a shared machine changes by a
third from one half minute to the next. Meanwhile the others are idle, so these engines ping once in
ten minutes. Three rounds are the default. The table has the medians of the rounds, and the ratio to
the optimum its range. Both collect their garbage before each outage, so that chance does not put a
full collection into one return of the two. With `--rare` both have the thresholds of Python's
collector that docs/embedding.md recommends for many engines; the server never has them.
A return in which an engine is missing after ninety seconds is printed, and misses its goal; the
run goes on. `make fleet` runs it in both ways. A round takes six minutes, and ends by itself.
"""

import asyncio
import gc
import os
import resource
import shutil
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, nullcontext, suppress
from itertools import chain
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, cast

from backend import Server, behind_haproxy, deaf
from collector import RARE, collect_rarely
from optimum import HAPROXY, Optimum, optimum, resident
from peers import silence
from table import Table
from tally import Tally

import recloser

CONNECTING, OPEN = recloser.State.CONNECTING, recloser.State.OPEN
GOAL = 1.2
ROUNDS = 3
MOST = 90.0
"""Seconds after which a return has failed."""
SETTLED = 11.0
"""Seconds from one return to the next outage: an engine counts as stable after ten."""
SHORT, LONG = 3.0, 30.0
"""Seconds of an outage."""
SHARES = (2, 10, 1)
"""The server comes back at such a part of what it took at first; after a tenth at all of it."""
SELDOM = recloser.Heartbeat(600, 20)
"""So that no engine pings while it is the turn of bare aiohttp."""
DRAIN = 12.0
"""Seconds: a drain asks to come back within ten, and takes two itself."""
PARTS = ("restarts", "rolling")


class Crowd:
    """Engines of one process, and how many of them are open."""

    def __init__(self, count: int, url: str) -> None:
        self.tally = Tally(count)
        self.moments: list[float] = []
        """When engines opened, on the clock of `time.monotonic`."""
        self.dials = 0
        self.closes = Counter[tuple[object, ...]]()
        """The ends of connections and of dials, by cause, code and status."""
        self.engines = [
            recloser.connect(url, observers=[self._note], heartbeat=SELDOM) for _ in range(count)
        ]

    def _note(self, change: recloser.StateChange) -> None:
        close = change.close
        if close is not None:
            self.closes[close.cause.value, close.code, close.status] += 1
        if change.current is CONNECTING:
            self.dials += 1
        elif change.current is OPEN:
            self.moments.append(time.monotonic())
            self.tally.add(1)
        if change.previous is OPEN:
            self.tally.add(-1)

    def mark(self) -> None:
        """Begin a return: what is counted is counted from here on."""
        self.moments.clear()
        self.closes.clear()
        self.dials = 0

    async def back(self) -> None:
        """Wait until every engine is open, or for as long as a return may take."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MOST):
                await self.tally.all.wait()

    async def gone(self) -> None:
        """Wait until no engine is open."""
        async with asyncio.timeout(MOST):
            await self.tally.none.wait()

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


class Measured(NamedTuple):
    """One return of all engines; seconds are counted from the moment the server is back."""

    name: str
    optimum: float
    half: float
    almost: float
    """Seconds until 99 of 100 are open."""
    whole: float
    """Seconds until the last one is; infinity if that took more than `MOST`."""
    cpu: float
    """Milliseconds of CPU for each engine."""
    dials: float
    """For each engine."""

    @property
    def ratio(self) -> float:
        return self.whole / self.optimum


class Account:
    """The returns of one run, and what the process holds meanwhile."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.found: list[Measured] = []
        self._before = held()
        print(f"before there is an engine: {self._before}")

    async def holds(self, when: str) -> None:
        """Print what the process holds once a return is over, and the memory of an engine."""
        await asyncio.sleep(SETTLED)
        now = held()
        each = (now.memory - self._before.memory) / self._count / 1e3
        print(f"{when}: {now}, {each:.1f} kB an engine", flush=True)

    @asynccontextmanager
    async def row(self, name: str, crowd: Crowd, optimum: float) -> AsyncIterator[None]:
        """Measure from here until every engine is open; the block begins the return."""
        crowd.mark()
        since, cpu = time.monotonic(), time.process_time()
        yield
        await crowd.back()
        spent = (time.process_time() - cpu) / self._count * 1e3
        # An engine may have opened more than once; the latest ones are those that stay.
        moments = sorted(each - since for each in crowd.moments)[-self._count :]
        if crowd.tally.open < self._count:
            print(f"{name}: {crowd.tally.open:,} of {self._count:,} are open after {MOST:g} s.")
            for close, number in crowd.closes.most_common(5):
                print(f"  {number:,} x {close}")
            moments.append(inf)
        half, almost = (moments[len(moments) * part // 100] for part in (50, 99))
        dials = crowd.dials / self._count
        self.found.append(Measured(name, optimum, half, almost, moments[-1], spent, dials))


async def restarts(count: int, bare: Optimum) -> list[Measured]:
    """Kill the server after each outage of the optimum; then let it come back with less."""
    first = (await asyncio.to_thread(bare.told)).seconds
    server = Server()
    server.start()
    account = Account(count)
    try:
        async with crowd_at(count, f"ws://127.0.0.1:{server.port}/") as crowd:
            gc.collect()
            async with account.row("first connection", crowd, first):
                crowd.connect()
            await account.holds("open at first")

            async def outage(
                seconds: float, name: str, best: float, *, capacity: float = 0.0, hang: bool = False
            ) -> None:
                gc.collect()
                server.end()
                with deaf(server.port) if hang else nullcontext():
                    await crowd.gone()
                    await asyncio.sleep(seconds)
                await asyncio.to_thread(server.start, capacity)
                async with account.row(f"killed, {name}", crowd, best):
                    pass
                await account.holds(name)

            for seconds in (SHORT, LONG, SHORT):
                told = await asyncio.to_thread(bare.outage, seconds)
                await outage(seconds, f"away for {seconds:g} s", told.seconds)
            told = await asyncio.to_thread(bare.outage, LONG)
            await outage(LONG, f"dials hang for {LONG:g} s", told.seconds, hang=True)
            for share in SHARES:
                part = f"1/{share}" if share > 1 else "all"
                name = f"back at {part} of its capacity"
                await outage(SHORT, name, first * share, capacity=count / first / share)
        await account.holds("closed")
    finally:
        server.end()
    return account.found


async def rolling(count: int, bare: Optimum) -> list[Measured]:
    """Restart two servers behind haproxy, one after the other, by SIGTERM and with a drain."""
    first = (await asyncio.to_thread(bare.told)).seconds
    with behind_haproxy(count) as (servers, port):
        account = Account(count)
        async with crowd_at(count, f"ws://127.0.0.1:{port}/") as crowd:
            gc.collect()
            async with account.row("first connection through haproxy", crowd, first):
                crowd.connect()
            await account.holds("open at first")
            for number, server in enumerate(servers, start=1):
                gc.collect()
                async with account.row(f"rolling restart, server {number}", crowd, DRAIN):
                    await asyncio.to_thread(server.end, signal.SIGTERM)
                    await asyncio.to_thread(server.start)
            await account.holds("open at the end")
        await account.holds("closed")
    return account.found


# -- the rounds ---------------------------------------------------------------------------


def a_round(part: str, count: int, *, rare: bool) -> list[Measured]:
    """Run one round of a part in this process, and its optimum beside."""
    silence()
    if rare:
        collect_rarely()
    rolls = part == "rolling"
    with optimum(count, *[RARE] * rare, *[HAPROXY] * rolls) as bare:
        return asyncio.run((rolling if rolls else restarts)(count, bare))


def table_of(title: str, rounds: list[list[Measured]]) -> Table:
    """Put the medians of the rounds together."""
    columns = ["optimum s", "half s", "99 % s", "all s", "CPU ms an engine", "dials an engine"]
    judged = "to the optimum"
    table = Table(title, [*columns, judged, "range"], judged=judged)
    by_name: dict[str, list[Measured]] = {}
    for each in chain.from_iterable(rounds):
        by_name.setdefault(each.name, []).append(each)
    for row in by_name.values():
        cells = [statistics.median(cells) for cells in list(zip(*row, strict=True))[1:]]
        ratios = sorted(each.ratio for each in row)
        ratio = statistics.median(ratios) if ratios[-1] < inf else inf
        table.add(
            row[0].name, *(f"{each:.2f}" for each in (*cells, ratio)),
            f"{ratios[0]:.2f} to {ratios[-1]:.2f}", judged=ratio, goal=GOAL,
        )  # fmt: skip
    return table


def main(count: int, rounds: int, part: str, *, rare: bool) -> None:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = descriptors - 200
    if part == "rolling":
        if shutil.which("haproxy", path=f"/usr/sbin:{os.environ['PATH']}") is None:
            print("rolling restart: not run, there is no haproxy")
            return
        # haproxy has two descriptors for each connection, and refuses to start with too few.
        most = most // 2 - 100
    count = min(count, most)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        found = [pool.submit(a_round, part, count, rare=rare).result() for _ in range(rounds)]
    title = f"{count:,} engines come back, medians of {rounds} rounds"
    print("\n" + table_of(title + rare * ", and the collector runs rarely", found).markdown())


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != RARE]
    number, times, *only = [*words, *("10000", str(ROUNDS))[len(words) :]]
    for part in only or PARTS:
        main(int(number), int(times), part, rare=RARE in sys.argv)
