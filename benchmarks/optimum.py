"""What bare aiohttp takes for connections that are lost and come back: the optimum of a return.

    python benchmarks/optimum.py CONNECTIONS [--rare] [--haproxy]

The program dials `AT_ONCE` at a time, reads from each connection until it ends, and is told the
moment at which the server is back: it never waits, and never dials in vain. It opens all at once,
and again after each outage; each line of its input asks for one of so many seconds, and each line
of its output tells what one return took. It ends with its input. With `--rare` it has the
thresholds of Python's collector that docs/embedding.md recommends for many engines.
"""

import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
from backend import Server, behind_haproxy
from collector import RARE, collect_rarely
from tally import Tally

AT_ONCE = 200
HAPROXY = "--haproxy"
"""The option of the program whose connections go to two servers behind haproxy, with no outage."""


class Return(NamedTuple):
    """Of as many connections as the program has."""

    seconds: float
    """Until the last one is open."""
    cpu: float
    """Seconds of CPU of the program."""
    memory: float
    """Bytes of a connection then."""

    def __str__(self) -> str:
        return (
            f"bare aiohttp: {self.seconds:.2f} s ({self.cpu:.2f} of CPU), "
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
        self._before = resident()
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

    async def _back(self) -> None:
        """Open all, and print what that took."""
        since, cpu = time.monotonic(), time.process_time()
        self._up.set()
        await self._tally.all.wait()
        seconds, cpu = time.monotonic() - since, time.process_time() - cpu
        self._up.clear()  # who loses its connection waits for the server
        memory = (resident() - self._before) / self._count
        print(json.dumps(Return(seconds, cpu, memory)), flush=True)

    async def run(self, server: Server | None) -> None:
        """Open all; then kill the server for so many seconds with each line of the input."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            tasks = [asyncio.create_task(self._connection(session)) for _ in range(self._count)]
            await asyncio.sleep(0)
            gc.collect()
            await self._back()
            while line := await asyncio.to_thread(sys.stdin.readline):
                assert server is not None
                gc.collect()
                server.end()
                await self._tally.none.wait()
                await asyncio.sleep(float(line))
                await asyncio.to_thread(server.start)
                await self._back()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Optimum:
    """The program, in a process of its own: it has returns for us to compare with."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def told(self) -> Return:
        """Return what the next return took, and print it."""
        assert self._process.stdout is not None
        found = Return(*json.loads(self._process.stdout.readline()))
        print(found, flush=True)
        return found

    def outage(self, seconds: float) -> Return:
        """Have an outage of so many seconds, and return what the return took."""
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)
        return self.told()


@contextmanager
def optimum(count: int, *options: str) -> Iterator[Optimum]:
    """Run the program beside us, with these options."""
    command = [sys.executable, __file__, str(count), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Optimum(process)


def main(count: int, options: Sequence[str]) -> None:
    if RARE in options:
        collect_rarely()
    if HAPROXY in options:
        with behind_haproxy(count) as (_, port):
            asyncio.run(Bare(count, f"http://127.0.0.1:{port}/").run(None))
        return
    server = Server()
    server.start()
    try:
        asyncio.run(Bare(count, f"http://127.0.0.1:{server.port}/").run(server))
    finally:
        server.end()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
