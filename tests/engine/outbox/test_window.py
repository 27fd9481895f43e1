"""A file with more messages than the window: in memory is what goes next, the rest is unread."""

import asyncio
import logging
import string
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recloser
from recloser import (
    Acknowledgements,
    Delivery,
    Drop,
    Outbox,
    OutboxDamaged,
    OutboxFull,
    Retry,
    State,
)
from recloser.fsm import Unsent
from recloser.outbox import Reason
from recloser.outbox.effects import Read, Survey
from recloser.outbox.events import Known, Surveyed
from recloser.outbox.file.database import Database
from recloser.outbox.file.reader import PART, first_rows, next_messages, survey
from recloser.outbox.file.stored_message import StoredMessage
from recloser.outbox.window import ReadWindow
from recloser.testing import Plan
from tests.engine.outbox.engines import sender_of, writer_of
from tests.engine.outbox.files import away, make, real, row_of, rows, settled
from tests.engine.outbox.test_damaged import holes
from tests.engine.outbox.test_stalled_disk import Stall
from tests.engine.rig import DOWN, turns

MANY = 5000
WINDOW = ReadWindow()
ROOMY: dict[str, Any] = {"max_messages": 10 * MANY, "max_bytes": 2**40}


def row(number: int, **facts: Any) -> StoredMessage:
    return StoredMessage(number, None, None, f"{number}", None, 0)._replace(**facts)


def filled(path: Path, *made: StoredMessage) -> None:
    """A file with many messages; those that are named are of another kind."""
    found = {number: row(number) for number in range(1, MANY + 1)} | {e.number: e for e in made}
    with closing(Database(str(path), fsync=False)) as file:
        file.write(found.values(), {}, ())


def replaced(path: Path, what: bytes, by: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(what, by))


def in_memory(ws: recloser.ReconnectingWebSocket) -> int:
    return len(sender_of(ws).core.entries())


def counted(ws: recloser.ReconnectingWebSocket) -> bool:
    return sender_of(ws).core.counted


EVERY = [str(number) for number in range(1, MANY + 1)]


@pytest.mark.spec("G3.1", "G6", "G12.1")
@real
async def test_all_go_out_in_order_and_few_are_in_memory(path: Path) -> None:
    filled(path)
    ws, transport = make(path, Plan(), **ROOMY)
    ws.connect()
    assert len(ws.outbox) == MANY
    most = 0
    sent: list[object] = []
    while len(ws.outbox):
        most = max(most, in_memory(ws))
        await asyncio.sleep(0)
    sent = transport.wires[0].sent
    assert sent == EVERY
    assert most <= WINDOW.ahead + WINDOW.messages
    await ws.close()
    assert rows(path) == []


@pytest.mark.spec("G3.1", "G6", "G12.1", "G12.2")
@real
async def test_what_is_sent_behind_a_full_window_is_read_back_in_order(path: Path) -> None:
    ws, transport = make(path, DOWN, Plan(), **ROOMY)
    ws.connect()
    await turns()
    total = 3 * WINDOW.most
    for begin in range(0, total, 1000):
        batch = [str(number) for number in range(begin, min(begin + 1000, total))]
        answers = await asyncio.gather(*map(ws.send, batch))
        assert set(answers) == {Delivery.QUEUED}
    assert len(ws.outbox) == total
    assert ws.outbox.bytes == sum(len(str(number)) for number in range(total))
    assert in_memory(ws) <= WINDOW.most + 1000
    ws.connect()
    await ws.drain()
    assert transport.wires[0].sent == [str(number) for number in range(total)]
    await ws.close()
    assert rows(path) == []


@pytest.mark.spec("G7.3", "G12.1")
@real
async def test_numbers_acknowledge_what_was_read_by_window(path: Path) -> None:
    filled(path)
    wanted = Acknowledgements(matcher=int, render=lambda message: f"{message.id}", window=50)
    ws, transport = make(path, Plan(), acknowledgements=wanted, **ROOMY)
    ws.connect()
    with pytest.raises(ValueError, match="is held"):
        await ws.send("again", id=MANY - 1)
    await ws.wait_for(State.OPEN)
    wire, done = transport.wires[0], 0
    while done < MANY:
        await settled(lambda: len(wire.sent) > done)  # noqa: B023 - it is over before the next
        done += 1
        wire.deliver(str(done))
    assert wire.sent == EVERY
    await settled(lambda: len(ws.outbox) == 0)
    await ws.close()
    assert rows(path) == []


@pytest.mark.spec("G2.2", "G2.3", "G12.2")
@real
async def test_the_bounds_count_what_is_unread(path: Path) -> None:
    filled(path)
    ws, _ = make(path, DOWN, max_messages=MANY, when_full="raise")
    ws.connect()
    with pytest.raises(OutboxFull):
        await ws.send("one too many")  # and waits until the messages are counted
    assert counted(ws)
    await ws.close()
    drops: list[Drop] = []
    async with away(path, max_messages=MANY, when_full="drop-oldest", on_drop=drops.append) as ws:
        assert await ws.send("newer") is Delivery.QUEUED
        assert [(each.message.data, each.reason) for each in drops] == [("1", Reason.OLDEST)]
        answers = await asyncio.gather(*(ws.send(f"{number}") for number in range(MANY)))
        assert set(answers) == {Delivery.QUEUED}
        assert [each.message.data for each in drops] == [*EVERY, "newer"]
        assert len(ws.outbox) == MANY


@pytest.mark.spec("G2.4", "G12.3")
@real
async def test_what_has_a_key_or_a_time_to_live_is_known_behind_the_window(path: Path) -> None:
    clock = recloser.testing.HandClock()
    ended = clock.wall() - 1.0
    filled(path, row(4000, key="price"), row(4001, expires_at=ended), row(4002, id="mine"))
    drops: list[Drop] = []
    wanted = Acknowledgements()
    async with away(
        path, clock=clock, acknowledgements=wanted, on_drop=drops.append, **ROOMY
    ) as ws:
        await ws.send("newer", key="price")
        await settled(lambda: len(drops) > 1)  # the clock is asked when more has been read
        found = {(each.message.data, each.reason) for each in drops}
        assert found == {("4000", Reason.REPLACED), ("4001", Reason.EXPIRED)}
        with pytest.raises(ValueError, match="is held"):
            await ws.send("again", id="mine")
        assert len(ws.outbox) == MANY - 1
        assert in_memory(ws) < WINDOW.ahead + WINDOW.messages


@pytest.mark.spec("G11", "G12.3")
@real
async def test_a_survey_is_told_in_parts_so_that_no_turn_is_long(path: Path) -> None:
    keyed = range(2000, 2000 + 3 * PART)
    filled(path, *(row(number, key=number) for number in keyed))
    drops: list[Drop] = []
    async with away(path, on_drop=drops.append, **ROOMY) as ws:
        *parts, total = writer_of(ws).read_now(Survey(WINDOW.messages))
        assert [len(each.messages) for each in parts if isinstance(each, Known)] == [PART] * 3
        assert isinstance(total, Surveyed)
        assert total.unread == MANY - WINDOW.messages - 3 * PART
        assert not counted(ws)
        ws.outbox.peek()  # the survey was told to nobody
        await ws.send("newer", key=keyed[-1])
        assert [each.message.number for each in drops] == [keyed[-1]]
        assert [each.data for each in ws.outbox.peek()] == [
            *(each for each in EVERY if each != str(keyed[-1])),
            "newer",
        ]


@pytest.mark.spec("G12.4")
@real
async def test_who_looks_at_them_or_takes_them_out_gets_them_all(path: Path) -> None:
    filled(path)
    async with away(path, **ROOMY) as ws:
        assert [each.data for each in ws.outbox.peek()] == EVERY
    async with away(path, **ROOMY) as ws:
        await settled(lambda: counted(ws))
        await ws.send("last")
        assert [each.data for each in ws.outbox.clear()] == [*EVERY, "last"]
        assert len(ws.outbox) == ws.outbox.bytes == 0
    assert rows(path) == []


@pytest.mark.spec("G12.4")
@real
async def test_they_move_to_another_file_and_are_shown_by_a_closed_engine(
    path: Path, tmp_path: Path
) -> None:
    filled(path)
    async with away(tmp_path / "other.db", **ROOMY) as other:
        async with away(path, **ROOMY) as ws:
            assert ws.outbox.move_to(other) == MANY
            await settled(lambda: writer_of(ws).idle)
        assert [each.data for each in other.outbox.peek()] == EVERY
    assert rows(path) == []
    ws, _ = make(tmp_path / "other.db", DOWN, **ROOMY)
    ws.connect()
    await ws.close()
    assert len(ws.outbox) == MANY
    assert [each.data for each in ws.outbox.peek()] == EVERY
    assert len(ws.outbox.clear()) == MANY
    assert rows(tmp_path / "other.db") == []


@pytest.mark.spec("G5.1", "G12.2")
@real
async def test_a_decision_drops_and_reports_what_is_unread(path: Path) -> None:
    filled(path)
    drops: list[Drop] = []
    ws, transport = make(
        path, DOWN, Plan(), answers=[Retry(1e6, unsent=Unsent.DROP)], on_drop=drops.append, **ROOMY
    )
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    await ws.send("kept")
    await settled(lambda: len(drops) == MANY)
    assert {each.reason for each in drops} == {Reason.DECISION}
    assert [each.message.data for each in drops] == EVERY
    assert len(ws.outbox) == 1
    ws.connect()
    await ws.drain()
    assert transport.wires[0].sent == ["kept"]
    await ws.close()
    assert rows(path) == []


@pytest.mark.spec("G6", "G12.5")
@real
async def test_damage_behind_the_window_stops_the_flush_before_it(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled(path, row(4000, data="pay 100"))
    replaced(path, b"pay 100", b"pay 900")
    with caplog.at_level(logging.ERROR):
        ws, transport = make(path, Plan(), **ROOMY)
        ws.connect()
        await settled(lambda: "websocket.outbox_unreadable" in caplog.text)
        with pytest.raises(OutboxDamaged, match="message 4000 is not as it was written"):
            await ws.send("new")
        await settled(lambda: in_memory(ws) == 0)
    sent = transport.wires[0].sent
    assert sent == EVERY[: len(sent)]
    assert 3 * WINDOW.messages <= len(sent) < 4000, "it stops before the part with the damage"
    await ws.close()
    ws, _ = make(path, Plan(), **ROOMY)
    with pytest.raises(OutboxDamaged, match="message 4000 is not as it was written"):
        ws.connect()
    assert len(rows(path)) == MANY - len(sent)


@pytest.mark.spec("G6", "G12.5")
@real
async def test_damage_to_the_structure_of_a_large_file_refuses_what_is_sent(path: Path) -> None:
    filled(path, *(row(number, data="x" * 3000) for number in range(2000, MANY)))
    holes(path, 1000)
    ws, transport = make(path, Plan(), **ROOMY)
    ws.connect()
    with pytest.raises(OutboxDamaged, match="is damaged"):
        await ws.send("new")
    await settled(lambda: len(transport.wires[0].sent) == WINDOW.messages)
    await ws.close()
    assert len(transport.wires[0].sent) == WINDOW.messages


@pytest.mark.spec("G11", "G12.1")
@real
async def test_the_event_loop_goes_on_while_a_window_waits_for_the_disk(path: Path) -> None:
    filled(path)
    async with away(path, Plan(), **ROOMY) as ws:
        await settled(lambda: counted(ws))
        stall = Stall(ws)
        sending = asyncio.ensure_future(ws.send("late"))
        await settled(stall.begun.is_set)
        try:
            ws.connect()
            await ws.wait_for(State.OPEN)
            await turns(50)  # each of them would wait for the disk
            assert not sending.done()
        finally:
            stall.end()
        assert await sending is Delivery.QUEUED
        await ws.drain()
    assert rows(path) == []


@pytest.mark.spec("G12.1")
@real
async def test_an_engine_that_is_closed_while_it_reads_begins_anew(path: Path) -> None:
    filled(path)
    ws, transport = make(path, DOWN, DOWN, Plan(), **ROOMY)
    for _ in range(2):
        ws.connect()
        await turns()
        await ws.close()
        assert len(ws.outbox) == MANY
    ws.connect()
    await ws.drain()
    assert transport.wires[0].sent == EVERY
    await ws.close()


TEXTS = st.text(st.sampled_from(string.ascii_letters + "\0,;'\"é€😀\n"), max_size=30)
DATA = st.one_of(TEXTS, st.binary(max_size=30))
KINDS = st.sampled_from([{}, {}, {}, {"id": "own"}, {"key": "k"}, {"suspect": 1}, {"id": -5}])


@pytest.mark.spec("G6", "G12.1")
@given(
    st.lists(st.tuples(DATA, KINDS, st.booleans(), st.integers(0, 3)), max_size=12),
    st.integers(1, 5),
    st.integers(1, 60),
)
def test_windows_survey_and_first_messages_are_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    made: list[tuple[str | bytes, dict[str, Any], bool, int]],
    messages: int,
    size: int,
) -> None:
    numbers, bounds = count(3, 2), ReadWindow(messages=messages, bytes=size)
    written = []
    for (data, kind, named, deliveries), number in zip(made, numbers, strict=False):
        identity = {"id": number} if named else {}
        written.append(row(number, data=data, deliveries=deliveries, **(identity | kind)))
    path = tmp_path_factory.mktemp("window") / "outbox.db"
    with closing(Database(str(path), fsync=False)) as file:
        file.write(written, {}, ())
        found, more = first_rows(file, bounds)
        assert found == written[: len(found)]
        assert more is (len(found) < len(written))
        assert len(found) == 1 or sum(each.size for each in found) <= size
        after = found[-1].number if found else 0
        behind = written[len(found) :]
        special = [each for each in behind if each.key or each.suspect or each.id in ("own", -5)]
        plain = [each for each in behind if each not in special]
        total = sum(each.size for each in plain)
        assert survey(file, after) == (len(plain), total, special)
        part, more = next_messages(file, after, None)
        assert list(map(row_of, part)) == plain
        assert not more
        named, _ = next_messages(file, after, None, named=True)
        assert [each.id for each in named] == [each.number for each in plain]
        more = True
        while more and plain:
            part, more = next_messages(file, after, bounds)
            found = list(map(row_of, part))
            assert 1 <= len(found) <= messages
            assert len(found) == 1 or sum(each.size for each in found) <= size
            assert found == plain[: len(found)]
            plain, after = plain[len(found) :], found[-1].number
        assert plain == []


@pytest.mark.spec("G12.1")
def test_a_store_in_memory_has_nothing_to_read() -> None:
    ws = recloser.connect("ws://feed.example", outbox=Outbox())
    store = sender_of(ws).store
    assert store.read_now(Survey(0), Read(0, None)) == []
