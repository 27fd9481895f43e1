"""What a hostile reader of the outbox's file and acknowledgements suspected: each was a defect."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

import recloser
from recloser import Acknowledgements, Delivery, Drop, Outbox, OutboxFull, OutboxUnusable, State
from recloser.outbox import Reason
from recloser.testing import Plan, ScriptedTransport
from tests.engine.outbox.files import killed, make, real, rows, settled
from tests.engine.rig import CUT, DOWN, UP, Answering, ended, pass_time, turns, virtual

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED
Engine = recloser.ReconnectingWebSocket
ACKNOWLEDGED = Acknowledgements()


def held_in_memory(*plans: Plan, **options: Any) -> tuple[Engine, ScriptedTransport]:
    transport = ScriptedTransport(plans)
    url, policy = "ws://feed.example", Answering()
    return recloser.connect(
        url, transport=transport, policy=policy, outbox=Outbox(**options)
    ), transport


async def opened(ws: Engine) -> None:
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()


async def away(ws: Engine) -> Engine:
    """In backoff, as nobody answered."""
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    return ws


def shown(ws: Engine) -> list[str | bytes]:
    return [message.data for message in ws.outbox.peek()]


def written(ws: Engine) -> bool:
    """Whether the file is up to date."""
    disk = getattr(ws._outlet, "_disk")  # noqa: B009 - not every outlet has one
    return disk._task is None and not disk.unwritten


# -- drain(), and who waits -------------------------------------------------------------


@pytest.mark.spec("G7")
@pytest.mark.parametrize("how", ["cleared", "moved"])
@pytest.mark.parametrize("acknowledgements", [None, ACKNOWLEDGED])
@virtual
async def test_drain_returns_when_the_last_is_taken_out(
    how: str, acknowledgements: Acknowledgements | None
) -> None:
    """Open, where nothing else happens any more, and in backoff, before the next connection."""
    plan = DOWN if acknowledgements is None else UP
    ws, _ = held_in_memory(plan, acknowledgements=acknowledgements)
    other, _ = held_in_memory(DOWN)
    ws.connect()
    await away(other)
    await ws.send("a")
    draining = asyncio.ensure_future(ws.drain())
    await turns()
    assert not draining.done()
    if how == "cleared":
        ws.outbox.clear()
    else:
        ws.outbox.move_to(other)
    await turns()
    assert draining.done()
    await ws.close()
    await other.close()


@pytest.mark.spec("G2", "G7")
@virtual
async def test_a_sender_let_in_and_cancelled_at_once_does_not_leave_its_message_behind() -> None:
    """It had been put into the outbox, as the note says; nobody else would have sent it."""
    acknowledgements = Acknowledgements(window=1)
    ws, transport = held_in_memory(UP, acknowledgements=acknowledgements, max_messages=1)
    await opened(ws)
    await ws.send("a")
    await ws.send("b")
    waiting = asyncio.ensure_future(ws.send("c"))
    await turns()
    ws.outbox.clear()
    waiting.cancel()
    error = await ended(waiting)
    assert isinstance(error, asyncio.CancelledError)
    await turns()
    assert transport.wires[0].sent == ["a", "c"]
    await ws.close()


# -- ids, numbers, order ----------------------------------------------------------------


@pytest.mark.spec("G3", "G7")
@virtual
async def test_order_survives_time_outs_while_the_peer_reads_nothing() -> None:
    """Each time-out put its messages ahead of those of the one before."""
    ws, transport = held_in_memory(UP, UP, acknowledgements=Acknowledgements(timeout=30.0))
    await opened(ws)
    wire = transport.wires[0]
    for word in ("a", "b"):
        await ws.send(word)
        await pass_time(10)
    wire.stall()
    sending = asyncio.ensure_future(ws.send("c"))
    await pass_time(35)  # "a" at 30 s goes out, and is stuck; "b" at 40 s and "c" at 50 s wait
    wire.end(CUT)
    await sending
    await opened(ws)
    assert transport.wires[1].sent == ["a", "b", "c"]
    await ws.close()


@pytest.mark.spec("G7")
@virtual
async def test_what_has_not_left_the_process_is_not_overdue() -> None:
    """A large message on a slow line would go out again behind itself, each time-out anew."""
    ws, transport = held_in_memory(UP, acknowledgements=Acknowledgements(timeout=30.0))
    await opened(ws)
    wire = transport.wires[0]
    wire.stall()
    sending = asyncio.ensure_future(ws.send("a"))
    await pass_time(200)
    wire.flow()
    assert await sending is SENT
    await pass_time(5)
    assert wire.sent == ["a"]
    await pass_time(30)
    assert wire.sent == ["a", "a"]  # now it has left, and nobody said that it had come
    await ws.close()


@pytest.mark.spec("G1", "G7")
@virtual
async def test_the_id_of_a_message_that_was_refused_is_free() -> None:
    """Too large for an outbox, and the connection that would have taken it had just ended."""
    ws, transport = held_in_memory(UP, UP, acknowledgements=ACKNOWLEDGED, max_bytes=5)
    await opened(ws)
    wire = transport.wires[0]
    wire.closed_with = (1000, "")  # it takes nothing more, and its end is not told yet
    with pytest.raises(OutboxFull):
        await ws.send("too long", id="x")
    assert ws.outbox.ack("x") == 0
    wire.end(CUT)
    await opened(ws)
    await ws.send("short", id="x")
    assert ws.outbox.ack("x") == 1
    await ws.close()


@pytest.mark.spec("G7")
@virtual
async def test_an_id_that_is_a_number_blocks_nobody_who_gives_none() -> None:
    ws, transport = held_in_memory(UP, acknowledgements=ACKNOWLEDGED)
    await opened(ws)
    await ws.send("mine", id=2)
    await ws.send("a")
    await ws.send("b")
    assert transport.wires[0].sent == ["mine", "a", "b"]
    assert [message.id for message in ws.outbox.peek()] == [2, 3, 4]
    await ws.close()


@pytest.mark.spec("G7")
@virtual
async def test_all_up_to_a_message_that_was_dropped_since_it_was_sent() -> None:
    """The peer goes on naming the last that it got; nothing else would ever settle those before."""
    ws, _ = held_in_memory(UP, acknowledgements=Acknowledgements(timeout=30.0))
    await opened(ws)
    await ws.send("a")
    await ws.send("b", ttl=5)
    await pass_time(31)
    assert shown(ws) == ["a"]
    assert ws.outbox.ack(3, up_to=True) == 0  # never sent
    assert ws.outbox.ack(2, up_to=True) == 1
    assert shown(ws) == []
    await ws.close()


@pytest.mark.spec("G7", "I3")
@virtual
async def test_a_matcher_that_answers_yes_or_no_is_told_so_and_swallows_nothing() -> None:
    """True is 1 to a dict: it acknowledged the first message, and False kept all others back."""
    acknowledgements = Acknowledgements(matcher=lambda message: message == "yes")
    ws, transport = held_in_memory(UP, acknowledgements=acknowledgements)
    await opened(ws)
    await ws.send("a")
    with structlog.testing.capture_logs() as lines:
        transport.wires[0].deliver("yes")
        transport.wires[0].deliver("no")
    assert ["not True" in str(line["error"]) for line in lines] == [True, False]
    assert len(ws.outbox) == 1
    assert [await ws.receive(), await ws.receive()] == ["yes", "no"]
    await ws.close()


@pytest.mark.spec("G6", "G7")
@real
async def test_a_number_that_the_peer_has_seen_is_not_used_again(
    path: Path, tmp_path: Path
) -> None:
    """Also one of a message that is in no file: the peer would take the next for its double."""
    acknowledgements = Acknowledgements(render=lambda message: f"{message.id}:{message.data!s}")
    ws, transport = make(path, UP, acknowledgements=acknowledgements)
    async with ws:
        await ws.send("a")
        await ws.send("b", this_generation=True)
        await settled(lambda: len(transport.wires[0].sent) == 2)
        assert transport.wires[0].sent == ["1:a", "2:b"]
        copy = killed(path, tmp_path / "copy.db")
    assert rows(path) == [(1, "a")]
    again, transport = make(copy, UP, acknowledgements=acknowledgements)
    async with again:
        await again.send("c")
        await settled(lambda: len(transport.wires[0].sent) == 2)
        assert transport.wires[0].sent == ["1:a", "3:c"]


@pytest.mark.spec("G7")
@pytest.mark.parametrize("call", ["ack", "clear", "move_to"])
@virtual
async def test_a_call_from_another_thread_is_refused_and_harms_nothing(call: str) -> None:
    """An acknowledgement from a thread marked a flush as under way that could not be started."""
    ws, transport = held_in_memory(UP, acknowledgements=Acknowledgements(window=1))
    other, _ = held_in_memory(DOWN)
    await opened(ws)
    await away(other)
    await ws.send("a")
    await ws.send("b")
    given = {"ack": (1,), "move_to": (other,)}.get(call, ())
    outcomes: list[Any] = []

    def elsewhere() -> None:
        try:
            outcomes.append(getattr(ws.outbox, call)(*given))
        except recloser.WrongLoop as error:
            outcomes.append(error)

    def called() -> Any:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return outcomes[-1]

    assert isinstance(called(), recloser.WrongLoop)
    assert ws.outbox.ack(1) == 1
    await turns()
    assert transport.wires[0].sent == ["a", "b"]
    await ws.close()
    await other.close()
    if call != "move_to":  # into a closed engine nothing moves
        assert not isinstance(called(), recloser.WrongLoop)  # nobody is at work there


# -- move_to ----------------------------------------------------------------------------


@pytest.mark.spec("G1", "G7")
@virtual
async def test_a_move_that_meets_an_id_of_the_other_engine_moves_nothing() -> None:
    """Those before it were in both outboxes."""
    ws, _ = held_in_memory(DOWN, acknowledgements=ACKNOWLEDGED)
    other, _ = held_in_memory(DOWN, acknowledgements=ACKNOWLEDGED)
    await away(ws)
    await away(other)
    await ws.send("a", id="1")
    await ws.send("b", id="2")
    await other.send("x", id="2")
    with pytest.raises(ValueError, match="held"):
        ws.outbox.move_to(other)
    assert (shown(ws), shown(other)) == (["a", "b"], ["x"])
    await ws.close()
    await other.close()


@pytest.mark.spec("G7")
@virtual
async def test_what_does_not_move_goes_out_in_the_place_of_what_did() -> None:
    """The window was free, and nobody looked."""
    ws, transport = held_in_memory(UP, acknowledgements=Acknowledgements(window=1))
    other, _ = held_in_memory(DOWN)
    await opened(ws)
    await away(other)
    await ws.send("a")
    await ws.send("b", this_generation=True)
    assert ws.outbox.move_to(other) == 1
    await turns()
    assert transport.wires[0].sent == ["a", "b"]
    await ws.close()
    await other.close()


@pytest.mark.spec("G1", "G6")
@real
async def test_what_was_moved_into_a_file_is_not_held_here_meanwhile(path: Path) -> None:
    """Until it was written it could be moved, cleared and sent here once more."""
    ws, _ = held_in_memory(DOWN)
    other, _ = make(path, DOWN)
    await away(ws)
    await away(other)
    await ws.send("a")
    assert [ws.outbox.move_to(other), ws.outbox.move_to(other)] == [1, 0]
    assert (shown(ws), shown(other)) == ([], ["a"])
    await ws.close()
    await other.close()
    assert rows(path) == [(1, "a")]


@pytest.mark.spec("G6")
@real
async def test_a_key_that_no_file_can_keep_does_not_move_into_one(path: Path) -> None:
    """It made that transaction fail, and each one after it."""
    ws, _ = held_in_memory(DOWN)
    other, _ = make(path, DOWN)
    await away(ws)
    await away(other)
    await ws.send("a", key=("k", 1))
    with pytest.raises(TypeError, match="key must be"):
        ws.outbox.move_to(other)
    assert shown(ws) == ["a"]
    assert await other.send("b") is QUEUED
    await ws.close()
    await other.close()


@pytest.mark.spec("G6", "G7")
@real
async def test_an_id_does_not_move_to_where_nothing_is_acknowledged(path: Path) -> None:
    """There it was held for ever, and the next of the same id refused."""
    ws, _ = held_in_memory(DOWN, acknowledgements=ACKNOWLEDGED)
    other, transport = make(path, UP)
    await away(ws)
    async with other:
        for _ in range(2):
            await ws.send("a", id="x")
            ws.outbox.move_to(other)
            await other.drain()
    assert transport.wires[0].sent == ["a", "a"]
    await ws.close()


@pytest.mark.spec("G1", "G6")
@real
async def test_what_was_moved_out_of_a_closed_engine_has_left_its_file(path: Path) -> None:
    ws, transport = make(path, DOWN, UP)
    other, _ = held_in_memory(DOWN)
    await away(ws)
    await away(other)
    await ws.send("a")
    await ws.close()
    assert ws.outbox.move_to(other) == 1
    assert rows(path) == []
    async with ws:
        await ws.drain()
        assert transport.wires[0].sent == []
    await other.close()


@pytest.mark.spec("G1", "G6")
@real
async def test_what_was_moved_is_not_read_again_before_the_other_file_has_it(
    path: Path, tmp_path: Path
) -> None:
    """Until then it stays in both, in case of a kill; this engine would have sent it, too."""
    ws, transport = make(path, DOWN, UP)
    other, _ = make(tmp_path / "other.db", DOWN)
    await away(ws)
    await away(other)
    await ws.send("a")
    await ws.close()
    assert ws.outbox.move_to(other) == 1
    assert rows(killed(path, tmp_path / "copy.db")) == [(1, "a")]
    async with ws:
        await ws.drain()
        assert transport.wires[0].sent == []
    await other.close()
    assert (rows(path), rows(tmp_path / "other.db")) == ([], [(1, "a")])


# -- a file that is being closed, or cannot be opened ------------------------------------


async def closing(ws: Engine) -> asyncio.Task[None]:
    """Begin to close, up to where the file is being given free; then ask for a connection."""
    task = asyncio.ensure_future(ws.close())
    disk = getattr(ws._outlet, "_disk")  # noqa: B009 - not every outlet has one
    await settled(lambda: disk.closing)
    ws.connect()
    assert ws.state is State.CONNECTING
    return task


@asynccontextmanager
async def closed_and_connected(path: Path) -> AsyncIterator[tuple[Engine, ScriptedTransport]]:
    """Holds "a" while its file is being given free; afterwards all has been sent."""
    ws, transport = make(path, DOWN, UP)
    await away(ws)
    await ws.send("a")
    task = await closing(ws)
    yield ws, transport
    await task
    await ws.wait_for(State.OPEN)
    await ws.drain()
    await ws.close()


@pytest.mark.spec("G1", "G6")
@real
async def test_what_is_meant_for_one_connection_waits_for_the_file_like_the_rest(
    path: Path,
) -> None:
    """It was QUEUED, and gone when the file was read again: it is in none."""
    async with closed_and_connected(path) as (ws, transport):
        assert await ws.send("now", this_generation=True) is QUEUED
    assert transport.wires[0].sent == ["a", "now"]


@pytest.mark.spec("G1", "G6")
@real
async def test_what_is_cleared_while_the_file_is_being_closed_does_not_come_back(
    path: Path,
) -> None:
    async with closed_and_connected(path) as (ws, transport):
        assert [message.data for message in ws.outbox.clear()] == ["a"]
    assert transport.wires[0].sent == []
    assert rows(path) == []


@pytest.mark.spec("G1", "G6")
@real
async def test_what_is_sent_while_the_file_is_being_closed_is_written_in_any_rhythm(
    path: Path,
) -> None:
    """Noted in the wrong moment, it was written to a file that was closed already, and so was all
    that came after it: until the next close() the outbox took nothing more."""
    ws, transport = make(path, DOWN, *[UP] * 200)
    await away(ws)
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


@pytest.mark.spec("G1", "G6")
@real
async def test_who_waits_for_a_file_that_cannot_be_opened_any_more_is_told(path: Path) -> None:
    """That `send` never returned."""
    ws, _ = make(path, DOWN, UP)
    await away(ws)
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
    await ws.close()
    assert shown(ws) == ["a"]


@pytest.mark.spec("G1", "G6")
@real
async def test_what_expired_in_closed_is_told_once(path: Path) -> None:
    drops: list[Drop] = []
    ws, _ = make(path, DOWN, UP, on_drop=drops.append)
    await away(ws)
    await ws.send("a", ttl=0.001)
    await ws.close()
    await settled(lambda: not ws.outbox.peek())
    async with ws:
        await ws.drain()
    assert [drop.reason for drop in drops] == [Reason.EXPIRED]
    assert rows(path) == []


# -- what is in the file -----------------------------------------------------------------


@pytest.mark.spec("G4", "G6")
@real
async def test_what_came_back_from_a_connection_stays_in_the_file_until_it_has_left(
    path: Path, tmp_path: Path
) -> None:
    """The next connection took it for gone: its own write buffer did not know of it."""
    ws, transport = make(path, UP, UP)
    await opened(ws)
    transport.wires[0].stall()
    sending = [asyncio.ensure_future(ws.send(str(number))) for number in range(3)]
    await turns()
    transport.wires[0].end(CUT)
    assert await asyncio.gather(*sending) == [QUEUED] * 3

    def stalled(change: recloser.StateChange) -> None:
        if change.current is State.OPEN:
            transport.wires[1].stall()

    ws.subscribe(stalled)
    await opened(ws)
    await settled(lambda: transport.wires[1].unsent == 1 and written(ws))
    assert [data for _, data in rows(killed(path, tmp_path / "copy.db"))] == ["0", "1", "2"]
    transport.wires[1].flow()
    await ws.drain()
    await ws.close()
    assert transport.wires[1].sent == ["0", "1", "2"]
    assert rows(path) == []


@pytest.mark.spec("G6")
@real
async def test_closed_connected_and_closed_again_in_any_rhythm(path: Path) -> None:
    ws, transport = make(path, DOWN, *[UP] * 50)
    await away(ws)
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


@pytest.mark.spec("G6", "G7")
def test_an_engine_with_a_file_moves_to_another_event_loop(path: Path) -> None:
    ws, transport = make(path, UP, UP, acknowledgements=ACKNOWLEDGED)

    async def life(number: int, word: str, expected: list[str]) -> None:
        async with ws:
            await ws.send(word)
            sent = transport.wires[number].sent
            await settled(lambda: sent == expected)

    asyncio.run(life(0, "a", ["a"]))
    asyncio.run(life(1, "b", ["a", "b"]))
    assert rows(path) == [(1, "a"), (2, "b")]
