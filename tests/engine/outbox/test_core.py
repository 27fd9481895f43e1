"""The core of the outbox, one event at a time: the answers to `send`, and events of the past."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest

from recloser import Acknowledgements, ConnectionClosed, Delivery, Outbox, OutboxNotSaved
from recloser.fsm.states import State, Wish
from recloser.outbox import events
from recloser.outbox.core import OutboxCore
from recloser.outbox.dispatch import LOOK
from recloser.outbox.effects import Answer, Dropped, Effect, Flush, Forget, Look, Note, Save, Send
from recloser.outbox.message import Entry, Reason, make_message
from recloser.outbox.table import MessageState

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED
ACKNOWLEDGED = Acknowledgements(timeout=30.0)
FILE = Outbox(path="outbox.db")
BOTH = Outbox(path="outbox.db", acknowledgements=ACKNOWLEDGED)
ON, CONNECT = State.OPEN, Wish.CONNECT


class Told:
    """A core whose connection of generation 5 is open, told events by hand."""

    def __init__(self, outbox: Outbox, *, open_: bool = True) -> None:
        self.core = OutboxCore(outbox, closed=lambda: ConnectionClosed(None))
        self.now = 100.0
        if open_:
            self.tell(events.Connected(5))

    def tell(self, event: events.Event) -> list[Effect]:
        return self.core.handle(event, self.now)

    def offer(
        self, text: str = "x", state: State = ON, *, congested: bool = False, **options: Any
    ) -> tuple[Entry, list[Effect]]:
        entry = Entry(make_message(text, now=self.now, **options))
        offered = events.Offered(entry, state, CONNECT, congested=congested)
        return entry, self.tell(offered)

    def flushed(self) -> Entry:
        """A message that waited for the connection, and that the flush hands over."""
        [step] = only(self.tell(events.Ready(5)), Send, Save)
        if isinstance(step, Save):
            [step] = only(self.tell(events.Ready(5)), Send)
        assert isinstance(step, Send)
        return step.entry


def only(found: Iterable[Effect], *kinds: type) -> list[Any]:
    return [each for each in found if isinstance(each, kinds)]


@pytest.mark.spec("G1.2", "G6", "G7.1")
@pytest.mark.parametrize(
    ("outbox", "delivery", "unsent"), [*product((Outbox(), FILE), (SENT, QUEUED), (False, True))]
)
def test_who_sent_directly_is_answered_when_the_file_knows_enough(
    outbox: Outbox, delivery: Delivery, unsent: bool
) -> None:
    """A message in the write buffer, and one that came back, are noted and saved first."""
    told = Told(outbox)
    entry, found = told.offer()
    assert found == [Send(entry)]
    assert entry.state is MessageState.HANDED_OVER
    found = told.tell(events.Sent(entry, delivery, unsent))
    assert entry.delivery is delivery
    durable = outbox is FILE
    if durable and (unsent or delivery is QUEUED):
        assert found == [Note(entry.message)] * unsent + [Save(entry)]
        found = told.tell(events.Saved(entry))
    assert only(found, Answer) == [Answer(entry, delivery)]
    assert only(found, Look) == [Look()] * (durable and unsent)
    if delivery is SENT:
        left = durable and not unsent
        assert entry.state is (MessageState.SETTLED if left else MessageState.ON_THE_WIRE)
    else:
        assert entry.state is MessageState.HANDED_OVER
    assert told.core.leaving() == (entry.message,) * (durable and unsent)


@pytest.mark.spec("G6")
def test_a_message_that_cannot_be_saved_is_refused_unless_it_went_out() -> None:
    problem = OutboxNotSaved("outbox.db", OSError("full"))
    told = Told(FILE, open_=False)
    refused, found = told.offer("first", State.BACKOFF)
    assert found == [Note(refused.message), Save(refused)]
    found = told.tell(events.NotSaved(refused, problem))
    assert found == [Forget((1,)), Answer(refused, problem)]
    assert refused.state is MessageState.WITHDRAWN
    gone, _ = told.offer("second", State.BACKOFF)
    told.tell(events.Connected(5))
    assert told.flushed() is gone
    assert told.tell(events.NotSaved(gone, problem)) == [Answer(gone, QUEUED), Look()]
    assert gone.state is MessageState.HANDED_OVER


@pytest.mark.spec("G6")
def test_a_message_that_went_out_and_came_back_was_accepted() -> None:
    told = Told(FILE)
    entry, _ = told.offer()
    told.tell(events.Sent(entry, SENT, unsent=True))
    told.tell(events.Disconnected(5, State.BACKOFF, [entry]))
    assert entry.state is MessageState.WAITING
    problem = OutboxNotSaved("outbox.db", OSError("full"))
    assert told.tell(events.NotSaved(entry, problem)) == [Answer(entry, SENT)]
    assert entry.state is MessageState.WAITING
    assert told.core.held == 1


@pytest.mark.spec("G6")
def test_a_congested_connection_is_no_place_for_what_a_file_can_keep() -> None:
    """But a message for this generation alone would not outlive the connection anyway."""
    told = Told(FILE)
    lasting, found = told.offer(congested=True)
    assert found[:2] == [Note(lasting.message), Save(lasting)]
    told = Told(FILE)
    fleeting, found = told.offer(congested=True, generation=5)
    assert found == [Send(fleeting)]


@pytest.mark.spec("G2.4", "G3")
def test_when_a_message_expires_the_whole_line_moves_up() -> None:
    """The one that is let in may have expired meanwhile, and the next one has its place."""
    told = Told(Outbox(max_messages=1), open_=False)
    entries = [told.offer(ttl=ttl, state=State.BACKOFF)[0] for ttl in (10.0, 11.0, 12.0, None)]
    told.now += 1.0
    assert told.tell(events.Connected(5)) == [Flush(5)]
    told.now += 20.0
    found = told.tell(events.Ready(5))
    assert only(found, Send) == [Send(entries[3])]
    drops = only(found, Dropped)
    assert {each.reason for each in drops} == {Reason.EXPIRED}
    assert [one for each in drops for one in each.messages] == [e.message for e in entries[:3]]


@pytest.mark.spec("C2")
@pytest.mark.parametrize("generation", [4, 6])
def test_a_flush_of_another_generation_changes_nothing(generation: int) -> None:
    told = Told(Outbox(), open_=False)
    entry, _ = told.offer(state=State.BACKOFF)
    assert told.tell(events.Connected(5)) == [Flush(5)]
    assert told.tell(events.Ready(generation)) == []
    assert entry.state is MessageState.WAITING
    assert told.flushed() is entry


@pytest.mark.spec("C2", "G7.4")
@pytest.mark.parametrize("early", [-1.0, 1.0])
def test_another_deadline_than_the_one_that_is_set_changes_nothing(early: float) -> None:
    told = Told(Outbox(acknowledgements=ACKNOWLEDGED))
    entry, _ = told.offer()
    told.tell(events.Sent(entry, SENT))
    due = told.core.deadline
    assert due == told.now + 30.0
    told.now = due + 5.0
    assert told.tell(events.Due(due + early)) == []
    assert told.core.deadline == due
    assert entry.state is MessageState.UNACKNOWLEDGED
    told.tell(events.Due(due))
    assert entry.state is MessageState.WAITING


@pytest.mark.spec("G6")
def test_the_buffer_is_looked_at_again_until_all_has_left() -> None:
    told = Told(FILE)
    entry, _ = told.offer()
    told.tell(events.Sent(entry, SENT, unsent=True))
    assert told.core.deadline == told.now + LOOK
    for other in (told.now, told.now + 2 * LOOK):
        assert told.tell(events.Due(other)) == []
        assert told.core.deadline == told.now + LOOK
    for _ in range(2):
        told.now += LOOK
        assert told.tell(events.Due(told.now, {entry})) == []
        assert told.core.deadline == told.now + LOOK
    assert told.tell(events.Looked()) == [Forget((1,))]
    assert told.core.deadline is None
    assert entry.state is MessageState.SETTLED


@pytest.mark.spec("G2.1", "G7.1")
def test_the_bytes_are_those_of_what_waits_and_of_what_is_unacknowledged() -> None:
    told = Told(Outbox(acknowledgements=Acknowledgements(window=2)))
    for text in ("123", "12345", "1234567"):
        told.offer(text)
    assert (told.core.held, told.core.unacknowledged) == (3, 2)
    assert told.core.bytes == 3 + 5 + 7


@pytest.mark.spec("G6")
def test_a_buffer_is_looked_at_until_the_end_of_its_connection_is_told() -> None:
    """Also when the connection was found to have ended: some messages have left it before."""
    told = Told(FILE)
    left, _ = told.offer()
    told.tell(events.Sent(left, SENT, unsent=True))
    due = told.core.deadline
    bounced, _ = told.offer()
    told.now += 0.1
    found = told.tell(events.Bounced(bounced, ON, CONNECT, 5))
    assert only(found, Save) == [Save(bounced)]
    assert told.core.deadline == due
    told.tell(events.Disconnected(5, State.BACKOFF, [left]))
    assert told.core.deadline is None
    assert told.core.entries() == (left, bounced)
