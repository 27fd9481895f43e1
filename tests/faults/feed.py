"""An engine in the lab: it numbers what it sends, counts what is acknowledged, notes each end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog.testing

import recloser
from recloser import Acknowledgements, Heartbeat, Outbox, State, Timeouts, policies
from recloser.fsm.record import Cause, Close
from tests.faults.lab import PATIENCE, PORT, THERE

if TYPE_CHECKING:
    from recloser.fsm.change import StateChange

URL = f"ws://{THERE}:{PORT}/"
HEARTBEAT = Heartbeat(interval=1.0, timeout=1.5)
TIMEOUTS = Timeouts(connect=4.0, close=2.0, stable=1.0)


def acknowledged(message: str | bytes) -> int | None:
    found: int | None = json.loads(message).get("ack")
    return found


def numbered(message: Any) -> str:
    return json.dumps({"number": message.id, "data": message.data})


class Feed:
    """One engine, with what happened to it."""

    def __init__(self, url: Any, **options: Any) -> None:
        self.changes: list[StateChange] = []
        outbox = Outbox(
            acknowledgements=Acknowledgements(matcher=acknowledged, render=numbered, timeout=10.0)
        )
        self.ws = recloser.connect(
            url,
            **{
                "policy": policies.standard(),
                "heartbeat": HEARTBEAT,
                "timeouts": TIMEOUTS,
                "outbox": outbox,
            }
            | options
            | {"observers": [self.changes.append, *options.get("observers", ())]},
        )
        self.lines: list[Any] = []
        """What has been logged so far."""
        self.sent = 0
        self.ticks = 0
        self._ticked = asyncio.Event()

    async def consume(self) -> None:
        async for message in self.ws:
            assert "tick" in json.loads(message)
            self.ticks += 1
            self._ticked.set()

    async def send(self, count: int, size: int = 1) -> None:
        for _ in range(count):
            await self.ws.send("x" * size)
            self.sent += 1

    async def tick(self, count: int = 1) -> None:
        """Wait until so many more messages of the server have come."""
        for _ in range(count):
            self._ticked.clear()
            await self._ticked.wait()

    @property
    def closes(self) -> list[Close]:
        """The record of each end."""
        return [each.close for each in self.changes if each.close is not None]

    @property
    def causes(self) -> list[Cause]:
        return [each.cause for each in self.closes]

    async def ended(self) -> Close:
        """Wait for the next end; return its record."""
        changes = self.ws.changes()
        async for change in changes:
            if change.close is not None:
                return change.close
        raise AssertionError("closed")

    async def open(self) -> None:
        await self.ws.wait_for(State.OPEN)


@asynccontextmanager
async def running(url: Any = URL, *, first: bool = True, **options: Any) -> AsyncIterator[Feed]:
    """An engine whose messages are consumed; if `first` it is open.

    When the block ends, all that was sent has been acknowledged, and each recovery is logged.
    """
    with structlog.testing.capture_logs() as lines:
        async with asyncio.timeout(PATIENCE):
            feed = Feed(url, **options)
            feed.lines = lines
            consumer = asyncio.ensure_future(feed.consume())
            feed.ws.connect()
            try:
                if first:
                    await feed.open()
                yield feed
                await feed.open()
                await feed.ws.drain()
            finally:
                await feed.ws.close()
                await asyncio.wait([consumer])
    opened = [line["generation"] for line in lines if line.get("to") == "open"]
    assert opened == [each.generation for each in feed.changes if each.current is State.OPEN]
    assert len(opened) == 1 or any(line["log_level"] in ("warning", "info") for line in lines)
