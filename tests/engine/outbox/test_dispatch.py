"""What goes to the connection, and beside what: marks, looks at the buffer, suspects."""

import pytest

from recloser import Acknowledgements, Delivery, Outbox
from recloser.fsm import Unsent
from recloser.fsm.states import State, Wish
from recloser.outbox import events
from recloser.outbox.effects import (
    Answer,
    Direct,
    Dropped,
    Flush,
    Forget,
    Look,
    Mark,
    Note,
    Save,
    Send,
    Suspected,
)
from recloser.outbox.message import make_message
from recloser.outbox.trial import TRIAL
from tests.engine.outbox.hand import HandCore, only

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED
FILE = Outbox(path="outbox.db")
BOTH = Outbox(path="outbox.db", acknowledgements=Acknowledgements(window=1000))


@pytest.mark.spec("G6", "G7.2")
@pytest.mark.parametrize(
    ("outbox", "marks"),
    [(FILE, [64, 128, 108]), (BOTH, [64, 64, 64, 64, 44])],
    ids=["file", "both"],
)
def test_more_are_marked_at_a_time_unless_their_deliveries_count(
    outbox: Outbox, marks: list[int]
) -> None:
    hand = HandCore(outbox, open_=False)
    for _ in range(300):
        hand.offer(state=State.BACKOFF)
    hand.tell(events.Connected(5))
    marked, sent, found = [], 0, hand.tell(events.Ready(5))
    while steps := only(found, Save, Send):
        [step] = steps
        if isinstance(step, Send):
            sent += 1
            found = hand.tell(events.Flushed(step.entry, SENT, 5))
        else:
            marked += [len(each.deliveries) for each in only(found, Mark)]
            found = hand.tell(events.Ready(5))
    assert marked == marks
    assert sent == 300


@pytest.mark.spec("G6", "G7.2")
@pytest.mark.parametrize("outbox", [FILE, BOTH], ids=["file", "both"])
@pytest.mark.parametrize("way", ["returned", "bounced"])
def test_each_time_that_a_message_comes_back_one_more_delivery_is_noted(
    outbox: Outbox, way: str
) -> None:
    hand = HandCore(outbox, open_=False)
    entry, _ = hand.offer(state=State.BACKOFF)
    hand.tell(events.Saved(entry))
    for times in (1, 2, 3):
        hand.tell(events.Connected(times))
        assert hand.flushed(times) is entry
        if way == "bounced":
            back: events.Event = events.Bounced(entry, State.OPEN, Wish.CONNECT, times)
        else:
            hand.tell(events.Flushed(entry, SENT, times))
            back = events.Disconnected(times, State.BACKOFF, [entry])
        [note] = only(hand.tell(back), Note)
        assert note.message is entry.message
        assert entry.message.deliveries == times
        assert hand.core.entries() == (entry,)


@pytest.mark.spec("G6")
def test_at_the_end_of_a_flush_the_buffer_is_looked_at_if_a_file_has_what_may_be_in_it() -> None:
    for outbox, last in ((FILE, [Look()]), (Outbox(), [Direct()]), (BOTH, [])):
        hand = HandCore(outbox, open_=False)
        hand.offer(state=State.BACKOFF)
        assert hand.tell(events.Connected(5)) == [Flush(5)]
        entry = hand.flushed()
        assert hand.tell(events.Flushed(entry, SENT, 5)) == last


@pytest.mark.spec("G5.5")
def test_nothing_goes_beside_a_suspect_but_what_need_not_wait() -> None:
    hand = HandCore(Outbox())
    both = [hand.offer()[0] for _ in range(2)]
    for entry in both:
        hand.tell(events.Sent(entry, SENT))
    found = hand.tell(events.Disconnected(5, State.BACKOFF, both, Unsent.DROP_REFUSED))
    assert only(found, Suspected) == [Suspected(2)]
    hand.tell(events.Connected(6))
    for entry in both:
        assert hand.flushed(6) is entry
        assert hand.tell(events.Flushed(entry, SENT, 6)) == []
        late, found = hand.offer()
        assert found == [Answer(late, QUEUED)]
        hand.tell(events.MovedOut([late]))  # the backlog is as it was
        passing, found = hand.offer(generation=6)
        assert found == [Send(passing)]
        hand.tell(events.Sent(passing, SENT))
        hand.now += TRIAL
        assert hand.core.deadline == hand.now
        found = hand.tell(events.Due(hand.now))
        assert only(found, Flush) == [Flush(6)] * (entry is both[0])


@pytest.mark.spec("G5.5")
@pytest.mark.parametrize("quiet", [0.0, TRIAL])
def test_a_message_that_nobody_acknowledges_may_be_the_refused_one_for_a_while(
    quiet: float,
) -> None:
    """So that one beside it, which is to be acknowledged, is not dropped in its place."""
    hand = HandCore(Outbox(acknowledgements=Acknowledgements(numbered=False)), open_=False)
    plain, _ = hand.offer(state=State.BACKOFF)
    hand.tell(events.Connected(5))
    assert hand.flushed() is plain
    hand.tell(events.Flushed(plain, SENT, 5))
    hand.now += quiet
    awaited, found = hand.offer(own="own")
    assert found == [Send(awaited)]
    hand.tell(events.Sent(awaited, SENT))
    found = hand.tell(events.Disconnected(5, State.BACKOFF, (), Unsent.DROP_REFUSED))
    assert [type(each) for each in only(found, Suspected, Dropped)] == [
        Dropped if quiet else Suspected
    ]


@pytest.mark.spec("G6")
def test_what_is_for_one_generation_leaves_the_file_when_it_is_marked() -> None:
    hand = HandCore(FILE, open_=False)
    for generation in (None, 5, None):
        hand.offer(state=State.CONNECTING, generation=generation)
    hand.tell(events.Connected(5))
    assert hand.tell(events.Ready(5)) == [Mark({1: 1, 3: 1}), Forget((2,)), Save(None)]
    hand = HandCore(FILE, open_=False)
    hand.offer(state=State.BACKOFF)
    hand.tell(events.Connected(5))
    assert hand.tell(events.Ready(5)) == [Mark({1: 1}), Save(None)]


@pytest.mark.spec("G6")
def test_what_was_seen_to_leave_is_taken_out_of_the_file_once() -> None:
    hand = HandCore(FILE, open_=False)
    first, second = (hand.offer(state=State.BACKOFF)[0] for _ in range(2))
    hand.tell(events.Connected(5))
    assert hand.flushed() is first
    assert only(hand.tell(events.Flushed(first, SENT, 5)), Send) == [Send(second)]
    hand.tell(events.Flushed(second, SENT, 5))
    assert only(hand.tell(events.Looked([second])), Forget) == [Forget((1,))]
    assert hand.core.leaving() == (second.message,)
    assert only(hand.tell(events.Looked()), Forget) == [Forget((2,))]
    assert hand.core.leaving() == ()


@pytest.mark.spec("G6", "G7.2")
def test_the_delivery_of_a_message_that_was_sent_directly_is_counted_once() -> None:
    hand = HandCore(FILE)
    entry, _ = hand.offer()
    hand.tell(events.Sent(entry, SENT, unsent=True))
    assert hand.core.leaving() == (entry.message,)
    counted = entry.message.deliveries
    hand.tell(events.Disconnected(5, State.BACKOFF, [entry]))
    assert (counted, entry.message.deliveries) == (1, 1)


@pytest.mark.spec("G5.5", "G6", "G7.2")
def test_the_delivery_of_a_suspect_is_in_the_file_when_it_is_absolved() -> None:
    hand = HandCore(FILE, open_=False)
    hand.tell(events.Restored([make_message("x")._replace(number=1, suspect=True)], last=1))
    hand.tell(events.Connected(5))
    entry = hand.flushed()
    hand.tell(events.Flushed(entry, SENT, 5))
    notes: list[Note] = []
    while not notes:  # the buffer is looked at until the trial is over
        assert hand.core.deadline is not None
        hand.now = hand.core.deadline
        notes = only(hand.tell(events.Due(hand.now)), Note)
    [note] = notes
    assert note.message.deliveries == 1
    assert not note.message.suspect
