"""What meets a reading of the file: a close, an error, an id, and changes that are not written."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from recloser import Acknowledgements, Drop, Outbox, OutboxDamaged, State, Stop
from recloser.fsm import Unsent
from recloser.fsm.states import Wish
from recloser.outbox import Reason, events
from recloser.outbox.core import OutboxCore
from recloser.outbox.effects import Dropped, Effect, Save, Survey
from recloser.outbox.file.database import Database
from recloser.outbox.file.reader import first_rows, next_messages
from recloser.outbox.message import Entry, Message, make_message
from recloser.outbox.window import ReadWindow
from recloser.testing import Plan
from tests.engine.outbox.engines import sender_of
from tests.engine.outbox.files import away, make, real, row_of, rows, settled
from tests.engine.outbox.test_window import EVERY, MANY, ROOMY, WINDOW, filled, replaced, row
from tests.engine.rig import DOWN


def dropped(found: list[Effect]) -> list[object]:
    return [m.data for each in found if isinstance(each, Dropped) for m in each.messages]


@pytest.mark.spec("G5.1", "G12.2")
@real
async def test_a_decision_that_ends_in_closed_drops_what_is_unread_first(path: Path) -> None:
    filled(path)
    drops: list[Drop] = []
    ws, _ = make(path, DOWN, answers=[Stop(unsent=Unsent.DROP)], on_drop=drops.append, **ROOMY)
    ws.connect()
    await ws.wait_for(State.CLOSED)
    await ws.close()
    assert [each.message.data for each in drops] == EVERY
    assert {each.reason for each in drops} == {Reason.DECISION}
    assert len(ws.outbox) == ws.outbox.bytes == 0
    assert rows(path) == []


@pytest.mark.spec("G5.1", "G12.2")
@pytest.mark.parametrize("another", [False, True], ids=["the_file", "another_file"])
def test_what_a_decision_dropped_is_dropped_after_the_next_connect_if_not_before(
    *, another: bool
) -> None:
    core = OutboxCore(Outbox(path="unused.db"), closed=RuntimeError)
    first, second, third, fourth = (Message(f"{n}", 1, number=n) for n in range(1, 5))
    core.handle(events.Restored([first], 3, highest=3), 0.0)
    ended = events.Disconnected(1, State.CLOSED, [], Unsent.DROP)
    assert dropped(core.handle(ended, 0.0)) == ["1"]
    assert core.doomed  # and the file is released before more was read
    if another:
        assert dropped(core.handle(events.Restored([first, second], 2), 0.0)) == []
        assert core.held == 2
        return
    assert dropped(core.handle(events.Restored([second], 4, highest=4), 0.0)) == ["2"]
    assert core.doomed
    core.handle(events.Surveyed(2, 2), 0.0)
    assert dropped(core.handle(events.Window(2, [third, fourth], None), 0.0)) == ["3"]
    assert not core.doomed
    assert [each.message for each in core.entries()] == [fourth]
    assert core.bytes == 1


@pytest.mark.spec("G5.1", "G12.5")
@real
async def test_what_is_dropped_at_the_end_is_dropped_up_to_the_damage(path: Path) -> None:
    filled(path, row(4000, data="pay 100"))
    replaced(path, b"pay 100", b"pay 900")
    drops: list[Drop] = []
    ws, _ = make(path, DOWN, answers=[Stop(unsent=Unsent.DROP)], on_drop=drops.append, **ROOMY)
    ws.connect()
    await ws.wait_for(State.CLOSED)
    await ws.close()
    assert [each.message.data for each in drops] == EVERY[: 3 * WINDOW.messages]
    assert len(rows(path)) == MANY - len(drops)


@pytest.mark.spec("G12.4")
@real
async def test_a_reading_goes_on_where_one_of_all_has_failed(path: Path) -> None:
    filled(path, row(4000, data="pay 100"))
    replaced(path, b"pay 100", b"pay 900")
    ws, transport = make(path, Plan(), **ROOMY)
    ws.connect()
    with pytest.raises(OutboxDamaged, match="message 4000 is not as it was written"):
        ws.outbox.peek()
    await ws.send("behind")  # it waits until the messages are counted
    await settled(lambda: len(transport.wires[0].sent) >= 3 * WINDOW.messages)
    await settled(lambda: not sender_of(ws).core.entries())
    sent = transport.wires[0].sent
    assert sent == EVERY[: len(sent)]
    assert len(sent) < 4000, "it stops before the part with the damage"
    await ws.close()


@pytest.mark.spec("G12.3")
@real
async def test_an_id_that_is_found_behind_the_window_is_refused(path: Path) -> None:
    filled(path, row(4002, id="mine"))
    async with away(path, acknowledgements=Acknowledgements(), **ROOMY) as ws:
        other, again = ws.send("other", id="free"), ws.send("again", id="mine")
        found = await asyncio.gather(other, again, return_exceptions=True)
        assert isinstance(found[1], ValueError)
        assert "'mine' is held" in str(found[1])
        assert [each.data for each in ws.outbox.peek()] == [*EVERY, "other"]


@pytest.mark.spec("G7.3", "G12.3")
@real
async def test_each_message_that_was_handed_over_can_be_acknowledged(path: Path) -> None:
    large = (row(number, data="x" * 100_000, deliveries=1) for number in range(1, 101))
    filled(path, *large)
    wanted = Acknowledgements(window=100)
    async with away(path, acknowledgements=wanted, **ROOMY) as ws:
        assert ws.outbox.ack(90, up_to=True) == 90
        assert ws.outbox.ack(91) == 1
    assert [number for number, _ in rows(path)] == [*range(92, MANY + 1)]


@pytest.mark.spec("G12.2")
def test_what_is_in_memory_and_in_the_file_is_not_counted_twice(path: Path) -> None:
    made = [row(number, deliveries=number <= 4) for number in range(1, 11)]
    bounds = ReadWindow(messages=2)
    with closing(Database(str(path), fsync=False)) as file:
        file.write(made, {}, ())
        assert first_rows(file, bounds) == (made[:2], True)
        assert first_rows(file, bounds, until=7) == (made[:7], True)
        assert first_rows(file, bounds, delivered=True) == (made[:4], True)
        assert first_rows(file, bounds, until=10) == (made, False)


@pytest.mark.spec("G12.2")
def test_a_message_that_is_in_the_file_before_the_others_are_counted_is_kept() -> None:
    core = OutboxCore(Outbox(path="unused.db"), closed=RuntimeError)
    core.handle(events.Restored([], 7), 0.0)
    entry = Entry(make_message("new"))
    core.handle(events.Offered(entry, State.BACKOFF, Wish.CONNECT), 0.0)
    old = Message("old", 3, number=7)
    found = core.handle(events.Restored([old], 8, {entry.message.number}, 8), 0.0)
    assert Survey(7) in found
    core.handle(events.Saved(entry), 0.0)
    core.handle(events.Surveyed(0, 0), 0.0)
    assert sorted(str(each.message.data) for each in core.entries()) == ["new", "old"]
    assert core.held == 2
    assert core.bytes == 6


@pytest.mark.spec("G2.2", "G12.2")
def test_a_line_that_is_longer_than_the_window_waits_for_no_further_event() -> None:
    core = OutboxCore(
        Outbox(path="unused.db", max_messages=5, when_full="drop-oldest"),
        closed=RuntimeError,
        window=ReadWindow(messages=1, ahead=1, most=2),
    )
    old = Message("old", 3, number=1)
    core.handle(events.Restored([old], 2, highest=2), 0.0)
    entries = [Entry(make_message(f"{number}")) for number in range(20)]
    for entry in entries:
        assert core.handle(events.Offered(entry, State.BACKOFF, Wish.CONNECT), 0.0) == []
    found = core.handle(events.Surveyed(0, 0), 0.0)
    assert [each.entry for each in found if isinstance(each, Save)] == entries
    assert dropped(found) == ["old", *(f"{number}" for number in range(15))]
    assert core.held == 5


@pytest.mark.spec("G12.4")
def test_all_messages_may_be_more_than_a_value_of_sqlite(path: Path) -> None:
    made = [row(number, data=bytes(300_000)) for number in range(1, 21)]
    with closing(Database(str(path), fsync=False)) as file:
        file.write(made, {}, ())
        file.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2**21)
        found, more = next_messages(file, 0, None)
        assert (list(map(row_of, found)), more) == (made, False)
