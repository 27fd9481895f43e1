"""Twenty engines of every kind against a server that misbehaves, and an application that acts."""

import asyncio
import gc
import random
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import recloser
from recloser import Acknowledgements, Outbox, Timeouts, policies
from recloser.fsm.change import StateChange
from recloser.inspector import Inspector
from recloser.inspector.inspector import RECENT
from recloser.journal import Journal
from recloser.statistics import CloseStatistics
from tests.field.life import pause
from tests.field.ports import reserved

ENGINES = 20
WAITING = 20
"""Messages that an outbox holds: it is full soon, so what it holds does not grow for long."""
_ACKNOWLEDGED = re.compile(r"#(\d+) ")


def acknowledged(message: str | bytes) -> int | None:
    """The server echoes: that is an acknowledgement."""
    found = _ACKNOWLEDGED.match(message) if isinstance(message, str) else None
    return None if found is None else int(found[1])


def numbered(message: Any) -> str:
    return f"#{message.id} {message.data}"


class Server:
    """The process of `weather.py`, on one port through all its lives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, seed: int) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", "tests.soak.weather"),
            *(str(self.port), str(seed)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line == b"ready\n", "the server did not start"

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.communicate()


class Service:
    """What runs: engines, consumers, senders, and the acts of the application and the world."""

    def __init__(self, dice: random.Random, folder: Path, port: int) -> None:
        self.dice = dice
        self.changes = 0
        self.sent = 0
        self.received = 0
        self.inspector = Inspector()
        self.closes = CloseStatistics()
        self.journal = Journal(folder / "journal.jsonl")
        self.engines = [self._engine(number, folder, port) for number in range(ENGINES)]

    def _engine(self, number: int, folder: Path, port: int) -> recloser.ReconnectingWebSocket:
        acks = Acknowledgements(matcher=acknowledged, render=numbered, timeout=5.0)
        path = folder / f"outbox-{number}.db" if number % 4 == 0 else None
        ws = recloser.connect(
            f"ws://127.0.0.1:{port}/?client={number}",
            transport="picows" if number % 2 else "aiohttp",
            outbox=Outbox(path=path, acknowledgements=acks, max_messages=WAITING),
            policy=policies.standard() if number % 3 else policies.basic(),
            heartbeat=recloser.Heartbeat(1.0, 1.0),
            timeouts=Timeouts(connect=3.0, close=1.0, stable=2.0),
            observers=[self._count, self.closes, self.journal.bind(f"engine {number}")],
            when_full="drop-oldest" if number % 5 == 0 else "pause",
            max_age=(3.0, 9.0) if number % 7 == 0 else None,
            seed=self.dice.randrange(2**32),
        )
        self.inspector.watch(f"engine {number}", ws)
        return ws

    def _count(self, change: StateChange) -> None:
        self.changes += 1

    async def consume(self, ws: recloser.ReconnectingWebSocket) -> None:
        """Receive as an application does, and come back whatever ended the engine."""
        while True:
            with suppress(recloser.RecloserError, TimeoutError):  # no descriptor for a file, too
                ws.connect()
                while True:
                    async with asyncio.timeout(self.dice.choice((0.01, 5.0, 60.0))):
                        await ws.receive()
                        self.received += 1
            await pause(0.2)

    async def send(self, ws: recloser.ReconnectingWebSocket) -> None:
        while True:
            with suppress(recloser.RecloserError, ConnectionError):
                await ws.send("x" * self.dice.choice((1, 100, 10_000)))
                self.sent += 1
            await pause(self.dice.expovariate(5.0))

    async def act(self) -> None:
        """What an application asks for, at any moment."""
        while True:
            ws = self.dice.choice(self.engines)
            with suppress(recloser.ConnectionClosed):  # no descriptor was left to connect again
                await self._do(ws)
            await pause(self.dice.expovariate(2.0))
            with suppress(recloser.OutboxUnusable):  # no descriptor is left for its file
                ws.connect()

    async def _do(self, ws: recloser.ReconnectingWebSocket) -> None:
        match self.dice.randrange(6):
            case 0:
                ws.reconnect()
            case 1:
                await ws.suspend()
            case 2:
                await ws.close()
            case 3:
                ws.fail("the feed is stale")
            case 4:
                with suppress(recloser.RecloserError):
                    await ws.move()
            case _:
                ws.wake()


async def world(server: Server, dice: random.Random) -> None:
    """The server stalls, dies and comes back; now and then no descriptor is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    while True:
        await pause(dice.uniform(3.0, 12.0))
        match dice.randrange(3):
            case 0:
                server.signal(signal.SIGSTOP)
                await pause(dice.uniform(0.5, 4.0))
                server.signal(signal.SIGCONT)
            case 1:
                await server.kill()
                await pause(dice.uniform(0.0, 2.0))
                await server.start(dice.randrange(1, 2**31))
            case _:
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
                try:
                    await pause(1.5)
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def live(
    folder: Path, seconds: float, seed: int, sample: Callable[[int], None], every: float
) -> dict[str, int]:
    """Run it all for some seconds, then let it settle; raises `AssertionError` for what is lost."""
    with reserved(1) as [port]:
        server = Server(port)
        try:
            return await _live(server, folder, seconds, seed, sample, every)
        finally:
            await server.kill()


async def _live(
    server: Server,
    folder: Path,
    seconds: float,
    seed: int,
    sample: Callable[[int], None],
    every: float,
) -> dict[str, int]:
    dice = random.Random(seed)
    await server.start(dice.randrange(1, 2**31))
    service = Service(dice, folder, server.port)
    work = [
        asyncio.ensure_future(each)
        for ws in service.engines
        for each in (service.consume(ws), service.send(ws))
    ]
    acts = [asyncio.ensure_future(service.act()), asyncio.ensure_future(world(server, dice))]
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await pause(every)
        for task in (*work, *acts):
            if task.done():
                raise AssertionError("a part of the service ended") from task.exception()
        if service.changes > RECENT:  # all that remembers a number of changes is full
            sample(sum(ws.state.live for ws in service.engines))
    await cancelled(acts)
    await server.kill()
    await server.start(0)
    await cancelled(work)
    async with asyncio.timeout(120):
        for ws in service.engines:
            consumer = asyncio.ensure_future(service.consume(ws))
            await ws.drain()
            await cancelled([consumer])
            assert len(ws.outbox) == 0, "not all that was accepted was acknowledged"
            await ws.close()
    service.journal.close()
    await server.kill()
    await pause(1.5)  # what lingers may linger for half a second
    gc.collect()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others, others
    return {
        "changes": service.changes,
        "opens": sum(ws.statistics().opens for ws in service.engines),
        "sent": service.sent,
        "received": service.received,
    }


async def cancelled(tasks: list["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
