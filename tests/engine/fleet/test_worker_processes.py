"""Ten thousand keys over real processes that join, leave and are killed, with a real Redis."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from recloser.fleet.rendezvous import Assignment
from tests.engine.fleet.redis_server import RedisServer, until

pytestmark = pytest.mark.fleet

ROOT = Path(__file__).parents[3]
COUNT = 10_000
TTL = 3.0


class Process:
    """One worker in a process of its own, and what it said last."""

    def __init__(self, url: str, name: str) -> None:
        arguments = url, name, str(TTL), str(COUNT)
        self.name = name
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.fleet.worker_node", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await asyncio.to_thread(self.process.stdout.readline):
            self.said = line.decode().strip()
        self.process.stdout.close()

    async def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        await self._reader
        self.process.wait()


@asynccontextmanager
async def processes(url: str, *names: str) -> AsyncIterator[dict[str, Process]]:
    found = {name: Process(url, name) for name in names}
    try:
        async with asyncio.timeout(120):
            yield found
    finally:
        for each in found.values():
            await each.end(signal.SIGKILL)


async def agree(found: dict[str, Process]) -> dict[str, int]:
    """Wait until each process has its share among all of them; return the sizes."""
    assignment = Assignment(f"subscription/{number}" for number in range(COUNT))
    assignment.change(found)
    sizes = {name: len(assignment.of(name)) for name in found}

    async def agreed() -> bool:
        names = " ".join(sorted(found))
        return all(each.said == f"{sizes[name]} {names}" for name, each in found.items())

    await until(agreed)
    assert sum(sizes.values()) == COUNT
    return sizes


@pytest.mark.spec("O6.1", "O6.2", "O6.3")
async def test_shares_move_when_a_process_is_killed_leaves_or_joins(
    tmp_path: Path, program: str
) -> None:
    async with (
        RedisServer(program, tmp_path) as server,
        processes(server.url, "one", "two", "three", "four") as found,
    ):
        before = await agree(found)
        assert max(before.values()) <= 1.2 / 4 * COUNT
        await found.pop("one").end(signal.SIGKILL)
        after = await agree(found)
        assert sum(after[name] - before[name] for name in after) == before["one"]
        await found.pop("two").end(signal.SIGTERM)
        await agree(found)
        found["five"] = Process(server.url, "five")
        assert (await agree(found))["five"] <= 1.2 / 3 * COUNT
