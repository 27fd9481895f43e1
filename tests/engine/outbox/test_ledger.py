"""The ledger alone: ids, the window, what is overdue, and what an acknowledgement names."""

from math import inf
from typing import Any

import pytest

from recloser import Acknowledgements, RecloserError
from recloser.outbox.ledger import Ledger
from recloser.outbox.message import Entry, Id, make_message

NUMBERED = Acknowledgements(window=2, timeout=30.0, max_deliveries=3)
NAMED = Acknowledgements(numbered=False)


def entry(number: int, id_: Id | None = None, **facts: Any) -> Entry:
    return Entry(make_message("x")._replace(number=number, id=id_, **facts))


def ledger(*held: Entry, wanted: Acknowledgements | None = NUMBERED) -> Ledger:
    """A ledger that knows these messages by their ids."""
    found = Ledger(wanted)
    for each in held:
        found.register(each)
    return found


@pytest.mark.spec("G7.6")
@pytest.mark.parametrize(
    ("number", "reserved", "found"),
    [(1, (), 1), (2, (), 4), (2, (4,), 5), (3, (), 4), (4, (4, 5), 6), (5, (4,), 5)],
)
def test_a_number_is_the_id_unless_another_message_has_it(
    number: int, reserved: tuple[int, ...], found: int
) -> None:
    book = ledger(entry(2, 2), entry(9, 3))
    assert book.id_for(number, None, frozenset(reserved)) == (found, found)


@pytest.mark.spec("G7.6")
def test_an_id_of_ones_own_is_free_or_refused() -> None:
    book = ledger(entry(2, 2), entry(9, 3), entry(1, "mine"))
    assert book.id_for(7, "yours", frozenset({"yours"})) == (7, "yours")
    for own in (2, 3, "mine"):
        with pytest.raises(ValueError, match=f"a message with the id {own!r} is held: choose"):
            book.id_for(7, own)
    with pytest.raises(TypeError, match="id must be"):
        book.id_for(7, 1.5)  # type: ignore[arg-type] # the wrong type is the point
    book = ledger(entry(2, 2), wanted=NAMED)
    assert book.id_for(2, None) == (2, None)
    book = ledger(wanted=None)
    assert book.id_for(2, None) == (2, None)
    with pytest.raises(RecloserError, match="an id is for what is acknowledged: give Outbox"):
        book.id_for(2, "mine")


@pytest.mark.spec("G7.7")
def test_an_id_that_is_the_number_of_a_message_stays_behind() -> None:
    chosen, given, none = entry(1, "mine"), entry(2, 2), entry(3)
    for wanted, ids in ((NUMBERED, ["mine", None, None]), (None, [None] * 3)):
        book = ledger(wanted=wanted)
        assert [book.own_id(each.message) for each in (chosen, given, none)] == ids


@pytest.mark.spec("G7.1", "G7.6")
def test_an_id_means_the_message_that_has_it_now() -> None:
    older, newer, none = entry(1, "a"), entry(2, "a"), entry(3)
    book = ledger(older, none)
    assert (older.awaits, none.awaits) == (True, False)
    assert [book.knows(each) for each in (older, newer, none)] == [True, False, True]
    book.forget(newer)
    book.forget(none)
    assert book.ids == {"a": older}
    book.register(newer)
    assert [book.knows(each) for each in (older, newer)] == [False, True]
    book.forget(newer)
    assert book.ids == {}
    ledger(older, wanted=None)
    assert not older.awaits


@pytest.mark.spec("G7.3")
@pytest.mark.parametrize(("count", "full"), [(0, False), (1, False), (2, True), (3, True)])
def test_the_window_is_full_from_its_size_on(count: int, full: bool) -> None:
    book = ledger()
    for number in range(count):
        book.add(entry(number, number), 100.0)
    assert book.full is full
    book = ledger(wanted=None)
    book.add(entry(1), 100.0)
    assert not book.full


@pytest.mark.spec("G7.4")
@pytest.mark.parametrize(
    ("now", "count"), [(129.0, 0), (130.0, 1), (131.0, 1), (132.0, 3), (140.0, 3)]
)
def test_a_message_is_overdue_when_its_time_is_over(now: float, count: int) -> None:
    book = ledger()
    assert book.due == inf
    entries = [entry(number, number) for number in (1, 2, 3)]
    for each, sent_at in zip(entries, (100.0, 102.0, 102.0), strict=True):
        book.add(each, sent_at)
    assert book.due == 130.0
    assert book.overdue(now) == entries[:count]
    assert list(book.sent_at) == entries[count:]
    assert book.due == {0: 130.0, 1: 132.0, 3: inf}[count]


@pytest.mark.spec("G7.4")
def test_nothing_is_overdue_without_acknowledgements() -> None:
    book, each = ledger(wanted=None), entry(1)
    book.add(each, 100.0)
    assert book.due == inf
    assert book.overdue(1e9) == []
    assert book.take() == [each]


@pytest.mark.spec("G2.4", "G7.4")
def test_a_message_is_outdated_by_a_newer_one_that_is_on_its_way() -> None:
    first, second, third = (entry(number, number, key="a") for number in (1, 2, 3))
    other, plain, late = entry(4, 4, key="b"), entry(5, 5), entry(9, 9)
    book = ledger()
    for each in (second, late):
        book.add(each, 100.0)
    assert book.outdated([first, second, third, other, plain]) == [first]


@pytest.mark.spec("G7.1")
@pytest.mark.parametrize(
    ("wanted", "id_", "found"),
    [
        (NUMBERED, 1, [False, False, True, True]),
        (NUMBERED, None, [False] * 4),
        (Acknowledgements(), 1, [False] * 4),
        (None, None, [False] * 4),
    ],
)
def test_a_message_is_exhausted_from_its_last_delivery_on(
    wanted: Acknowledgements | None, id_: int | None, found: list[bool]
) -> None:
    book = ledger(wanted=wanted)
    deliveries = (0, 2, 3, 4)
    messages = [entry(1, id_, deliveries=times).message for times in deliveries]
    assert [book.exhausted(each) for each in messages] == found


@pytest.mark.spec("G7.2")
def test_what_is_taken_out_is_awaited_no_more() -> None:
    entries = [entry(number, number) for number in (1, 2, 3)]
    book = ledger(*entries)
    for each in entries:
        book.add(each, 100.0)
    book.remove(entries[1])
    book.remove(entries[1])
    assert book.take() == [entries[0], entries[2]]
    assert not book.sent_at
    assert len(book.ids) == 3, "they are held yet"


@pytest.mark.spec("G7.1")
@pytest.mark.parametrize(
    ("identity", "up_to", "found"),
    [
        (2, False, [2]),
        (4, False, [4]),
        (5, False, []),  # it was never sent
        ("mine", False, [7]),
        (9, False, []),  # it is not held
        (1, True, [1]),
        (2, True, [1, 2]),
        (3, True, [1, 2]),  # it was dropped after it was sent
        (4, True, [1, 2, 4]),
        (5, True, []),
        ("mine", True, [1, 2, 4, 7]),
        (8, True, [1, 2, 4, 7]),
        (9, True, [1, 2, 4, 7]),  # the last number that was used
        (10, True, []),
        ("other", True, []),
    ],
)
def test_what_an_acknowledgement_names(identity: Id, up_to: bool, found: list[int]) -> None:
    """1 and 2 are on their way; 4 and 7 were before, and wait with 5, 6 and 8."""
    sent = [entry(number, number, deliveries=1) for number in (1, 2)]
    waiting = [
        entry(4, 4, deliveries=1),
        entry(5, 5),
        entry(6, deliveries=1),
        entry(7, "mine", deliveries=2),
        entry(8, "new"),
    ]
    book = ledger(*sent, *waiting)
    for each in sent:
        book.add(each, 100.0)
    named = book.named(identity, up_to=up_to, last=9, backlog=waiting)
    assert [each.message.number for each in named] == found


@pytest.mark.spec("G7.1")
def test_a_number_names_no_message_where_numbers_are_no_ids() -> None:
    sent = entry(1, "a", deliveries=1)
    book = ledger(sent, wanted=NAMED)
    book.add(sent, 100.0)
    assert book.named(1, up_to=True, last=9, backlog=()) == []
    assert book.named("a", up_to=True, last=9, backlog=()) == [sent]
    with pytest.raises(TypeError, match="id must be"):
        book.named(1.5, up_to=True, last=9, backlog=())  # type: ignore[arg-type] # as above
    with pytest.raises(RecloserError, match="nothing is acknowledged here: give Outbox"):
        ledger(wanted=None).named(1, up_to=False, last=9, backlog=())
