"""Accepting messages into an outbox with a file, and flushing them; beside it raw SQLite."""

import asyncio
import itertools
import sqlite3
import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiosqlite
from harness import AGAIN, Variant, median_ratio, rounds
from table import Table

import recloser
from recloser import Close, Outbox, Retry, State
from recloser.fsm import Cause
from recloser.testing import Plan, ScriptedTransport

BATCH = 1000
AIOSQLITE = "aiosqlite, one transaction"
SINGLE = 0.8
"""Of an aiosqlite transaction: one message after the other."""
FLUSH = 2.0
"""Of the flush of an outbox in memory."""
MESSAGE = "x" * 100
AT_ONCE = 8.3
"""Of one `executemany`: a third of what commit 7d1a4b0 takes, in which it is 25."""

RAW = "sqlite3, one transaction"
AWAY = Plan(
    refused=Close.cut(Cause.TCP),
)
INSERT = "INSERT INTO message (data) VALUES (?)"


class Never:
    """Dials once: what is sent stays in the outbox."""

    def decide(self, close: Close, context: recloser.Context) -> Retry:
        """Wait for ever."""
        del close, context
        return Retry(1e6)


def tables(scale: float) -> list[Table]:
    """Measure a batch, and one message after the other."""
    with TemporaryDirectory() as folder:
        batch = asyncio.run(_batch(Path(folder), max(3, int(60 * scale))))
        single = asyncio.run(_single(Path(folder), max(3, int(60 * scale))))
        flush = asyncio.run(_flush(Path(folder), max(3, int(20 * scale)), int(4500 * scale) + 500))
    return [batch, single, flush]


async def _batch(folder: Path, count: int) -> Table:
    table = Table(
        f"{BATCH} messages of {len(MESSAGE)} bytes at once into a file, {count} rounds",
        ["messages/s", "µs each, median", "ratio"],
        judged="ratio",
    )
    async with _all(folder, BATCH) as variants:
        found = await rounds(variants, count)
    for name, series in found.items():
        each = statistics.median(series.wall) / BATCH / 1e3
        ratio = median_ratio(series.wall, found[RAW].wall)
        table.add(
            name,
            f"{1e6 / each:.0f}",
            f"{each:.2f}",
            f"{ratio:.2f}",
            judged=ratio,
            goal=AT_ONCE if name.startswith("recloser, file") else None,
        )
    return table


async def _single(folder: Path, count: int) -> Table:
    table = Table(
        f"One message after the other into a file, {count} rounds",
        ["messages/s", "µs each, median", "ratio", "to aiosqlite"],
        judged="to aiosqlite",
    )
    async with _all(folder, 1) as variants:
        found = await rounds({name: _repeated(each) for name, each in variants.items()}, count)
    for name, series in found.items():
        each = statistics.median(series.wall) / 20 / 1e3
        ratio = median_ratio(series.wall, found[AIOSQLITE].wall)
        table.add(
            name,
            f"{1e6 / each:.0f}",
            f"{each:.1f}",
            f"{median_ratio(series.wall, found[RAW].wall):.2f}",
            f"{ratio:.2f}",
            judged=ratio,
            goal=SINGLE if name.startswith("recloser, file") else None,
        )
    return table


async def _flush(folder: Path, count: int, size: int) -> Table:
    """From `connect()`, which finds the connection open at once, until nothing is held."""
    memory = "recloser, memory"
    numbers = itertools.count()
    variants = {
        memory: outbox_flush(Outbox, size),
        memory + AGAIN: outbox_flush(Outbox, size),
        "recloser, file": outbox_flush(
            lambda: Outbox(path=folder / f"flush {next(numbers)}.db"), size
        ),
    }
    found = await rounds(variants, count)
    table = Table(
        f"Flush of {size} messages of {len(MESSAGE)} bytes, {count} rounds",
        ["messages/s", "µs each, median", "ratio"],
        judged="ratio",
    )
    for name, series in found.items():
        each = statistics.median(series.wall) / size / 1e3
        ratio = median_ratio(series.wall, found[memory].wall)
        table.add(
            name,
            f"{1e6 / each:.0f}",
            f"{each:.2f}",
            f"{ratio:.2f}",
            judged=ratio,
            goal=FLUSH if name == "recloser, file" else None,
        )
    return table


def outbox_flush(outbox: Callable[[], Outbox], size: int) -> Variant:
    """Flush the messages of an outbox, and `size` that are sent while the server is away."""
    engines: list[recloser.ReconnectingWebSocket] = []

    async def before() -> None:
        ws = away(outbox())
        engines.append(ws)
        ws.connect()
        await ws.wait_for(State.BACKOFF)
        await asyncio.gather(*(ws.send(MESSAGE) for _ in range(size)))

    async def turn() -> None:
        engines[-1].connect()
        await engines[-1].drain()

    async def after() -> None:
        await engines.pop().close()

    return Variant(turn, before=before, after=after)


def _repeated(variant: Variant) -> Variant:
    async def turn() -> None:
        for _ in range(20):
            await variant.turn()

    return Variant(turn, after=variant.after)


@asynccontextmanager
async def _all(folder: Path, size: int) -> AsyncIterator[dict[str, Variant]]:
    variants = {
        name: _raw(folder / f"raw {size} {len(name)}.db", size) for name in (RAW, RAW + AGAIN)
    }
    database = await aiosqlite.connect(folder / f"aiosqlite {size}.db")
    await database.execute("PRAGMA journal_mode = WAL")
    await database.execute("PRAGMA synchronous = NORMAL")
    await database.execute("CREATE TABLE message (number INTEGER PRIMARY KEY, data NOT NULL)")
    variants[AIOSQLITE] = _aiosqlite(database, size)
    variants["asyncio, a task and a future each"] = _tasks(size)
    engines = {
        "recloser, file": away(Outbox(path=folder / f"outbox {size}.db")),
        "recloser, memory": away(Outbox()),
    }
    for name, ws in engines.items():
        ws.connect()
        await ws.send("first")
        variants[name] = _outbox(ws, size)
    try:
        yield variants
    finally:
        await database.close()
        for ws in engines.values():
            await ws.close()


def _raw(path: Path, size: int) -> Variant:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE message (number INTEGER PRIMARY KEY, data NOT NULL)")

    async def turn() -> None:
        connection.executemany(INSERT, [(MESSAGE,)] * size)
        connection.commit()

    async def after() -> None:
        connection.execute("DELETE FROM message")
        connection.commit()

    return Variant(turn, after=after)


def _aiosqlite(database: aiosqlite.Connection, size: int) -> Variant:
    async def turn() -> None:
        await database.executemany(INSERT, [(MESSAGE,)] * size)
        await database.commit()

    async def after() -> None:
        await database.execute("DELETE FROM message")
        await database.commit()

    return Variant(turn, after=after)


def _tasks(size: int) -> Variant:
    """What asyncio takes for calls that wait together for the same thing: no send can be below."""
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[None]] = []

    async def call() -> None:
        waiting.append(loop.create_future())
        await waiting[-1]

    def release() -> None:
        for future in waiting:
            future.set_result(None)
        waiting.clear()

    async def turn() -> None:
        if size == 1:
            loop.call_soon(release)
            await call()
        else:
            calls = asyncio.gather(*(call() for _ in range(size)))
            loop.call_soon(release)  # behind the first step of each
            await calls

    return Variant(turn)


def away(outbox: Outbox) -> recloser.ReconnectingWebSocket:
    """Make an engine whose server is away at the first dial alone."""
    transport = ScriptedTransport([AWAY, Plan()])
    return recloser.connect("ws://away", transport=transport, policy=Never(), outbox=outbox)


def _outbox(ws: recloser.ReconnectingWebSocket, size: int) -> Variant:
    async def turn() -> None:
        if size == 1:
            await ws.send(MESSAGE)
        else:
            await asyncio.gather(*(ws.send(MESSAGE) for _ in range(size)))

    async def after() -> None:
        ws.outbox.clear()
        await ws.send("the last of this turn: what was cleared has left the file")

    return Variant(turn, after=after)
