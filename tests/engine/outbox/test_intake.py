"""What the file gives the core, one event at a time: when it is opened, looked through, read on."""

from typing import Any

import pytest

from recloser import Acknowledgements, Delivery, Outbox, OutboxFull
from recloser.fsm import Unsent
from recloser.fsm.states import State, Wish
from recloser.outbox import events
from recloser.outbox.dispatch import LOOK
from recloser.outbox.effects import (
    Answer,
    Dropped,
    Flush,
    Read,
    Resent,
    Save,
    Send,
    Survey,
    Suspected,
)
from recloser.outbox.message import Message, Reason, make_message
from recloser.outbox.table import MessageState
from recloser.outbox.window import ReadWindow
from tests.engine.outbox.hand import HandCore, only

ACKNOWLEDGED = Acknowledgements(timeout=30.0)
FILE = Outbox(path="outbox.db")
BOTH = Outbox(path="outbox.db", acknowledgements=ACKNOWLEDGED)
AWAY = State.BACKOFF


def stored(number: int, text: str = "x", **facts: Any) -> Message:
    return make_message(text)._replace(number=number, **facts)


def numbers(hand: HandCore) -> list[int]:
    return [each.message.number for each in hand.core.entries()]


def with_unread(outbox: Outbox = FILE, *, last: int = 9) -> HandCore:
    """A core that has the first message of a file, and does not know yet how many are behind."""
    hand = HandCore(outbox, open_=False)
    assert hand.tell(events.Restored([stored(1)], last=last, highest=last)) == [Survey(1)]
    return hand


@pytest.mark.spec("G6", "G12.1")
def test_a_file_of_which_nothing_is_taken_is_looked_through_from_its_begin() -> None:
    """All of its first messages are being taken out of it."""
    hand = HandCore(FILE, open_=False)
    assert hand.tell(events.Restored([], last=9, highest=9)) == [Survey(0)]
    assert hand.core.held == 9, "the most that there may be"
    assert hand.tell(events.Surveyed(unread=4, bytes=40)) == [Read(0, ReadWindow())]
    assert (hand.core.held, hand.core.bytes) == (4, 40)


@pytest.mark.spec("G1.2", "G6", "G7.6")
def test_what_is_in_no_file_any_more_was_sent_by_another_engine() -> None:
    """But for what no file has, and what was not written yet."""
    hand = HandCore(BOTH, open_=False)
    fleeting, _ = hand.offer(state=State.CONNECTING, generation=5)
    unwritten, gone, there = (hand.offer(state=AWAY)[0] for _ in range(3))
    mine, _ = hand.offer(state=AWAY, own="mine")
    event = events.Restored([stored(4)], last=5, unwritten=frozenset({2}))
    assert hand.tell(event) == []
    assert hand.core.entries() == (fleeting, unwritten, there)
    assert [each.state for each in (gone, mine)] == [MessageState.WITHDRAWN] * 2
    assert hand.core.held == 3
    again, _ = hand.offer(state=AWAY, own="mine")
    assert again.message.number == 6, "its id is free"


@pytest.mark.spec("G5.6", "G6")
def test_a_suspect_that_is_in_no_file_any_more_is_none() -> None:
    hand = HandCore(FILE)
    entry, _ = hand.offer()
    hand.tell(events.Sent(entry, Delivery.SENT, unsent=True))
    found = hand.tell(events.Disconnected(5, AWAY, [entry], Unsent.DROP_REFUSED))
    assert only(found, Suspected) == [Suspected(1)]
    assert not hand.core.blank
    hand.tell(events.Restored([], last=1))
    assert entry.state is MessageState.WITHDRAWN
    assert hand.core.blank


@pytest.mark.spec("G5.6", "G5.8")
def test_a_suspect_of_the_file_goes_out_alone() -> None:
    hand = HandCore(FILE, open_=False)
    hand.tell(events.Restored([stored(1), stored(2, suspect=True), stored(3)], last=3))
    assert hand.tell(events.Connected(5)) == [Flush(5)]
    first = hand.flushed()
    assert first.message.number == 1
    [step] = only(hand.tell(events.Flushed(first, Delivery.SENT, 5)), Send)
    assert step.entry.message.number == 2
    assert only(hand.tell(events.Flushed(step.entry, Delivery.SENT, 5)), Send, Save) == []


@pytest.mark.spec("G5.6", "G6", "G12.3")
def test_the_buffer_is_looked_at_also_when_a_suspect_is_found_in_the_file() -> None:
    hand = with_unread()
    hand.tell(events.Connected(5))
    hand.tell(events.Known([stored(5, suspect=True)]))
    assert hand.flushed().message.number == 1
    assert hand.core.deadline == hand.now + LOOK


@pytest.mark.spec("G7.6", "G12.3")
@pytest.mark.parametrize("known", [True, False])
def test_who_waits_with_an_id_that_the_file_has_is_refused(known: bool) -> None:
    """It was not known before all of the file was looked at, or it was opened anew."""
    hand = with_unread(BOTH)
    entry, found = hand.offer(state=AWAY, own="mine")
    other, also = hand.offer(state=AWAY, own="yours")
    assert found == also == []
    message = stored(5, id="mine")
    if known:
        found = hand.tell(events.Known([message]))
    else:
        found = hand.tell(events.Restored([stored(1), message], last=9, highest=9))
    [answer] = only(found, Answer)
    assert answer.entry is entry
    assert str(answer.outcome).startswith("a message with the id 'mine' is held")
    assert entry.state is MessageState.WITHDRAWN
    assert other.state is MessageState.OFFERED
    assert [each.message.number for each in hand.core.named(5, up_to=False)] == []


@pytest.mark.spec("G2.2", "G12.2")
@pytest.mark.parametrize("unread", [1, 2])
@pytest.mark.parametrize("when_full", ["wait", "raise", "drop-newest", "drop-oldest"])
def test_who_waits_until_all_is_counted_is_answered_by_the_bounds(
    when_full: Any, unread: int
) -> None:
    hand = with_unread(Outbox(path="outbox.db", max_messages=3, when_full=when_full))
    entry, found = hand.offer(state=AWAY)
    assert found == []
    found = hand.tell(events.Surveyed(unread=unread, bytes=unread))
    room, drops = unread == 1, [each.reason for each in only(found, Dropped)]
    outcomes = [type(each.outcome) for each in only(found, Answer)]
    saved = [each.entry for each in only(found, Save)] == [entry]
    assert saved is (room or when_full == "drop-oldest")
    if room or when_full == "wait":
        assert (outcomes, drops) == ([], [])
    elif when_full == "raise":
        assert (outcomes, drops) == ([OutboxFull], [])
    elif when_full == "drop-newest":
        assert (outcomes, drops) == ([Delivery], [Reason.NEWEST])
    else:
        assert (outcomes, drops) == ([], [Reason.OLDEST])


@pytest.mark.spec("G3", "G12.3")
def test_what_is_behind_nothing_unread_goes_out_at_once() -> None:
    hand = HandCore(FILE)
    hand.tell(events.Restored([], last=9, highest=9))
    assert hand.tell(events.Known([stored(5, key="a")])) == []
    assert hand.tell(events.Surveyed(unread=0, bytes=0)) == [Flush(5)]
    assert hand.core.after is None
    assert hand.flushed().message.number == 5


@pytest.mark.spec("G2.2", "G12.1")
def test_who_waits_for_room_is_let_in_by_the_flush_and_not_by_what_it_has_read() -> None:
    window = ReadWindow(messages=2, ahead=2)
    hand = HandCore(Outbox(path="outbox.db", max_messages=4), open_=False, window=window)
    hand.tell(events.Restored([stored(1), stored(2)], last=4, highest=4))
    hand.tell(events.Connected(5))
    hand.tell(events.Surveyed(unread=2, bytes=2))
    entry, found = hand.offer()
    assert found == []
    found = hand.tell(events.Ready(5))
    assert only(found, Save, Read) == [Save(None), Read(2, window)]
    found = hand.tell(events.Ready(5))
    assert [type(each) for each in found] == [Send]
    assert entry.state is MessageState.OFFERED
    found = hand.tell(events.Flushed(found[0].entry, Delivery.SENT, 5))
    assert only(found, Save) == [Save(entry)]


@pytest.mark.spec("G12.1")
def test_while_the_flush_waits_for_its_marks_the_file_is_read_into_all_the_room_there_is() -> None:
    window = ReadWindow(messages=4, ahead=4)
    hand = HandCore(FILE, window=window)
    hand.tell(events.Restored([stored(number) for number in range(1, 6)], last=30, highest=30))
    [flush] = hand.tell(events.Surveyed(unread=25, bytes=25))
    assert flush == Flush(5), "more are there than have to be"
    found = hand.tell(events.Ready(5))
    assert only(found, Save, Read) == [Save(None), Read(5, ReadWindow(messages=3, ahead=4))]
    part = [stored(number) for number in range(6, 9)]
    assert hand.tell(events.Window(5, part, 8)) == [], "no room is left"
    [send] = hand.tell(events.Ready(5))
    for _ in range(3):
        [send] = hand.tell(events.Flushed(send.entry, Delivery.SENT, 5))
    [send, read] = hand.tell(events.Flushed(send.entry, Delivery.SENT, 5))
    assert read == Read(8, window), "three are left"


@pytest.mark.spec("G12.1")
def test_a_flush_that_ended_with_its_connection_waits_for_no_marks() -> None:
    hand = HandCore(FILE, window=ReadWindow(messages=4, ahead=4))
    hand.tell(events.Restored([stored(number) for number in range(1, 6)], last=30, highest=30))
    hand.tell(events.Surveyed(unread=25, bytes=25))
    found = hand.tell(events.Disconnecting()) + hand.tell(events.Disconnected(5, AWAY))
    assert only(found, Read) == []


@pytest.mark.spec("G7.3", "G12.1")
def test_a_number_is_the_id_of_a_message_that_is_read_later() -> None:
    hand = with_unread(BOTH)
    hand.tell(events.Surveyed(unread=8, bytes=8))
    hand.tell(events.Window(1, [stored(2, id=2)], 2))
    [_, second] = hand.core.entries()
    assert second.awaits
    [answer] = only(hand.offer(state=AWAY, own=2)[1], Answer)
    assert str(answer.outcome).startswith("a message with the id 2 is held")


@pytest.mark.spec("G5.1", "G12.2")
@pytest.mark.parametrize("part", [False, True])
def test_what_another_engine_put_into_the_file_is_not_what_a_decision_dropped(part: bool) -> None:
    """The first message of all, in a file that was empty, or was read to its end."""
    hand = HandCore(FILE, open_=False)
    if part:
        hand.tell(events.Restored([], last=1, highest=1))
        hand.tell(events.Surveyed(unread=1, bytes=1))
        hand.tell(events.Window(0, [stored(1)], None))
        hand.tell(events.MovedOut(hand.core.entries()))
    else:
        hand.tell(events.Restored([], last=0))
    assert numbers(hand) == []
    assert hand.tell(events.Restored([stored(1)], last=1)) == []
    assert numbers(hand) == [1]


@pytest.mark.spec("G5.1", "G12.2")
def test_nothing_of_another_file_is_what_a_decision_dropped() -> None:
    hand = with_unread()
    hand.tell(events.Surveyed(unread=8, bytes=8))
    found = hand.tell(events.Disconnected(5, AWAY, (), Unsent.DROP))
    assert [each.reason for each in only(found, Dropped)] == [Reason.DECISION]
    assert hand.core.doomed
    found = hand.tell(events.Restored([stored(1), stored(2)], last=5, highest=5))
    assert found == [Survey(2)]
    assert numbers(hand) == [1, 2]


@pytest.mark.spec("G5.1", "G12.2")
def test_what_a_decision_dropped_is_dropped_wherever_it_is_read() -> None:
    """Where the file is opened again, looked through, or read on; not what came after it."""
    hand = with_unread()
    hand.tell(events.Surveyed(unread=8, bytes=8))
    hand.tell(events.Disconnected(5, AWAY, (), Unsent.DROP))
    new, _ = hand.offer(state=AWAY)
    assert new.message.number == 10
    meant = stored(2)
    found = hand.tell(events.Restored([meant, stored(10)], last=10, highest=10))
    assert only(found, Dropped) == [Dropped((meant,), Reason.DECISION)]
    assert hand.core.entries() == (new,)
    found = hand.tell(events.Known([stored(7, key="a")]))
    assert [each.number for one in only(found, Dropped) for each in one.messages] == [7]


@pytest.mark.spec("G5.6")
def test_the_deadline_of_a_connection_that_ended_is_gone_where_a_message_is_suspect() -> None:
    hand = HandCore(FILE)
    left, _ = hand.offer()
    hand.tell(events.Sent(left, Delivery.SENT, unsent=True))
    bounced, _ = hand.offer()
    hand.tell(events.Bounced(bounced, State.OPEN, Wish.CONNECT, 5))
    assert hand.core.deadline is not None
    found = hand.tell(events.Disconnected(5, AWAY, [left], Unsent.DROP_REFUSED))
    assert only(found, Resent, Suspected) == [Resent(1), Suspected(1)]
    assert hand.core.deadline is None
