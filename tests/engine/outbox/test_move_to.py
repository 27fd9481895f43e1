"""Messages that move to the outbox of another engine are in one outbox at each moment."""

import asyncio
from pathlib import Path

import pytest

from recloser import Acknowledgements, Delivery
from recloser.outbox.effects import Hide
from recloser.outbox.events import MovedOut
from tests.engine.outbox.engines import (
    ACKNOWLEDGED,
    connection_of,
    data_of,
    in_backoff,
    in_memory,
    open_,
    sender_of,
)
from tests.engine.outbox.files import away, killed, make, real, rows, settled
from tests.engine.outbox.test_stalled_disk import Stall
from tests.engine.rig import DOWN, UP, turns, virtual

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED


@pytest.mark.spec("G1.2", "G7.7")
@virtual
async def test_a_move_that_meets_an_id_of_the_other_engine_moves_nothing() -> None:
    """Those before it were in both outboxes."""
    ws, _ = in_memory(DOWN, acknowledgements=ACKNOWLEDGED)
    other, _ = in_memory(DOWN, acknowledgements=ACKNOWLEDGED)
    await in_backoff(ws)
    await in_backoff(other)
    await ws.send("a", id="1")
    await ws.send("b", id="2")
    await other.send("x", id="2")
    with pytest.raises(ValueError, match="held"):
        ws.outbox.move_to(other)
    assert (data_of(ws), data_of(other)) == (["a", "b"], ["x"])
    await ws.close()
    await other.close()


@pytest.mark.spec("G7.3")
@virtual
async def test_what_does_not_move_goes_out_in_the_place_of_what_did() -> None:
    """The window was free, and nobody looked."""
    ws, transport = in_memory(UP, acknowledgements=Acknowledgements(window=1))
    other, _ = in_memory(DOWN)
    await open_(ws)
    await in_backoff(other)
    await ws.send("a")
    await ws.send("b", this_generation=True)
    assert ws.outbox.move_to(other) == 1
    await turns()
    assert transport.wires[0].sent == ["a", "b"]
    await ws.close()
    await other.close()


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_was_moved_into_a_file_is_not_held_here_meanwhile(path: Path) -> None:
    """Until it was written it could be moved, cleared and sent here once more."""
    ws, _ = in_memory(DOWN)
    other, _ = make(path, DOWN)
    await in_backoff(ws)
    await in_backoff(other)
    await ws.send("a")
    assert [ws.outbox.move_to(other), ws.outbox.move_to(other)] == [1, 0]
    assert (data_of(ws), data_of(other)) == ([], ["a"])
    await ws.close()
    await other.close()
    assert rows(path) == [(1, "a")]


@pytest.mark.spec("G6")
@real
async def test_a_key_that_no_file_can_keep_does_not_move_into_one(path: Path) -> None:
    """It made that transaction fail, and each one after it."""
    ws, _ = in_memory(DOWN)
    other, _ = make(path, DOWN)
    await in_backoff(ws)
    await in_backoff(other)
    await ws.send("a", key=("k", 1))
    with pytest.raises(TypeError, match="key must be"):
        ws.outbox.move_to(other)
    assert data_of(ws) == ["a"]
    assert await other.send("b") is QUEUED
    await ws.close()
    await other.close()


@pytest.mark.spec("G6", "G7.7")
@real
async def test_an_id_does_not_move_to_where_nothing_is_acknowledged(path: Path) -> None:
    """There it was held for ever, and the next of the same id refused."""
    ws, _ = in_memory(DOWN, acknowledgements=ACKNOWLEDGED)
    other, transport = make(path, UP)
    await in_backoff(ws)
    async with other:
        for _ in range(2):
            await ws.send("a", id="x")
            ws.outbox.move_to(other)
            await other.drain()
    assert transport.wires[0].sent == ["a", "a"]
    await ws.close()


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_was_moved_out_of_a_closed_engine_has_left_its_file(path: Path) -> None:
    ws, transport = make(path, DOWN, UP)
    other, _ = in_memory(DOWN)
    await in_backoff(ws)
    await in_backoff(other)
    await ws.send("a")
    await ws.close()
    assert ws.outbox.move_to(other) == 1
    assert rows(path) == []
    async with ws:
        await ws.drain()
        assert transport.wires[0].sent == []
    await other.close()


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_was_moved_is_not_read_again_before_the_other_file_has_it(
    path: Path, tmp_path: Path
) -> None:
    """Until then it stays in both, in case of a kill; this engine would have sent it, too."""
    ws, transport = make(path, DOWN, UP)
    other, _ = make(tmp_path / "other.db", DOWN)
    await in_backoff(ws)
    await in_backoff(other)
    await ws.send("a")
    await ws.close()
    assert ws.outbox.move_to(other) == 1
    assert rows(killed(path, tmp_path / "copy.db")) == [(1, "a")]
    async with ws:
        await ws.drain()
        assert transport.wires[0].sent == []
    await other.close()
    assert (rows(path), rows(tmp_path / "other.db")) == ([], [(1, "a")])


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_moves_out_is_hidden_in_its_file_and_not_taken_out(path: Path) -> None:
    """A kill before the other file has it would lose it; where there is no file it just goes."""
    stored, _ = make(path, DOWN)
    kept, _ = in_memory(DOWN)
    for ws, expected in ((stored, [Hide((1,))]), (kept, [])):
        await in_backoff(ws)
        await ws.send("a")
        core = sender_of(ws).core
        assert core.handle(MovedOut(core.entries()), 0.0) == expected
        await ws.close()


@pytest.mark.spec("G1.2", "G6")
@real
async def test_a_file_is_released_when_the_other_one_has_what_moved_out_of_it(
    path: Path, tmp_path: Path
) -> None:
    """Else the next engine on the file sends it again, whatever the other did with it."""
    async with away(path) as before:
        await before.send("a")
    ws, _ = make(path, DOWN)
    await in_backoff(ws)  # it needs no thread, so it would be closed in a few turns
    async with away(tmp_path / "other.db") as other:
        await other.send("b")
        stall = Stall(other)
        assert ws.outbox.move_to(other) == 1
        assert [each.data for each in other.outbox.clear()] == ["b", "a"]
        closing = asyncio.ensure_future(ws.close())
        await settled(stall.begun.is_set)
        await turns(50)
        try:
            assert not closing.done()
        finally:
            stall.end()
        await closing
        assert rows(path) == []
        connection_of(other).execute("DROP TRIGGER slow")
