"""How many messages a flush marks in the file before it hands them over."""

import pytest

from recloser import Acknowledgements, ConnectionClosed, Delivery, Outbox, State
from recloser.fsm.states import Wish
from recloser.outbox import effects, events
from recloser.outbox.core import OutboxCore
from recloser.outbox.dispatch import MARKED, TURN
from recloser.outbox.message import Entry, Id, make_message


def marks(ids: list[Id | None]) -> list[int]:
    """Flush a message for each of these ids, or without one; how many each transaction marks.

    Each is in the file with its mark before it goes.
    """
    core = OutboxCore(
        Outbox(path="outbox.db", acknowledgements=Acknowledgements(numbered=False, window=10**6)),
        closed=lambda: ConnectionClosed(None),
    )
    for own in ids:
        entry = Entry(make_message("data"))
        core.handle(events.Offered(entry, State.BACKOFF, Wish.CONNECT, own), 0.0)
        core.handle(events.Saved(entry), 0.0)
    found: list[int] = []
    noted, written = set[int](), set[int]()
    todo = core.handle(events.Connected(1), 0.0)
    while todo:
        effect, *todo = todo
        match effect:
            case effects.Flush():
                todo += core.handle(events.Ready(1), 0.0)
            case effects.Save():
                written, noted = written | noted, set()
                todo += core.handle(events.Ready(1), 0.0)
            case effects.Send(entry):
                assert entry.message.number in written
                written.remove(entry.message.number)
                assert len(written) < MARKED
                todo += core.handle(events.Flushed(entry, Delivery.SENT, 1), 0.0)
            case effects.Mark(deliveries):
                found.append(len(deliveries))
                noted |= deliveries.keys()
            case effects.Forget(messages):
                assert messages
    assert sum(found) == len(ids)
    return found


@pytest.mark.spec("G6")
def test_a_long_flush_marks_twice_as_many_each_time() -> None:
    assert marks([None] * 4000) == [64, 128, 256, 512, MARKED, MARKED, 992]


@pytest.mark.spec("G6", "G7.2")
def test_of_many_that_are_marked_none_is_one_whose_deliveries_count() -> None:
    """After a kill they count as delivered: it would be dropped at last, and never have gone."""
    own: list[Id | None] = [f"id {number}" for number in range(1000)]
    assert max(marks(own)) == TURN
    mixed = [None] * 70 + own + [None] * 70
    assert marks(mixed)[:2] == [64, 64], "6 without an id, and 58 with one"
    assert max(marks(mixed)) <= TURN + 70
    assert marks([None] * 129 + own)[:2] == [64, 65], "the first with an id is not the 65th"
