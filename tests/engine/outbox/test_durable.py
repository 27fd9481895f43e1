"""What an outbox with a file holds is there after a restart: once, in order, as it was."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

import recloser
from recloser import (
    Acknowledgements,
    Delivery,
    Drop,
    Outbox,
    OutboxInUse,
    State,
    Stop,
)
from recloser.fsm import Unsent
from recloser.outbox import Reason, UpTo
from recloser.outbox.file.snapshot import read_snapshot
from recloser.testing import ScriptedTransport
from tests.engine.outbox.engines import (
    ACKNOWLEDGED,
    Engine,
    connection_of,
    file_is_current,
    open_,
    sender_of,
)
from tests.engine.outbox.files import away, in_real_time, killed, make, real, rows, settled, shown
from tests.engine.rig import CUT, DOWN, UP, Answering, Hasty, engine, turns

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED


@pytest.mark.spec("G6", "G3.1")
@real
async def test_what_was_queued_goes_out_after_a_restart_in_order(path: Path) -> None:
    async with away(path) as ws:
        assert [await ws.send(each) for each in ("a", b"b\x00", "ü\x00")] == [QUEUED] * 3
    assert rows(path) == [(1, "a"), (2, b"b\x00"), (3, "ü\x00")]
    ws, transport = make(path, UP)
    async with ws:
        await ws.drain()
        assert await ws.send("direct") is SENT
        assert transport.wires[0].sent == ["a", b"b\x00", "ü\x00", "direct"]
    assert rows(path) == []
    ws, transport = make(path, UP)
    async with ws:
        assert await ws.send("new") is SENT
    assert transport.wires[0].sent == ["new"]


@pytest.mark.spec("G6")
@real
async def test_send_answers_when_the_message_is_in_the_file(path: Path, tmp_path: Path) -> None:
    async with away(path) as ws:
        for count in range(1, 20):
            assert await ws.send(str(count)) is QUEUED
            found = rows(killed(path, tmp_path / f"copy{count}.db"))
            assert found == [(each, str(each)) for each in range(1, count + 1)]


@pytest.mark.spec("G6")
@real
async def test_many_at_once_share_a_transaction(path: Path) -> None:
    async with away(path) as ws:
        commits: list[str] = []
        await ws.send("first")
        connection = connection_of(ws)
        connection.set_trace_callback(lambda sql: commits.append(sql) if "COMMIT" in sql else None)
        await asyncio.gather(*(ws.send(str(each)) for each in range(1000)))
        connection.set_trace_callback(None)
        assert len(ws.outbox) == 1001
        assert 1 <= len(commits) <= 3
    assert len(rows(path)) == 1001


@pytest.mark.spec("G6")
@real
async def test_options_of_a_message_outlive_the_process(path: Path) -> None:
    drops: list[Drop] = []
    async with away(path) as ws:
        await ws.send("price 1", key="price")
        await ws.send("kept", ttl=1000.0)
        await ws.send("of one price", key=b"b")
        await ws.send("old", ttl=0.0)
    ws, transport = make(path, UP, on_drop=drops.append)
    ws.connect()
    assert await ws.send("price 2", key="price") is QUEUED
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert transport.wires[0].sent == ["kept", "of one price", "price 2"]
    assert [(drop.message.data, drop.reason) for drop in drops] == [
        ("old", Reason.EXPIRED),
        ("price 1", Reason.REPLACED),
    ]
    await ws.close()
    assert rows(path) == []


@pytest.mark.parametrize("key", [("a", 1), 1.5, True])
@real
async def test_a_key_must_be_storable(path: Path, key: Any) -> None:
    async with away(path) as ws:
        with pytest.raises(TypeError, match="key must be a str, an int or bytes"):
            await ws.send("a", key=key)
        with pytest.raises(ValueError, match="eight bytes"):
            await ws.send("a", key=-(2**63) - 1)
        assert await ws.send("a", key=-(2**63)) is QUEUED
    assert len(rows(path)) == 1


@pytest.mark.spec("G5.1", "G5.2", "G6")
@real
async def test_the_decision_counts_on_disk_as_in_memory(path: Path) -> None:
    ws, _ = make(path, DOWN, DOWN, policy=Answering(recloser.Retry(99.0), Stop(unsent=Unsent.DROP)))
    ws.connect()
    await turns()
    await ws.send("a")
    ws.connect()
    await turns()
    assert ws.state is State.CLOSED
    await ws.close()
    assert rows(path) == []


@pytest.mark.spec("G5.2", "G6")
@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 4000])
@real
async def test_what_is_kept_is_kept_on_disk_whatever_the_code(path: Path, code: int) -> None:
    ws, transport = make(path, UP, answers=[Stop()])
    async with ws:
        wire = transport.wires[0]
        wire.stall()
        sending = asyncio.ensure_future(ws.send("in the buffer"))
        await turns()
        if code == 1000:
            leaving = asyncio.ensure_future(ws.close())
            await turns()
            assert await sending is QUEUED
            await leaving
        else:
            wire.end(CUT if code == 1006 else peer(code))
            assert await sending is QUEUED
            assert ws.state is State.CLOSED
    assert [data for _, data in rows(path)] == ["in the buffer"]


def peer(code: int) -> recloser.Close:
    origin, cause = recloser.fsm.Origin.PEER, recloser.fsm.Cause.CLOSE_FRAME
    return recloser.Close(code=code, origin=origin, cause=cause, clean=True)


@pytest.mark.spec("G3.1", "G4.5")
@real
async def test_what_would_wait_for_the_connection_waits_in_the_file(path: Path) -> None:
    ws, transport = make(path, UP, max_bytes=100)
    async with ws:
        wire = transport.wires[0]
        wire.stall()
        first = asyncio.ensure_future(ws.send("first"))
        await turns()
        large = asyncio.ensure_future(ws.send("x" * 200))  # the outbox has no room for it
        answer = asyncio.ensure_future(ws.send("answer", this_generation=True))
        await turns()
        assert [await ws.send(each) for each in ("a", "b")] == [QUEUED] * 2
        assert [each.done() for each in (first, large, answer)] == [False] * 3
        assert {data for _, data in rows(killed(path, path.with_suffix(".killed")))} >= {"a", "b"}
        wire.flow()
        assert await asyncio.gather(first, large, answer) == [Delivery.SENT] * 3
        await settled(lambda: wire.sent[3:] == ["a", "b"])
        assert wire.sent[:3] == ["first", "x" * 200, "answer"]
        await ws.drain()
        assert await ws.send("c") is Delivery.SENT
    assert rows(path) == []


@pytest.mark.spec("G4.3", "G6")
@real
async def test_what_is_left_in_the_write_buffer_is_in_the_file(path: Path, tmp_path: Path) -> None:
    ws, transport = make(path, UP, UP)
    async with ws:
        assert await ws.send("left") is SENT
        assert rows(killed(path, tmp_path / "none.db")) == []
        wire = transport.wires[0]
        wire.stall()
        sending = asyncio.ensure_future(ws.send("stuck"))
        await turns()
        wire.end(CUT)
        assert await sending is QUEUED
        assert rows(killed(path, tmp_path / "stuck.db")) == [(2, "stuck")]
        ws.connect()
        await ws.wait_for(State.OPEN)
        await ws.drain()
        assert transport.wires[1].sent == ["stuck"]
    assert rows(path) == []


@pytest.mark.spec("G6", "G7.2")
@real
async def test_the_file_knows_of_a_flush_before_the_peer_does(path: Path, tmp_path: Path) -> None:
    async with away(path) as ws:
        for each in range(200):
            await ws.send(str(each))
    ws, transport = make(path, UP)

    def look(change: recloser.StateChange) -> None:
        if change.current is State.OPEN:
            transport.wires[0].stall()

    ws.subscribe(look)
    async with ws:
        await settled(lambda: len(transport.wires[0]._write_buffer) == 1)
        copy = killed(path, tmp_path / "copy.db")
        marks = [row.deliveries for row in read_snapshot(copy)[0]]
        assert marks == [1] * 64 + [0] * 136
        transport.wires[0].flow()
        await ws.drain()
    assert transport.wires[0].sent == [str(each) for each in range(200)]
    assert rows(path) == []
    again, transport = make(copy, UP)
    async with again:
        assert [each.redelivered for each in again.outbox.peek()][:1] in ([], [False], [True])
        await again.drain()
        assert transport.wires[0].sent == [str(each) for each in range(200)]


@pytest.mark.spec("G6", "G7.2", "G7.6")
@real
async def test_with_acknowledgements_numbers_and_marks_go_on_after_a_restart(path: Path) -> None:
    acknowledgements = Acknowledgements(
        matcher=lambda message: UpTo(int(str(message))),
        render=lambda message: str(message.id) + ("!" if message.redelivered else ""),
    )
    ws, transport = make(path, UP, acknowledgements=acknowledgements)
    async with ws:
        assert [await ws.send("x") for _ in range(3)] == [QUEUED] * 3
        await settled(lambda: len(transport.wires[0].sent) == 3)
        transport.wires[0].deliver("1")
    assert rows(path) == [(2, "x"), (3, "x")]
    ws, transport = make(path, UP, acknowledgements=acknowledgements)
    async with ws:
        await ws.send("x")
        await settled(lambda: len(transport.wires[0].sent) == 3)
        assert transport.wires[0].sent == ["2!", "3!", "4"]
        transport.wires[0].deliver("4")
        await ws.drain()
        assert ws.statistics().acknowledged == 3
    assert rows(path) == []
    ws, transport = make(path, UP, acknowledgements=acknowledgements)
    async with ws:
        await ws.send("x")
        await settled(lambda: transport.wires[0].sent == ["5"])  # a number is never used again
    assert rows(path) == [(5, "x")]


@pytest.mark.spec("G6")
@real
async def test_one_file_serves_one_engine_at_a_time(path: Path) -> None:
    async with away(path) as ws:
        await ws.send("a")
        other, transport = make(path, UP)
        for _ in range(2):
            with pytest.raises(OutboxInUse, match="is in use: close the other engine"):
                other.connect()
        assert (other.state, transport.wires) == (State.CLOSED, [])
        with pytest.raises(OutboxInUse):
            async with other:
                pass
        await ws.send("b")
    other.connect()
    assert shown(other) == [(1, "a"), (2, "b")]
    await other.close()


@pytest.mark.spec("G6")
@real
async def test_closed_and_connected_again_at_once(path: Path) -> None:
    """While the file is being given free, it cannot be opened, and nothing may be lost."""
    ws, transport = make(path, *[UP] * 40)
    for count in range(20):
        ws.connect()
        await ws.wait_for(State.OPEN)
        await ws.drain()
        transport.wires[-1].stall()
        sending = asyncio.ensure_future(ws.send(str(count)))
        await turns()
        closing = asyncio.ensure_future(ws.close())
        await turns(count)
        ws.connect()
        await closing
        assert await sending is QUEUED
    await ws.wait_for(State.OPEN)
    await ws.drain()
    await ws.close()
    sent = [message for wire in transport.wires for message in wire.sent]
    assert sent == [str(count) for count in range(20)]
    assert rows(path) == []


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_is_taken_out_is_taken_out_of_the_file(path: Path, tmp_path: Path) -> None:
    async with away(path) as ws:
        await ws.send("a")
        assert [message.data for message in ws.outbox.clear()] == ["a"]
        await ws.send("b")
        assert rows(killed(path, tmp_path / "copy.db")) == [(2, "b")]
    assert [message.data for message in ws.outbox.peek()] == ["b"]
    assert [message.data for message in ws.outbox.clear()] == ["b"]  # closed: the file is not open
    assert rows(path) == []


@pytest.mark.spec("G6", "G7.1")
@real
async def test_what_is_acknowledged_in_closed_is_taken_out_of_the_file(path: Path) -> None:
    ws, _ = make(path, UP, acknowledgements=Acknowledgements())
    async with ws:
        await ws.send("a")
        await ws.send("b")
        await settled(lambda: all(each.deliveries for each in ws.outbox.peek()))
    assert ws.outbox.ack(1) == 1
    assert rows(path) == [(2, "b")]
    async with away(path):
        with pytest.raises(OutboxInUse):
            ws.outbox.ack(2)
        with pytest.raises(OutboxInUse):
            ws.outbox.clear()
    assert shown(ws) == rows(path) == [(2, "b")]


@pytest.mark.spec("G1.2", "G6")
@real
async def test_what_another_engine_has_sent_meanwhile_is_not_sent_again(path: Path) -> None:
    ws, transport = make(path, DOWN, UP)
    ws.connect()
    await turns()
    await ws.send("a")
    await ws.send("b")
    await ws.close()
    other, others_transport = make(path, UP)
    async with other:
        await other.drain()
    assert others_transport.wires[0].sent == ["a", "b"]
    assert shown(ws) == [(1, "a"), (2, "b")]  # as it was left
    async with ws:
        await ws.drain()
        assert await ws.send("c") is SENT
    assert transport.wires[0].sent == ["c"]


@pytest.mark.spec("G6")
@real
async def test_messages_move_from_file_to_file(path: Path, tmp_path: Path) -> None:
    async with away(path) as ws, away(tmp_path / "other.db") as other:
        await ws.send("a", key="k")
        await other.send("first")
        assert ws.outbox.move_to(other) == 1
        await other.send("last")
        assert [message.data for message in ws.outbox.peek()] == []
    assert rows(path) == []
    assert rows(tmp_path / "other.db") == [(1, "first"), (2, "a"), (3, "last")]


@pytest.mark.spec("G1.2", "G6")
@real
async def test_a_move_out_of_a_file_that_is_in_use_moves_nothing(path: Path) -> None:
    async with away(path) as ws:
        await ws.send("once")
    memory, _ = engine(DOWN, outbox=Outbox())
    memory.connect()
    async with away(path) as other:
        with pytest.raises(OutboxInUse):
            ws.outbox.move_to(memory)
        assert (len(other.outbox), len(memory.outbox)) == (1, 0)
    assert ws.outbox.move_to(memory) == 1
    assert (rows(path), shown(memory)) == ([], [(0, "once")])
    await memory.close()


@pytest.mark.spec("G6", "J1.1")
@real
async def test_a_full_disk_refuses_what_is_new_and_keeps_what_is_there(path: Path) -> None:
    ws, transport = make(path, DOWN, UP, acknowledgements=None)
    ws.connect()
    await turns()
    await ws.send("a")
    connection = connection_of(ws)
    connection.execute("PRAGMA max_page_count = 1")
    with structlog.testing.capture_logs() as lines:
        results = await asyncio.gather(
            *(ws.send("x" * 9000) for _ in range(3)), return_exceptions=True
        )
    assert [type(each) for each in results] == [recloser.OutboxNotSaved] * 3
    assert "make room on the disk" in str(results[0])
    assert {line["event"] for line in lines} == {"websocket.outbox_not_saved"}
    assert shown(ws) == [(1, "a")]
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert await ws.send("y" * 9000) is SENT
    assert transport.wires[0].sent == ["a", "y" * 9000]
    connection.execute("PRAGMA max_page_count = 1000000")
    transport.wires[0].end(CUT)
    assert await ws.send("z" * 9000) is QUEUED
    await ws.close()
    assert [data for _, data in rows(path)] == ["z" * 9000]


@pytest.mark.spec("J1.2")
@real
async def test_an_engine_that_closes_holds_no_file_and_no_thread(path: Path) -> None:
    ws, _ = make(path, UP, UP)
    async with ws:
        await ws.send("a")
    assert sorted(each.name for each in path.parent.iterdir()) == ["outbox.db"]
    async with ws:
        assert await ws.send("b") is SENT


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 5)),
        st.tuples(st.just("keyed"), st.integers(1, 3)),
        st.tuples(st.just("open"), st.none()),
        st.tuples(st.just("cut"), st.none()),
        st.tuples(st.just("stall"), st.none()),
        st.tuples(st.just("flow"), st.integers(1, 3)),
        st.tuples(st.just("ack"), st.integers(0, 5)),
        st.tuples(st.just("clear"), st.none()),
        st.tuples(st.just("close"), st.none()),
        st.tuples(st.just("kill"), st.none()),
    ),
    min_size=4,
    max_size=20,
)


@pytest.mark.spec("G1.2", "G6", "G7.1")
@settings(max_examples=25)
@given(steps=STEPS, acknowledged=st.booleans())
def test_a_process_that_is_killed_at_any_step_leaves_all_that_it_had_accepted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]], acknowledged: bool
) -> None:
    in_real_time(life(tmp_path_factory.mktemp("life"), steps, acknowledged=acknowledged))


async def life(folder: Path, steps: list[tuple[str, Any]], *, acknowledged: bool) -> None:
    """Kill after each step what may be killed, and see what it leaves."""
    acknowledgements = Acknowledgements(window=4) if acknowledged else None
    lives, count = 0, 0
    path = folder / "0.db"
    account: dict[str, str] = {}
    ws, transport = make(path, *[UP] * 50, acknowledgements=acknowledgements, clock=Hasty())
    ws.connect()
    engines = [ws]
    for name, value in steps:
        wire = transport.live[-1] if transport.live else None
        match name:
            case "send" | "keyed" if ws.state is not State.CLOSED:
                for _ in range(value):
                    count += 1
                    key = "k" if name == "keyed" else None
                    sending = asyncio.ensure_future(ws.send(f"{count:04}", key=key))
                    await either(sending, transport)
                    if not sending.done():
                        wire = transport.live[-1]
                        wire.end(CUT)
                        ws.connect()
                    await sending
                    account[f"{count:04}"] = "accepted"
            case "open":
                ws.connect()
                await turns()
            case "cut" if wire is not None:
                wire.end(CUT)
            case "stall" if wire is not None:
                wire.stall()
            case "flow" if wire is not None:
                wire.flow(None if value == 3 else value)
            case "ack" if acknowledged:
                ws.outbox.ack(value)
            case "clear":
                account.update((str(each.data), "taken") for each in ws.outbox.clear())
            case "close":
                await ws.close()
            case "kill":
                lives += 1
                path = killed(path, folder / f"{lives}.db")
                ws, transport = make(
                    path, *[UP] * 50, acknowledgements=acknowledgements, clock=Hasty()
                )
                ws.connect()
                engines.append(ws)
        await turns()
        await settled(lambda ws=ws: file_is_current(ws))  # type: ignore[misc]  # binds the loop's
        check(path, folder, ws, account)
    for each in engines:
        await each.close()


async def either(sending: asyncio.Task[Delivery], transport: ScriptedTransport) -> None:
    """Wait until a message was taken, or is stuck in a write buffer."""
    await settled(lambda: sending.done() or any(wire._write_buffer for wire in transport.live))


def check(path: Path, folder: Path, ws: Engine, account: dict[str, str]) -> None:
    """The file has what is held or on its way, each once, in order, and nothing else."""
    copy = folder / "look.db"
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").unlink(missing_ok=True)
    found = rows(killed(path, copy))
    held = shown(ws)
    leaving = [(each.number, each.data) for each in sender_of(ws).core.leaving()]
    assert set(held) <= set(found) <= set(held) | set(leaving)
    assert {data for _, data in found} <= set(account)
    assert not [data for _, data in found if account[str(data)] == "taken"]


FORGETFUL = """
import asyncio, sys
import recloser
from recloser.testing import Plan, ScriptedTransport

async def main():
    transport = ScriptedTransport([Plan()])
    ws = recloser.connect("ws://x", transport=transport, outbox=recloser.Outbox(path=sys.argv[1]))
    ws.connect()
    print(await ws.send("a"))
    return ws

ws = asyncio.run(main())
"""


@pytest.mark.spec("G6", "J2.2")
def test_an_engine_that_nobody_closes_does_not_keep_the_process_from_ending(path: Path) -> None:
    """The thread that waits for the disk is a daemon."""
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Delivery." in done.stdout
    assert "Traceback" not in done.stderr
    assert rows(path) in ([], [(1, "a")])


@pytest.mark.spec("G6", "G7.6")
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


@pytest.mark.spec("G4.3", "G6")
@real
async def test_what_came_back_from_a_connection_stays_in_the_file_until_it_has_left(
    path: Path, tmp_path: Path
) -> None:
    """The next connection took it for gone: its own write buffer did not know of it."""
    ws, transport = make(path, UP, UP)
    await open_(ws)
    transport.wires[0].stall()
    sending = [asyncio.ensure_future(ws.send(str(number))) for number in range(3)]
    await turns()
    transport.wires[0].end(CUT)
    assert await asyncio.gather(*sending) == [QUEUED] * 3

    def stalled(change: recloser.StateChange) -> None:
        if change.current is State.OPEN:
            transport.wires[1].stall()

    ws.subscribe(stalled)
    await open_(ws)
    await settled(lambda: transport.wires[1].unsent == 1 and file_is_current(ws))
    assert [data for _, data in rows(killed(path, tmp_path / "copy.db"))] == ["0", "1", "2"]
    transport.wires[1].flow()
    await ws.drain()
    await ws.close()
    assert transport.wires[1].sent == ["0", "1", "2"]
    assert rows(path) == []


@pytest.mark.spec("G6", "G7.1")
def test_an_engine_with_a_file_moves_to_another_event_loop(path: Path) -> None:
    ws, transport = make(path, UP, UP, acknowledgements=ACKNOWLEDGED)

    async def life(number: int, word: str, expected: list[str]) -> None:
        async with ws:
            await ws.send(word)
            sent = transport.wires[number].sent
            await settled(lambda: sent == expected)

    in_real_time(life(0, "a", ["a"]))
    in_real_time(life(1, "b", ["a", "b"]))
    assert rows(path) == [(1, "a"), (2, "b")]
