"""What bare aiohttp takes for connections that are lost and come back: the optimum of a return.

The program dials `AT_ONCE` at a time, reads from each connection until it ends, and is told the
moment at which the server is back: it never waits, and never dials in vain.
"""

import asyncio
import gc
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
from backend import Server, behind_haproxy
from tally import Tally

AT_ONCE = 200
SETTLED = 11.0
"""Seconds from one return to the next outage: an engine counts as stable after ten."""


class Return(NamedTuple):
    """Of as many connections as the program has."""

    seconds: float
    """Until the last one is open."""
    cpu: float
    """Seconds of CPU of this process."""

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.cpu:.2f} of CPU)"


class Optimum(NamedTuple):
    """What one run of the program took."""

    first: Return
    returns: list[Return]
    """One for each outage."""
    memory: float
    """Bytes of a connection when all are open at first."""

    def __str__(self) -> str:
        return (
            f"bare aiohttp: {self.first}, then {', '.join(map(str, self.returns)) or 'no return'}; "
            f"{self.memory / 1e3:.1f} kB a connection"
        )


def resident() -> int:
    """Bytes of memory that this process has in use."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


class Bare:
    """The connections."""

    def __init__(self, count: int, url: str) -> None:
        self._count, self._url = count, url
        self._up = asyncio.Event()
        self._free = asyncio.Semaphore(AT_ONCE)
        self._tally = Tally(count)

    async def _connection(self, session: aiohttp.ClientSession) -> None:
        while True:
            await self._up.wait()
            async with self._free:
                ws = await session.ws_connect(self._url)
            self._tally.add(1)
            async for _ in ws:
                pass
            self._tally.add(-1)

    async def _back(self) -> Return:
        since, cpu = time.monotonic(), time.process_time()
        self._up.set()
        await self._tally.all.wait()
        took = Return(time.monotonic() - since, time.process_time() - cpu)
        self._up.clear()  # who loses its connection waits for the server
        return took

    async def run(self, server: Server | None, outages: Sequence[float]) -> Optimum:
        """Open all; then kill the server once for each outage, of so many seconds."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            before = resident()
            tasks = [asyncio.create_task(self._connection(session)) for _ in range(self._count)]
            await asyncio.sleep(0)
            gc.collect()
            first = await self._back()
            memory = (resident() - before) / self._count
            returns = []
            for away in outages:
                assert server is not None
                await asyncio.sleep(SETTLED)
                gc.collect()
                server.end()
                await self._tally.none.wait()
                await asyncio.sleep(away)
                await asyncio.to_thread(server.start)
                returns.append(await self._back())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return Optimum(first, returns, memory)


def optimum(count: int, outages: Sequence[float]) -> Optimum:
    """Run the program in this process, against a server of its own in another."""
    server = Server()
    server.start()
    try:
        bare = Bare(count, f"http://127.0.0.1:{server.port}/")
        return asyncio.run(bare.run(server, outages))
    finally:
        server.end()


def optimum_through_haproxy(count: int) -> Optimum:
    """Run the program in this process: the first connection to two servers behind haproxy."""
    with behind_haproxy(count) as (_, port):
        bare = Bare(count, f"http://127.0.0.1:{port}/")
        return asyncio.run(bare.run(None, ()))
