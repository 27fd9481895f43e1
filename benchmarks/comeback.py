"""CPU of coming back: from the loss over one refused dial to open, each kind in a fresh process."""

import asyncio
import gc
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import aiohttp
from harness import AGAIN
from peers import ENGINE, RAW, server, silence
from table import Table

import recloser
from recloser.fsm import Context, Decision, Retry

GOAL = 1.15
BATCH = 50
LOOP = f"a loop over {RAW}"
KINDS = (LOOP, LOOP + AGAIN, ENGINE)
AWAY = 4.0
"""Seconds for which dials are refused, and from a refused dial to the next. The first dials are
spread over the first half of them."""


def tables(scale: float) -> list[Table]:
    """Measure each kind three times in turn; the loop is the base."""
    count = max(BATCH, int(2000 * scale))
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(3 if scale >= 1 else 1):
        for kind in random.Random(0).sample(KINDS, len(KINDS)):
            with server("/") as url:
                found[kind].append(_child(kind, url, count, AWAY * max(0.1, min(1.0, scale))))
    base = statistics.median(found[LOOP])
    table = Table(
        f"Coming back, {count} connections, one refused dial each",
        ["ms of CPU a connection", "to the loop"],
        judged="CPU to the loop",
    )
    for kind, values in found.items():
        took = statistics.median(values)
        goal = GOAL if kind == ENGINE else None
        table.add(kind, f"{took:.2f}", f"{took / base:.3f}", judged=took / base, goal=goal)
    return [table]


def _child(kind: str, url: str, count: int, away: float) -> float:
    command = [sys.executable, __file__, kind, url, str(count), str(away)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


class Count:
    """How many connections are open for the second time."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._opens = 0
        self.first, self.second = asyncio.Event(), asyncio.Event()

    def opened(self) -> None:
        """Count one that has opened."""
        self._opens += 1
        if self._opens == self._wanted:
            self.first.set()
        if self._opens == 2 * self._wanted:
            self.second.set()


async def _plain(
    session: aiohttp.ClientSession, url: str, delays: Iterator[float], opened: Callable[[], None]
) -> None:
    """Do what an application does that reconnects by itself."""
    while True:
        try:
            async with session.ws_connect(url) as ws:
                opened()
                async for _ in ws:
                    pass
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(next(delays))


class Policy:
    """Waits as the plain loop does."""

    def __init__(self, delays: Iterator[float]) -> None:
        self._delays = delays

    def decide(self, close: recloser.Close, context: Context) -> Decision:
        """Redial after the next delay."""
        del close, context
        return Retry(next(self._delays))


async def _comeback(kind: str, url: str, count: int, away: float) -> float:
    """Restart the server under `count` connections; the milliseconds of CPU that each took."""
    counted = Count(count)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        control = await stack.enter_async_context(session.ws_connect(f"{url}restart"))
        tasks = []
        for number in range(count):
            delays = iter((away * number / count / 2, *(away,) * 9))
            if kind == ENGINE:
                tasks.append(asyncio.create_task(_engine(session, url, delays, counted.opened)))
            else:
                plain = _plain(session, f"{url}idle", delays, counted.opened)
                tasks.append(asyncio.create_task(plain))
            if number % BATCH == 0:
                await asyncio.sleep(0.02)
        await counted.first.wait()
        await asyncio.sleep(0.5)
        gc.collect()
        before = time.process_time()
        await control.send_str(f"{away}")
        await counted.second.wait()
        used = time.process_time() - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return 1000 * used / count


async def _engine(
    session: aiohttp.ClientSession, url: str, delays: Iterator[float], opened: Callable[[], None]
) -> None:
    def count(change: recloser.StateChange) -> None:
        if change.current is recloser.State.OPEN:
            opened()

    async with recloser.connect(
        f"{url}idle",
        session=session,
        policy=Policy(delays),
        timeouts=recloser.Timeouts(stable=0.2),
        observers=[count],
        governor=None,  # each makes a refused dial of its own, as the loop does
    ) as ws:
        async for _ in ws:
            pass


if __name__ == "__main__":
    silence()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print(asyncio.run(_comeback(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
