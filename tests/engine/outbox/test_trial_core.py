"""The core while a message is on trial, one event at a time: what its end means, and how long."""

import pytest

from recloser import Acknowledgements, Delivery, Outbox
from recloser.fsm import Unsent
from recloser.fsm.states import State, Wish
from recloser.outbox import events
from recloser.outbox.dispatch import LOOK
from recloser.outbox.effects import Flush, Resent, Send, Suspected
from recloser.outbox.message import Entry, make_message
from recloser.outbox.table import MessageState
from recloser.outbox.trial import TRIAL
from tests.engine.outbox.hand import HandCore, only

SENT, AWAY = Delivery.SENT, State.BACKOFF
FILE = Outbox(path="outbox.db")
REFUSED = Unsent.DROP_REFUSED


def suspected(outbox: Outbox, count: int) -> tuple[HandCore, list[Entry]]:
    """Messages of which the peer refused one, and a connection that is open again."""
    hand = HandCore(outbox)
    entries = []
    for _ in range(count):
        entry, _ = hand.offer()
        hand.tell(events.Sent(entry, SENT))
        entries.append(entry)
    found = hand.tell(events.Disconnected(5, AWAY, entries, REFUSED))
    assert only(found, Resent, Suspected) == [Resent(count), Suspected(count)]
    assert hand.tell(events.Connected(6)) == [Flush(6)]
    return hand, entries


def alone(hand: HandCore) -> Entry:
    """The suspect that goes out; nothing goes beside it."""
    [step] = only(hand.tell(events.Ready(6)), Send)
    assert hand.core.deadline == hand.now + TRIAL
    return step.entry


@pytest.mark.spec("G5.6", "G5.7")
@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("taken", [False, True])
def test_one_that_may_not_have_left_gets_the_same_time_again(buffered: bool, taken: bool) -> None:
    """`send` has not returned, or it has and the message is in the write buffer yet."""
    hand, entries = suspected(Outbox(), 2)
    entry = alone(hand)
    assert entry is entries[0]
    if taken:
        assert only(hand.tell(events.Flushed(entry, SENT, 6)), Send) == []
    hand.now += TRIAL
    found = hand.tell(events.Due(hand.now, {entry} if buffered else set()))
    if taken and not buffered:
        assert not entry.message.suspect
        assert found == [Flush(6)]
    else:
        assert entry.message.suspect
        assert (found, hand.core.deadline) == ([], hand.now + TRIAL)


@pytest.mark.spec("G5.6", "G8.1")
@pytest.mark.parametrize(("looks", "over"), [(1, False), (3, False), (4, True), (5, True)])
def test_what_on_open_sent_is_on_trial_for_a_while_whatever_is_looked_at(
    looks: int, over: bool
) -> None:
    hand = HandCore(FILE, open_=False)
    hand.tell(events.Connected(5, used=True))
    hand.now += LOOK / 2  # no look comes at the moment itself
    left, _ = hand.offer()
    hand.tell(events.Sent(left, SENT, unsent=True))
    for _ in range(looks):
        hand.now += LOOK
        hand.tell(events.Due(hand.now, {left}))
    assert over is (looks * LOOK + LOOK / 2 > TRIAL)
    moved = make_message("x")._replace(suspect=True)
    found = hand.tell(events.MovedIn([moved], State.OPEN, Wish.CONNECT))
    assert only(found, Flush) == [Flush(5)] * over


@pytest.mark.spec("G5.6", "G8.1")
def test_a_suspect_waits_until_what_on_open_sent_was_not_refused() -> None:
    hand = HandCore(Outbox(), open_=False)
    hand.tell(events.Connected(5, used=True))
    quiet = hand.now + TRIAL
    moved = make_message("x")._replace(suspect=True)
    hand.now += 0.5
    assert hand.tell(events.MovedIn([moved], State.OPEN, Wish.CONNECT)) == []
    assert hand.core.deadline == quiet
    hand.now = quiet
    assert hand.tell(events.Due(quiet)) == [Flush(5)]


@pytest.mark.spec("G5.6")
@pytest.mark.parametrize("came_back", [False, True])
def test_at_another_end_a_suspect_is_forgotten_if_it_has_left(came_back: bool) -> None:
    hand, _ = suspected(Outbox(), 1)
    entry = alone(hand)
    hand.tell(events.Flushed(entry, SENT, 6))
    hand.tell(events.Disconnected(6, AWAY, [entry] * came_back))
    assert entry.state is (MessageState.WAITING if came_back else MessageState.ON_THE_WIRE)
    assert hand.core.blank is not came_back
    if came_back:
        hand.tell(events.Connected(6))
        assert alone(hand) is entry
        other, _ = hand.offer()
        assert other.state is MessageState.WAITING


@pytest.mark.spec("G3.1", "G7.2")
def test_what_comes_back_is_in_order_whoever_held_it() -> None:
    """One to be acknowledged that had not left, one that is overdue, and one of neither kind."""
    hand = HandCore(Outbox(acknowledgements=Acknowledgements(numbered=False, timeout=30.0)))
    first, overdue = (hand.offer(own=own)[0] for own in ("a", "b"))
    plain, _ = hand.offer()
    for entry in (first, overdue, plain):
        hand.tell(events.Sent(entry, SENT))
    hand.now += 30.0
    hand.tell(events.Due(hand.now, {first}))
    assert [each.state for each in (first, overdue)] == [
        MessageState.UNACKNOWLEDGED,
        MessageState.WAITING,
    ]
    hand.tell(events.Disconnected(5, AWAY, [first, plain]))
    assert hand.core.entries() == (first, overdue, plain)
