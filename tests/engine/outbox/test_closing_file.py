"""A file that an engine closes while the application sends, connects or closes again."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

import recloser
from recloser import (
    Delivery,
    Drop,
    Outbox,
    OutboxInUse,
    OutboxUnusable,
    Retry,
    State,
    Timeouts,
)
from recloser.fsm.decisions import Unsent
from recloser.outbox import Reason
from recloser.outbox.file.database import Database
from recloser.testing import Plan, ScriptedTransport
from tests.engine.outbox.engines import (
    Engine,
    connection_of,
    data_of,
    in_backoff,
    writer_of,
)
from tests.engine.outbox.files import RealLoop, away, make, real, rows, settled
from tests.engine.outbox.test_stalled_disk import Stall
from tests.engine.outbox.test_window import EVERY, ROOMY, counted, filled
from tests.engine.rig import CUT, DOWN, UP, Answering, turns

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED


async def closing(ws: Engine) -> asyncio.Task[None]:
    """Begin to close, up to where the file is being given free; then ask for a connection."""
    task = asyncio.ensure_future(ws.close())
    store = writer_of(ws)
    await settled(lambda: store.ready and store.database is None)
    ws.connect()
    assert ws.state is State.CONNECTING
    return task


@asynccontextmanager
async def closed_and_connected(path: Path) -> AsyncIterator[tuple[Engine, ScriptedTransport]]:
    """Holds "a" while its file is being given free; afterwards all has been sent."""
    ws, transport = make(path, DOWN, UP)
    await in_backoff(ws)
    await ws.send("a")
    task = await closing(ws)
    yield ws, transport
    await task
    await ws.wait_for(State.OPEN)
    await ws.drain()
    await ws.close()


@pytest.mark.spec("J2.2", "G6")
@pytest.mark.parametrize("busy", [False, True])
@real
async def test_an_engine_that_is_forgotten_writes_all_that_was_sent_and_releases_its_file(
    path: Path, busy: bool
) -> None:
    """Also when a transaction is under way; the next engine finds the file free, and all in it."""
    ws, _ = make(path, DOWN)
    await in_backoff(ws)
    await ws.send("a")
    sending = [asyncio.ensure_future(ws.send("b"))] if busy else []
    await turns(1)
    store = writer_of(ws)
    assert store.idle is not busy
    forgotten = [ws]
    del ws
    with pytest.warns(ResourceWarning, match="never closed"):
        forgotten.clear()
    await settled(lambda: not store.ready)
    assert [await each for each in sending] == [QUEUED] * len(sending)
    assert rows(path) == [(1, "a"), (2, "b")][: 1 + len(sending)]


@pytest.mark.spec("G1.1", "G6")
@real
async def test_what_is_meant_for_one_connection_waits_for_the_file_like_the_rest(
    path: Path,
) -> None:
    """It was QUEUED, and gone when the file was read again: it is in none."""
    async with closed_and_connected(path) as (ws, transport):
        assert await ws.send("now", this_generation=True) is QUEUED
    assert transport.wires[0].sent == ["a", "now"]


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_is_cleared_while_the_file_is_being_closed_does_not_come_back(
    path: Path,
) -> None:
    async with closed_and_connected(path) as (ws, transport):
        assert [message.data for message in ws.outbox.clear()] == ["a"]
    assert transport.wires[0].sent == []
    assert rows(path) == []


@pytest.mark.spec("G1.1", "G1.2", "G6")
@real
async def test_what_is_sent_while_the_file_is_being_closed_is_written_in_any_rhythm(
    path: Path,
) -> None:
    """Noted in the wrong moment, it was written to a file that was closed already, and so was all
    that came after it: until the next close() the outbox took nothing more."""
    ws, transport = make(path, DOWN, *[UP] * 200)
    await in_backoff(ws)
    count = 0

    async def some(number: int) -> None:
        nonlocal count
        for _ in range(number):
            count += 1
            await ws.send(str(count - 1))

    with structlog.testing.capture_logs() as lines:
        for pause in [*range(12)] * 4:
            before = asyncio.ensure_future(some(1))
            await turns(1)
            task = asyncio.ensure_future(ws.close())
            await turns(pause + 1)
            ws.connect()
            await asyncio.gather(before, task, some(8))
            await ws.wait_for(State.OPEN)
            await ws.drain()
            transport.wires[-1].end(CUT)
    await ws.close()
    assert not [line for line in lines if line["log_level"] == "error"]
    sent = [message for wire in transport.wires for message in wire.sent]
    assert sent == [str(number) for number in range(count)]
    assert rows(path) == []


def in_the_way(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.mkdir()


@pytest.mark.spec("G1.1", "G6")
@pytest.mark.parametrize(("dial", "sent", "kept"), [(DOWN, [], ["a"]), (UP, ["a"], [])])
@real
async def test_who_waits_for_a_file_that_cannot_be_opened_any_more_is_told(
    path: Path, dial: Plan, sent: list[str], kept: list[str]
) -> None:
    """That `send` never returned. What was in memory goes all the same, once there is a wire."""
    ws, transport = make(path, DOWN, dial)
    await in_backoff(ws)
    await ws.send("a")
    task = await closing(ws)
    sending = asyncio.ensure_future(ws.send("b"))
    await turns(1)
    in_the_way(path)
    await task
    with pytest.raises(OutboxUnusable):
        await asyncio.wait_for(sending, 5)
    with pytest.raises(OutboxUnusable):
        await ws.send("c")
    await settled(lambda: ws.state is not State.CONNECTING)
    await ws.close()
    assert [message for wire in transport.wires for message in wire.sent] == sent
    assert data_of(ws) == kept


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_expired_in_closed_is_told_once(path: Path) -> None:
    drops: list[Drop] = []
    ws, _ = make(path, DOWN, UP, on_drop=drops.append)
    await in_backoff(ws)
    await ws.send("a", ttl=0.001)
    await ws.close()
    await settled(lambda: not ws.outbox.peek())
    async with ws:
        await ws.drain()
    assert [drop.reason for drop in drops] == [Reason.EXPIRED]
    assert rows(path) == []


@pytest.mark.spec("G6")
@real
async def test_closed_connected_and_closed_again_in_any_rhythm(path: Path) -> None:
    ws, transport = make(path, DOWN, *[UP] * 50)
    await in_backoff(ws)
    for number in range(15):
        await ws.send(str(number))
        await asyncio.gather(ws.close(), ws.close())
        ws.connect()
        await turns(number)
        first = asyncio.ensure_future(ws.close())
        await turns(number + 1)
        ws.connect()
        await turns(number)
        second = asyncio.ensure_future(ws.close())
        await turns(number + 1)
        ws.connect()
        await asyncio.gather(first, second)
        await ws.wait_for(State.OPEN)
    await ws.drain()
    await ws.close()
    sent = [message for wire in transport.wires for message in wire.sent]
    assert sent == [str(number) for number in range(15)]
    assert rows(path) == []


class Closing:
    """Holds the closing of a file up, in its thread, until this is so."""

    def __init__(self, ws: Engine, over: Callable[[], bool]) -> None:
        self.begun = threading.Event()
        self._over = over
        connection = connection_of(ws)
        connection.create_function("hold", 0, self._hold)
        connection.execute(
            "CREATE TEMP TRIGGER slow BEFORE UPDATE OF reserved ON main.numbers"
            " BEGIN SELECT hold(); END"
        )

    def _hold(self) -> None:
        self.begun.set()
        while not self._over():
            pass  # the interpreter lets the other thread run


def stack(thread: int) -> set[str]:
    """The functions in which a thread is now."""
    found, frame = set[str](), sys._current_frames().get(thread)
    while frame is not None:
        found.add(frame.f_code.co_name)
        frame = frame.f_back
    return found


@pytest.mark.spec("G12.4")
@pytest.mark.parametrize("call", ["peek", "clear"])
@real
async def test_who_asks_for_all_while_the_file_is_being_closed_waits_for_it(
    path: Path, call: str
) -> None:
    """That was `OutboxInUse`: the thread had the file yet."""
    filled(path)
    failed, here = threading.Event(), threading.get_ident()
    async with away(path, **ROOMY) as ws:
        await settled(lambda: counted(ws))
        await ws.send("last")
        held = Closing(ws, lambda: failed.is_set() or {call, "join"} <= stack(here))
        closing = asyncio.ensure_future(ws.close())
        await settled(held.begun.is_set)
        try:
            found = getattr(ws.outbox, call)()
        finally:
            failed.set()
        assert [each.data for each in found] == [*EVERY, "last"]
        await closing
        assert len(ws.outbox) == (0 if call == "clear" else len(EVERY) + 1)
    assert len(rows(path)) == len(ws.outbox)


@pytest.mark.spec("J2.5", "G6")
def test_a_loop_that_ends_while_the_file_is_being_closed_leaves_it_to_the_next_one(
    path: Path,
) -> None:
    """There `send` failed for ever, and nobody opened the file."""
    ws, transport = make(path, DOWN, UP)
    over = threading.Event()

    async def first() -> None:
        await in_backoff(ws)
        await ws.send("a")
        held = Closing(ws, over.is_set)
        closing = asyncio.ensure_future(ws.close())
        await settled(held.begun.is_set)
        closing.cancel()

    async def second() -> None:
        over.set()
        async with ws:
            await ws.send("b")
            await ws.drain()

    for story in (first(), second()):
        with asyncio.Runner(loop_factory=RealLoop) as runner:
            runner.run(asyncio.wait_for(story, 60))
    assert transport.wires[0].sent == ["a", "b"]
    assert rows(path) == []


@pytest.mark.spec("G5.1", "G6", "G12.2", "J2.2")
@pytest.mark.parametrize("at_once", [False, True])
@real
async def test_a_close_that_is_cut_off_leaves_the_file_to_the_thread(
    path: Path, at_once: bool
) -> None:
    """The file stayed open and locked, until the next `connect()` or for good."""
    filled(path)
    drops: list[Drop] = []
    stalls: list[Stall] = []
    sending: list[asyncio.Task[Delivery]] = []

    def on_drop(drop: Drop) -> None:
        if not drops:  # before the thread has read more than a window ahead
            stalls.append(Stall(ws))
            sending.append(asyncio.ensure_future(ws.send("a")))
        drops.append(drop)

    transport = ScriptedTransport([DOWN, UP])
    ws = recloser.connect(
        "ws://feed.example",
        transport=transport,
        policy=Answering(Retry(1e6, unsent=Unsent.DROP)),
        timeouts=Timeouts(close=0.01),
        outbox=Outbox(path=path, on_drop=on_drop, **ROOMY),
    )
    await in_backoff(ws)
    [stall] = stalls
    await settled(stall.begun.is_set)
    sending.append(asyncio.ensure_future(ws.send("b")))
    await turns()  # it waits for the transaction behind
    await ws.close()
    assert len(drops) < len(EVERY)
    with pytest.raises(OutboxInUse):
        Database(str(path), fsync=False)
    stall.end()
    if not at_once:
        await settled(lambda: not writer_of(ws).ready)
        assert [data for _, data in rows(path)] == [*EVERY[len(drops) :], "a", "b"]
    ws.connect()
    assert [await each for each in sending] == [QUEUED] * 2
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert transport.wires[0].sent == ["a", "b"]
    await ws.close()
    assert rows(path) == []
    assert [each.message.data for each in drops] == EVERY
