"""The core of the outbox, one event at a time: answers to `send`, events of the past, the file."""

from itertools import product

import pytest

from recloser import Acknowledgements, Delivery, Outbox, OutboxDamaged, OutboxFull, OutboxNotSaved
from recloser.fsm import Unsent
from recloser.fsm.states import State, Wish
from recloser.outbox import events
from recloser.outbox.dispatch import LOOK
from recloser.outbox.effects import (
    Answer,
    Dropped,
    Flush,
    Forget,
    Look,
    Note,
    Read,
    Resent,
    Save,
    Send,
    Survey,
    Suspected,
)
from recloser.outbox.holdings import Holdings
from recloser.outbox.message import Entry, Reason, make_message
from recloser.outbox.table import MessageState
from recloser.outbox.window import ReadWindow
from tests.engine.outbox.hand import HandCore, only

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED
ACKNOWLEDGED = Acknowledgements(timeout=30.0)
FILE = Outbox(path="outbox.db")
BOTH = Outbox(path="outbox.db", acknowledgements=ACKNOWLEDGED)
ON, CONNECT = State.OPEN, Wish.CONNECT


@pytest.mark.spec("G1.2", "G6", "G7.1")
@pytest.mark.parametrize(
    ("outbox", "delivery", "unsent"), [*product((Outbox(), FILE), (SENT, QUEUED), (False, True))]
)
def test_who_sent_directly_is_answered_when_the_file_knows_enough(
    outbox: Outbox, delivery: Delivery, unsent: bool
) -> None:
    """A message in the write buffer, and one that came back, are noted and saved first."""
    hand = HandCore(outbox)
    entry, found = hand.offer()
    assert found == [Send(entry)]
    assert entry.state is MessageState.HANDED_OVER
    found = hand.tell(events.Sent(entry, delivery, unsent))
    assert entry.delivery is delivery
    durable = outbox is FILE
    if durable and (unsent or delivery is QUEUED):
        assert found == [Note(entry.message)] * unsent + [Save(entry)]
        found = hand.tell(events.Saved(entry))
    assert only(found, Answer) == [Answer(entry, delivery)]
    assert only(found, Look) == [Look()] * (durable and unsent)
    if delivery is SENT:
        left = durable and not unsent
        assert entry.state is (MessageState.SETTLED if left else MessageState.ON_THE_WIRE)
    else:
        assert entry.state is MessageState.HANDED_OVER
    assert hand.core.leaving() == (entry.message,) * (durable and unsent)


@pytest.mark.spec("G6")
def test_a_message_that_cannot_be_saved_is_refused_unless_it_went_out() -> None:
    problem = OutboxNotSaved("outbox.db", OSError("full"))
    hand = HandCore(FILE, open_=False)
    refused, found = hand.offer("first", State.BACKOFF)
    assert found == [Note(refused.message), Save(refused)]
    found = hand.tell(events.NotSaved(refused, problem))
    assert found == [Forget((1,)), Answer(refused, problem)]
    assert refused.state is MessageState.WITHDRAWN
    gone, _ = hand.offer("second", State.BACKOFF)
    hand.tell(events.Connected(5))
    assert hand.flushed() is gone
    assert hand.tell(events.NotSaved(gone, problem)) == [Answer(gone, QUEUED), Look()]
    assert gone.state is MessageState.HANDED_OVER


@pytest.mark.spec("G6")
def test_a_message_that_went_out_and_came_back_was_accepted() -> None:
    hand = HandCore(FILE)
    entry, _ = hand.offer()
    hand.tell(events.Sent(entry, SENT, unsent=True))
    found = hand.tell(events.Disconnected(5, State.BACKOFF, [entry]))
    assert found == [Resent(1), Note(entry.message)]
    assert entry.state is MessageState.WAITING
    problem = OutboxNotSaved("outbox.db", OSError("full"))
    assert hand.tell(events.NotSaved(entry, problem)) == [Answer(entry, SENT)]
    assert entry.state is MessageState.WAITING
    assert hand.core.held == 1


@pytest.mark.spec("G6")
def test_a_congested_connection_is_no_place_for_what_a_file_can_keep() -> None:
    """But a message for this generation alone would not outlive the connection anyway."""
    hand = HandCore(FILE)
    lasting, found = hand.offer(congested=True)
    assert found[:2] == [Note(lasting.message), Save(lasting)]
    hand = HandCore(FILE)
    fleeting, found = hand.offer(congested=True, generation=5)
    assert found == [Send(fleeting)]


@pytest.mark.spec("G1.1", "C2")
@pytest.mark.parametrize("outbox", [Outbox(), FILE])
def test_what_an_old_connection_did_not_take_goes_to_the_next_one_at_once(outbox: Outbox) -> None:
    hand = HandCore(outbox)
    entry, _ = hand.offer()
    hand.tell(events.Disconnected(5, State.BACKOFF))
    hand.tell(events.Connected(6))
    assert hand.tell(events.Bounced(entry, ON, CONNECT, 5)) == [Send(entry)]


@pytest.mark.spec("G2.4", "G3")
def test_when_a_message_expires_the_whole_line_moves_up() -> None:
    """The one that is let in may have expired meanwhile, and the next one has its place."""
    hand = HandCore(Outbox(max_messages=1), open_=False)
    entries = [hand.offer(ttl=ttl, state=State.BACKOFF)[0] for ttl in (10.0, 11.0, 12.0, None)]
    hand.now += 1.0
    assert hand.tell(events.Connected(5)) == [Flush(5)]
    hand.now += 20.0
    found = hand.tell(events.Ready(5))
    assert only(found, Send) == [Send(entries[3])]
    drops = only(found, Dropped)
    assert {each.reason for each in drops} == {Reason.EXPIRED}
    assert [one for each in drops for one in each.messages] == [e.message for e in entries[:3]]


@pytest.mark.spec("C2")
@pytest.mark.parametrize("generation", [4, 6])
def test_a_flush_of_another_generation_changes_nothing(generation: int) -> None:
    hand = HandCore(Outbox(), open_=False)
    entry, _ = hand.offer(state=State.BACKOFF)
    assert hand.tell(events.Connected(5)) == [Flush(5)]
    assert hand.tell(events.Ready(generation)) == []
    assert entry.state is MessageState.WAITING
    assert hand.flushed() is entry


@pytest.mark.spec("C2", "G7.4")
@pytest.mark.parametrize("early", [-1.0, 1.0])
def test_another_deadline_than_the_one_that_is_set_changes_nothing(early: float) -> None:
    hand = HandCore(Outbox(acknowledgements=ACKNOWLEDGED))
    entry, _ = hand.offer()
    hand.tell(events.Sent(entry, SENT))
    due = hand.core.deadline
    assert due == hand.now + 30.0
    hand.now = due + 5.0
    assert hand.tell(events.Due(due + early)) == []
    assert hand.core.deadline == due
    assert entry.state is MessageState.UNACKNOWLEDGED
    hand.tell(events.Due(due))
    assert entry.state is MessageState.WAITING


@pytest.mark.spec("G6")
def test_the_buffer_is_looked_at_again_until_all_has_left() -> None:
    hand = HandCore(FILE)
    entry, _ = hand.offer()
    hand.tell(events.Sent(entry, SENT, unsent=True))
    assert hand.core.deadline == hand.now + LOOK
    for other in (hand.now, hand.now + 2 * LOOK):
        assert hand.tell(events.Due(other)) == []
        assert hand.core.deadline == hand.now + LOOK
    for _ in range(2):
        hand.now += LOOK
        assert hand.tell(events.Due(hand.now, {entry})) == []
        assert hand.core.deadline == hand.now + LOOK
    assert hand.tell(events.Looked()) == [Forget((1,))]
    assert hand.core.deadline is None
    assert entry.state is MessageState.SETTLED


@pytest.mark.spec("G2.1", "G7.1")
def test_the_bytes_are_those_of_what_waits_and_of_what_is_unacknowledged() -> None:
    hand = HandCore(Outbox(acknowledgements=Acknowledgements(window=2)))
    for text in ("123", "12345", "1234567"):
        hand.offer(text)
    assert (hand.core.held, hand.core.unacknowledged) == (3, 2)
    assert hand.core.bytes == 3 + 5 + 7


@pytest.mark.spec("G6")
def test_a_buffer_is_looked_at_until_the_end_of_its_connection_is_told() -> None:
    """Also when the connection was found to have ended: some messages have left it before."""
    hand = HandCore(FILE)
    left, _ = hand.offer()
    hand.tell(events.Sent(left, SENT, unsent=True))
    due = hand.core.deadline
    bounced, _ = hand.offer()
    hand.now += 0.1
    found = hand.tell(events.Bounced(bounced, ON, CONNECT, 5))
    assert only(found, Save) == [Save(bounced)]
    assert hand.core.deadline == due
    hand.tell(events.Disconnected(5, State.BACKOFF, [left]))
    assert hand.core.deadline is None
    assert hand.core.entries() == (left, bounced)


@pytest.mark.spec("G12.5")
def test_a_file_that_cannot_be_read_is_read_no_more() -> None:
    hand = HandCore(FILE, open_=False)
    first = make_message("1")._replace(number=1)
    assert hand.tell(events.Restored([first], last=9, highest=9)) == [Survey(1)]
    assert only(hand.tell(events.Surveyed(unread=8, bytes=8)), Read) == [Read(1, ReadWindow())]
    problem = OutboxDamaged("outbox.db", "has a hole")
    assert hand.tell(events.Unreadable(problem)) == []
    assert hand.tell(events.Shown()) == []
    entry, found = hand.offer(state=State.BACKOFF)
    assert found == [Answer(entry, problem)]


@pytest.mark.spec("G6")
def test_an_outbox_is_blank_when_it_remembers_no_message() -> None:
    hand = HandCore(FILE)
    assert hand.core.blank
    entry, _ = hand.offer()
    hand.tell(events.Sent(entry, SENT, unsent=True))
    assert hand.core.idle
    assert not hand.core.blank
    hand.tell(events.Looked())
    assert hand.core.blank
    hand = HandCore(Outbox(), open_=False)
    hand.offer(state=State.BACKOFF)
    hand.tell(events.Connected(5))
    hand.flushed()
    assert hand.core.held == 0
    assert not hand.core.blank


def test_a_claim_to_a_place_is_remembered() -> None:
    holdings = Holdings(Outbox(), ReadWindow())
    assert holdings.blank
    holdings.backlog.line_up(Entry(make_message("x")))
    assert not holdings.blank


@pytest.mark.spec("G7.6", "G12.3")
@pytest.mark.parametrize(
    ("own", "held"), [(0, False), (1, False), (2, True), (9, True), (10, False)]
)
def test_a_number_of_an_unread_message_is_no_id_for_another(own: int, held: bool) -> None:
    hand = HandCore(BOTH, open_=False)
    first = make_message("1")._replace(number=1, id=1)
    hand.tell(events.Restored([first], last=9, highest=9))
    hand.tell(events.MovedOut(hand.core.entries()))
    entry, found = hand.offer(state=State.BACKOFF, own=own)
    assert [type(each.outcome) for each in only(found, Answer)] == [ValueError] * held
    assert entry.message.number == (0 if held else 10)


@pytest.mark.spec("G2.1", "G2.2")
def test_a_message_waits_for_room_if_there_can_be_room_for_it() -> None:
    hand = HandCore(Outbox(max_bytes=10), open_=False)
    hand.offer("1", State.BACKOFF)
    _, found = hand.offer("x" * 10, State.BACKOFF)
    assert found == []
    _, found = hand.offer("x" * 11, State.BACKOFF)
    assert [type(each.outcome) for each in only(found, Answer)] == [OutboxFull]


@pytest.mark.spec("G6", "G2.4")
def test_what_no_file_keeps_is_not_written_down() -> None:
    """A message in memory, and one for a generation that is to open, which waits in memory too."""
    for outbox, generation in ((Outbox(), None), (Outbox(), 5), (FILE, 5)):
        hand = HandCore(outbox, open_=False)
        entry, found = hand.offer(state=State.CONNECTING, generation=generation)
        assert found == [Answer(entry, QUEUED)]
    hand = HandCore(Outbox())
    both = [hand.offer()[0] for _ in range(2)]
    for entry in both:
        hand.tell(events.Sent(entry, SENT))
    found = hand.tell(events.Disconnected(5, State.BACKOFF, both, Unsent.DROP_REFUSED))
    assert found == [Resent(2), Suspected(2)]
    hand = HandCore(Outbox())
    assert hand.tell(events.Disconnected(5, State.BACKOFF, (), Unsent.DROP_REFUSED)) == []


@pytest.mark.spec("G5.1", "G12.2")
@pytest.mark.parametrize(("last", "dooms"), [(5, False), (9, True), (10, True)])
def test_what_a_decision_dropped_is_dropped_in_the_same_file_alone(last: int, dooms: bool) -> None:
    """A file whose highest number is below those that were meant is another one."""
    hand = HandCore(FILE, open_=False)
    first = make_message("1")._replace(number=1)
    hand.tell(events.Restored([first], last=9, highest=9))
    hand.tell(events.Surveyed(unread=8, bytes=8))
    hand.tell(events.Disconnected(5, State.BACKOFF, (), Unsent.DROP))
    assert hand.core.doomed
    hand.tell(events.Restored([first], last=last, highest=last))
    assert hand.core.doomed is dooms


@pytest.mark.spec("G7.7")
@pytest.mark.parametrize(("outbox", "number", "id_"), [(Outbox(), 0, None), (FILE, 1, None)])
def test_a_message_of_another_outbox_has_no_number_of_it(
    outbox: Outbox, number: int, id_: int | None
) -> None:
    hand = HandCore(outbox, open_=False)
    moved = make_message("x")._replace(number=7, id=7, deliveries=2)
    hand.tell(events.MovedIn([moved], State.BACKOFF, Wish.CONNECT))
    [entry] = hand.core.entries()
    assert (entry.message.number, entry.message.id) == (number, id_)
    assert entry.message.deliveries == 2
