"""Resident memory per idle connection, each kind in a fresh process."""

import asyncio
import gc
import os
import random
import resource
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
from harness import AGAIN
from peers import ENGINE, ENGINE_PICOWS, PICOWS, RAW, WEBSOCKETS, server, silence
from table import Table

import recloser

GOAL = 0.0
BATCH = 50
STATM = Path("/proc/self/statm")
LENT = f"{ENGINE}, a session lent to all"
SHARED = f"{ENGINE}, none lent"
KINDS = (RAW, RAW + AGAIN, LENT, SHARED, WEBSOCKETS, ENGINE_PICOWS, PICOWS)
PACKAGES = {WEBSOCKETS: "websockets", ENGINE_PICOWS: "picows", PICOWS: "picows"}
GOALS = dict.fromkeys((LENT, SHARED, ENGINE_PICOWS), GOAL)


def tables(scale: float) -> list[Table]:
    """Measure each kind three times in turn; nothing where the system does not tell."""
    if not STATM.exists():
        return []
    count = max(BATCH, int(2000 * scale))
    kinds = [kind for kind in KINDS if kind not in PACKAGES or find_spec(PACKAGES[kind])]
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    with server("/idle") as url:
        for _ in range(3 if scale >= 1 else 1):
            for kind in random.Random(0).sample(kinds, len(kinds)):
                found[kind].append(_child(kind, url, count))
    base = statistics.median(found[RAW])
    table = Table(
        f"Memory, {count} idle connections, RSS",
        ["KiB a connection", "over aiohttp, KiB"],
        judged="KiB over aiohttp",
    )
    for kind, values in found.items():
        size = statistics.median(values)
        table.add(
            kind,
            f"{size:.2f}",
            f"{size - base:+.2f}",
            judged=size - base,
            goal=GOALS.get(kind),
        )
    return [table]


def _child(kind: str, url: str, count: int) -> float:
    command = [sys.executable, __file__, kind, url, str(count)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


async def _grow(kind: str, url: str, count: int) -> float:
    """Open `count` connections; how many KiB of resident memory each one took."""
    async with AsyncExitStack() as stack:
        make = await _maker(kind, url, stack)
        kept = [await make()]
        stack.push_async_callback(_close, kept)
        gc.collect()
        before = resident()
        for _ in range(count // BATCH):
            kept += await asyncio.gather(*(make() for _ in range(BATCH)))
        await asyncio.sleep(0.5)
        gc.collect()
        return (resident() - before) / 1024 / (len(kept) - 1)


async def _close(kept: list[object]) -> None:
    for each in kept:
        if isinstance(each, recloser.ReconnectingWebSocket):
            await each.close()


async def _maker(kind: str, url: str, stack: AsyncExitStack) -> Callable[[], Awaitable[object]]:
    if kind == WEBSOCKETS:
        from websockets.asyncio.client import connect

        async def peer() -> object:
            return await stack.enter_async_context(connect(url, compression=None, proxy=None))

        return peer
    if kind == PICOWS:
        from picows.websockets.asyncio.client import connect as open_picows

        async def bare() -> object:
            return await stack.enter_async_context(open_picows(url, compression=None, proxy=None))

        return bare
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    )
    if kind.startswith(RAW):

        async def raw() -> object:
            return await session.ws_connect(url)

        return raw
    # Open for longer than `stable`, as an idle connection is; that is ten seconds by default.
    timeouts = recloser.Timeouts(stable=0.2)

    async def engine() -> object:
        lent = session if kind == LENT else None
        name: Any = "picows" if kind == ENGINE_PICOWS else "aiohttp"
        made = recloser.connect(url, session=lent, timeouts=timeouts, transport=name)
        made.connect()
        await made.wait_for(recloser.State.OPEN)
        return made

    return engine


def resident() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    silence()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print(asyncio.run(_grow(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
