"""Leases on real processes, a real Redis server, and real signals.

The server of the WebSocket keeps every frame with the fencing number of its connection. At its
end each test has seen the numbers rise, and no frame of an old holder after a newer one.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis import asyncio as redis

from tests.engine.fleet.redis_server import RedisServer, until
from tests.engine.fleet.resource import Connection, Proxy, Resource, resource
from tests.engine.rig import pass_time

pytestmark = pytest.mark.fleet

TTL = 3.0
ROOT = Path(__file__).parents[3]


def now() -> float:
    return asyncio.get_running_loop().time()


class Lag:
    """How late this machine is: the longest delay of a timer of this process."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._task = asyncio.ensure_future(self._measure())

    async def _measure(self) -> None:
        while True:
            begun = now()
            await pass_time(0.05)
            self.worst = max(self.worst, now() - begun - 0.05)

    def stop(self) -> None:
        self._task.cancel()


class Node:
    """One process of the fleet."""

    def __init__(self, url: str, server: str, replicas: int = 0) -> None:
        arguments = url, server, str(TTL), str(replicas)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.fleet.node", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.said: list[str] = []
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await asyncio.to_thread(self.process.stdout.readline):
            self.said.append(line.decode().rstrip())
        self.process.stdout.close()

    async def rests(self, since: int = 0) -> None:
        """Wait until it says that it is a standby, after so many lines."""

        async def standby() -> bool:
            assert self.process.poll() is None, self.said
            return any(line.startswith("passive") for line in self.said[since:])

        await until(standby)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self) -> None:
        self.process.kill()
        await self._reader
        self.process.wait()


class Fleet:
    """Nodes, their Redis and their server."""

    def __init__(self, server: Resource, lag: Lag) -> None:
        self.server = server
        self.lag = lag
        self.nodes: list[Node] = []

    async def holder_and_standby(
        self, first: str, second: str, replicas: int = 0
    ) -> tuple[Node, Node, Connection]:
        """Start two processes, the holder first, over their ways to Redis."""
        holder = Node(self.server.url, first, replicas)
        self.nodes.append(holder)
        connection = await self.server.opened(1)
        standby = Node(self.server.url, second, replicas)
        self.nodes.append(standby)
        await standby.rests()
        return holder, standby, connection

    async def next_opens(self, since: float, count: int = 2) -> Connection:
        """The next holder is open within lease + 1 s, and what this machine is late."""
        self.lag.worst = 0.0
        following = await self.server.opened(count)
        took = following.opened - since
        print(f"open {took:.2f} s after; lease {TTL} s; lag {self.lag.worst:.2f} s")
        assert took < TTL + 1 + 5 * self.lag.worst
        return following


@asynccontextmanager
async def fleet() -> AsyncIterator[Fleet]:
    async with resource() as server:
        found = Fleet(server, Lag())
        try:
            async with asyncio.timeout(120):
                yield found
        finally:
            found.lag.stop()
            for node in found.nodes:
                await node.end()


@pytest.mark.spec("O1.2", "O3.1", "O3.2")
async def test_a_holder_that_is_killed(tmp_path: Path, program: str) -> None:
    async with RedisServer(program, tmp_path) as store, fleet() as one:
        holder, _, first = await one.holder_and_standby(store.url, store.url)
        holder.signal(signal.SIGKILL)
        following = await one.next_opens(now())
        assert following.opened > first.last


@pytest.mark.spec("O1.3")
async def test_a_holder_that_leaves(tmp_path: Path, program: str) -> None:
    async with RedisServer(program, tmp_path) as store, fleet() as one:
        holder, _, first = await one.holder_and_standby(store.url, store.url)
        await pass_time(1.1)  # dials start a second apart
        holder.signal(signal.SIGTERM)
        await one.next_opens(now())
        assert first.frames[-1][1].startswith("CLOSE 1000")


@pytest.mark.spec("O2.3", "O1.2")
async def test_a_holder_that_is_stopped_and_wakes_too_late(tmp_path: Path, program: str) -> None:
    async with RedisServer(program, tmp_path) as store, fleet() as one:
        holder, _, first = await one.holder_and_standby(store.url, store.url)
        await pass_time(0.5)
        lines = len(holder.said)
        holder.signal(signal.SIGSTOP)
        stopped = now()
        following = await one.next_opens(stopped)
        frames = len(first.frames)
        assert following.opened - first.last > TTL / 2
        await pass_time(0.5)
        assert first.ended is None
        holder.signal(signal.SIGCONT)
        await holder.rests(lines)

        async def gone() -> bool:
            return first.ended is not None

        await until(gone)
        assert len(first.frames) == frames, first.frames[frames:]
        await pass_time(0.5)
        assert len(one.server.connections) == 2


@pytest.mark.spec("O4.1", "O4.4")
@pytest.mark.parametrize("kept", [False, True])
async def test_redis_is_started_anew(tmp_path: Path, program: str, kept: bool) -> None:
    options = ("--appendonly", "yes", "--appendfsync", "always") if kept else ()
    async with RedisServer(program, tmp_path, *options) as store, fleet() as one:
        holder, _, first = await one.holder_and_standby(store.url, store.url)
        store.kill()
        await pass_time(TTL / 6)
        await store.start()
        await pass_time(TTL * 1.5)
        assert first.ended is None
        assert len(one.server.connections) == 1
        holder.signal(signal.SIGKILL)
        await one.next_opens(now())


@pytest.mark.spec("O4.1", "O2.2")
async def test_redis_is_away_for_longer_than_a_lease(tmp_path: Path, program: str) -> None:
    async with RedisServer(program, tmp_path) as store, fleet() as one:
        holder, _, first = await one.holder_and_standby(store.url, store.url)
        lines = len(holder.said)
        store.kill()
        killed = now()
        await holder.rests(lines)
        assert first.last - killed < TTL
        await store.start()
        await one.next_opens(now())


@pytest.mark.spec("O4.1", "O4.2", "O2.2")
@pytest.mark.parametrize("cut", [("requests",), ("answers",), ("requests", "answers")])
async def test_redis_is_cut_off_from_the_holder(
    tmp_path: Path, program: str, cut: tuple[str, ...]
) -> None:
    async with (
        RedisServer(program, tmp_path) as store,
        Proxy(store.port).serving() as way,
        fleet() as one,
    ):
        holder, _, first = await one.holder_and_standby(way.url, store.url)
        lines = len(holder.said)
        way.cut = frozenset(cut)
        begun = now()
        await holder.rests(lines)
        assert first.last - begun < TTL
        # A renewal may have arrived whose answer did not: the lease is over a third later then.
        await one.next_opens(begun + ("requests" not in cut) * TTL)
        way.cut = frozenset()
        way.drop()
        await pass_time(TTL)
        assert len(one.server.connections) == 2


@pytest.mark.spec("O4.4", "O4.5", "O3.1")
@pytest.mark.parametrize("holder_dies", [False, True])
async def test_a_failover_to_a_replica(tmp_path: Path, program: str, holder_dies: bool) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        first = await enter(RedisServer(program, tmp_path / "first"))
        second = await enter(
            RedisServer(program, tmp_path / "second", "--replicaof", f"127.0.0.1 {first.port}")
        )
        await second.in_step()
        # It stands ready before the lease begins: a new replica takes a good part of a ttl.
        third = await enter(
            RedisServer(program, tmp_path / "third", "--replicaof", f"127.0.0.1 {second.port}")
        )
        await third.in_step()
        ways = [await enter(Proxy(first.port).serving()) for _ in range(2)]
        one = await enter(fleet())
        holder, _, held = await one.holder_and_standby(ways[0].url, ways[1].url, replicas=1)
        first.kill()
        async with redis.Redis(port=second.port) as client:
            await client.replicaof("NO", "ONE")
        await third.in_step()
        if holder_dies:
            holder.signal(signal.SIGKILL)
        promoted = now()
        for way in ways:
            way.target = second.port
            way.drop()
        if holder_dies:
            await one.next_opens(promoted)
        else:
            await pass_time(2 * TTL)
            assert held.ended is None
            assert len(one.server.connections) == 1
