"""Outboxes with a file: an engine that has one, what is in it, and what a kill would leave."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import recloser
from recloser import Outbox, State
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import DOWN, Answering, Body, others, turns


def real(test: Body) -> Callable[..., None]:
    """Run an `async def` test in a real loop; it must leave no task and no thread (J1).

    aiosqlite works in a thread, which virtual time would not wait for.
    """

    @wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        before = set(threading.enumerate())

        async def story() -> None:
            async with asyncio.timeout(30):
                await test(*args, **kwargs)
            await turns()
            assert others() == set()

        asyncio.run(story())
        for thread in set(threading.enumerate()) - before:
            thread.join(10)  # it was told to end
            assert not thread.is_alive()

    return wrapper


def make(
    path: Path, *plans: Plan, **options: Any
) -> tuple[recloser.ReconnectingWebSocket, ScriptedTransport]:
    """An engine whose outbox is in the file."""
    transport = ScriptedTransport(plans)
    policy = options.pop("policy", None) or Answering(*options.pop("answers", ()))
    ws = recloser.connect(
        "ws://feed.example",
        transport=transport,
        policy=policy,
        outbox=Outbox(path=path, **options),
    )
    return ws, transport


def rows(path: Path) -> list[tuple[Any, ...]]:
    """What is in the file, which nobody has open."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT number, data FROM message ORDER BY number").fetchall()
    connection.close()
    return found


def killed(path: Path, to: Path) -> Path:
    """What a process that is killed now would leave: the file, and SQLite's log beside it."""
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copy(f"{path}{suffix}", f"{to}{suffix}")
    return to


@asynccontextmanager
async def away(
    path: Path, *plans: Plan, **options: Any
) -> AsyncIterator[recloser.ReconnectingWebSocket]:
    """An engine that has found nobody, and will wait."""
    ws, _ = make(path, DOWN, *plans, **options)
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    try:
        yield ws
    finally:
        await ws.close()


def shown(ws: recloser.ReconnectingWebSocket) -> list[tuple[Any, ...]]:
    return [(each.number, each.data) for each in ws.outbox.peek()]


async def settled(condition: Callable[[], bool]) -> None:
    """Wait for what a thread does: turns of the loop, as many as it takes."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what a thread has done rings no event here
            await asyncio.sleep(0)
