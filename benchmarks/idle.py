"""CPU of idle connections, each kind by itself, as the share of a core for 5,000."""

import asyncio
import gc
import random
import resource
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
from harness import AGAIN
from peers import ENGINE, RAW, server
from table import Table

import recloser

GOAL = 1.0
BATCH = 50
OF = 5000
PARKED = f"{ENGINE}, a consumer waits, nothing is due"
ALONE = f"{ENGINE}, nobody consumes, nothing is due"
PINGS = f"{ENGINE}, a ping every 20 s"
RAW_PINGS = f"{RAW}, a ping every 20 s"
KINDS = (RAW, RAW + AGAIN, PARKED, ALONE, RAW_PINGS, PINGS)
INTERVAL = 20.0


def tables(scale: float) -> list[Table]:
    """Measure each kind once; those with pings for a whole interval."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    count = max(BATCH, int(2000 * scale))
    table = Table(
        f"Idle, {count} connections", [f"% of a core for {OF}"], judged=f"% of a core for {OF}"
    )
    with server("/idle") as url:
        found = dict.fromkeys(KINDS, 0.0)
        for kind in random.Random(0).sample(KINDS, len(KINDS)):
            found[kind] = asyncio.run(_share(kind, url, count, min(1.0, scale)))
    for kind, share in found.items():
        goal = GOAL if kind in (PARKED, ALONE) else None
        table.add(kind, f"{share:.2f}", judged=share, goal=goal)
    return [table]


async def _share(kind: str, url: str, count: int, scale: float) -> float:
    """Open `count` connections and leave them alone; the percentage of a core for 5,000."""
    pinging = kind in (PINGS, RAW_PINGS)
    seconds = INTERVAL if pinging else 10.0
    async with AsyncExitStack() as stack:
        make = await _maker(kind, url, stack)
        kept: list[object] = []
        for _ in range(count // BATCH):
            kept += await asyncio.gather(*(make() for _ in range(BATCH)))
        await asyncio.sleep(3.0 * scale)  # beyond `stable`, and beyond what the opening began
        gc.collect()
        before, began = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds * scale)
        used, took = time.process_time() - before, time.monotonic() - began
        for each in kept:
            if isinstance(each, asyncio.Task):
                each.cancel()
        return 100 * used / took * OF / count


async def _maker(kind: str, url: str, stack: AsyncExitStack) -> Callable[[], Awaitable[object]]:
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    )
    if kind.startswith(RAW):
        beat = INTERVAL if kind == RAW_PINGS else None

        async def raw() -> object:
            opened = await session.ws_connect(url, heartbeat=beat)
            return asyncio.create_task(opened.receive())

        return raw
    heartbeat = recloser.Heartbeat(interval=INTERVAL if kind == PINGS else 3600.0)
    timeouts = recloser.Timeouts(stable=0.2)

    async def engine() -> object:
        made = recloser.connect(url, session=session, timeouts=timeouts, heartbeat=heartbeat)
        stack.push_async_callback(made.close)
        made.connect()
        await made.wait_for(recloser.State.OPEN)
        return made if kind == ALONE else asyncio.create_task(made.receive())

    return engine
