"""A disk that stalls: the thread waits for it, and the event loop goes on; and no thread at all."""

import asyncio
import threading
from pathlib import Path

import pytest

from recloser import Delivery, OutboxUnusable, State
from recloser.testing import Plan
from tests.engine.outbox.engines import connection_of
from tests.engine.outbox.files import PATIENCE, away, make, real, rows, settled
from tests.engine.rig import turns


class Stall:
    """Holds every message up on its way into the file, from now on until `end`."""

    def __init__(self, ws: object) -> None:
        self.begun = threading.Event()
        self._over = threading.Event()
        connection = connection_of(ws)  # type: ignore[arg-type]  # an engine of `away`
        connection.create_function("stall", 0, self._wait)
        connection.execute(
            "CREATE TEMP TRIGGER slow BEFORE INSERT ON main.message BEGIN SELECT stall(); END"
        )

    def _wait(self) -> None:
        self.begun.set()
        assert self._over.wait(PATIENCE)

    def end(self) -> None:
        self._over.set()


@pytest.mark.spec("G11", "G6")
@real
async def test_the_event_loop_goes_on_while_the_disk_stalls(path: Path, tmp_path: Path) -> None:
    other, _ = make(tmp_path / "other.db", Plan())
    async with away(path) as ws, other:
        await ws.send("before")
        stall = Stall(ws)
        sending = [asyncio.ensure_future(ws.send(str(each))) for each in range(100)]
        await settled(stall.begun.is_set)
        try:
            late = asyncio.ensure_future(ws.send("late"))
            await turns(50)  # each of them would wait for the disk
            assert ws.state is State.BACKOFF
            assert len(ws.outbox) == 102
            assert await other.send("hello") is Delivery.SENT
            assert not any(each.done() for each in (*sending, late))
        finally:
            stall.end()
        assert set(await asyncio.gather(*sending, late)) == {Delivery.QUEUED}
        connection_of(ws).execute("DROP TRIGGER slow")
    assert [data for _, data in rows(path)] == ["before", *map(str, range(100)), "late"]


@pytest.mark.spec("G11", "A4.1")
@real
async def test_what_is_cancelled_while_the_disk_stalls_is_in_the_outbox(path: Path) -> None:
    async with away(path) as ws:
        await ws.send("before")
        stall = Stall(ws)
        sending = asyncio.ensure_future(ws.send("cancelled"))
        await settled(stall.begun.is_set)
        sending.cancel()
        try:
            with pytest.raises(asyncio.CancelledError):
                await sending
        finally:
            stall.end()
        assert len(ws.outbox) == 2
    assert [data for _, data in rows(path)] == ["before", "cancelled"]


@pytest.mark.spec("G1.1", "G6")
@real
async def test_where_no_thread_can_be_started_the_sender_is_told_and_the_next_one_can(
    path: Path,
) -> None:
    async with away(path) as ws:
        before = threading.stack_size(2**46)  # more than there is: the system starts no thread
        try:
            with pytest.raises(OutboxUnusable, match="can't start new thread"):
                await ws.send("refused")
        finally:
            threading.stack_size(before)
        assert len(ws.outbox) == 0
        assert await ws.send("taken") is Delivery.QUEUED
    assert [data for _, data in rows(path)] == ["taken"]
