"""Outboxes with a file: an engine that has one, what is in it, and what a kill would leave."""

import asyncio
import selectors
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import recloser
from recloser import Outbox, Retry, State
from recloser.outbox.file.stored_message import StoredMessage
from recloser.outbox.message import Message
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import DOWN, Answering, Body, others, turns

PATIENCE = 120.0
"""Seconds after which a test is held to hang; far more than any takes."""
AWAY = Retry(1e6, rule="again")
"""Longer than any test in real time: an engine that found nobody dials when the test says so."""


class _Bell(selectors.DefaultSelector):
    """Wakes whoever waits for the next thing that happens: a timer, a socket, another thread."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[asyncio.Future[None]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(timeout)
        for future in self.waiting:
            future.set_result(None)
        self.waiting.clear()
        return found


class RealLoop(asyncio.SelectorEventLoop):
    """An event loop in real time, in which a test can wait for what a thread does."""

    def __init__(self) -> None:
        self._bell = _Bell()
        super().__init__(self._bell)

    async def happening(self) -> None:
        """Let the loop go round; if nothing can be done now, wait until something happens.

        A test that turned the loop meanwhile would keep the interpreter's lock from the thread.
        """
        if self._ready:  # type: ignore[attr-defined]  # asyncio's own list of what is to run
            await asyncio.sleep(0)
        else:
            future: asyncio.Future[None] = self.create_future()
            self._bell.waiting.append(future)
            timer = self.call_later(0.01, lambda: None)  # what is awaited may be time alone
            try:
                await asyncio.shield(future)
            finally:
                timer.cancel()


def in_real_time(story: Coroutine[Any, Any, None]) -> None:
    """Run a story in a `RealLoop`."""
    with asyncio.Runner(loop_factory=RealLoop) as runner:
        runner.run(story)


def real(test: Body) -> Callable[..., None]:
    """Run an `async def` test in a real loop; it must leave no task and no thread (J1).

    The file is written in a thread, which virtual time would not wait for.
    """

    @wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        before = set(threading.enumerate())

        async def story() -> None:
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)
            await turns()
            assert others() == set()

        in_real_time(story())
        for thread in set(threading.enumerate()) - before:
            thread.join(PATIENCE)  # it was told to end
            assert not thread.is_alive()

    return wrapper


def make(
    path: Path, *plans: Plan, **options: Any
) -> tuple[recloser.ReconnectingWebSocket, ScriptedTransport]:
    """An engine whose outbox is in the file."""
    transport = ScriptedTransport(plans)
    policy = options.pop("policy", None) or Answering(*options.pop("answers", (AWAY,)))
    ws = recloser.connect(
        "ws://feed.example",
        transport=transport,
        policy=policy,
        clock=options.pop("clock", None),
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
    """Wait for what a thread does, in a `RealLoop`."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, RealLoop)
    while not condition():
        await loop.happening()


def row_of(message: Message) -> StoredMessage:
    """Return the row of a message that has no time to live."""
    number, identity, key, data = message.number, message.id, message.key, message.data
    assert message.size == (len(data.encode()) if isinstance(data, str) else len(data))
    suspect = int(message.suspect)
    return StoredMessage(number, identity, key, data, None, message.deliveries, suspect)
