"""A message alone: its size, its time to live, its copies, its moves; ids and keys of a file."""

from typing import Any

import pytest

from recloser.outbox import holdings, message
from recloser.outbox.message import (
    Entry,
    Message,
    Reason,
    check_storable,
    entry_of,
    make_message,
)
from recloser.outbox.table import IllegalMove, Kind, MessageState, MessageTrigger

S, T = MessageState, MessageTrigger


@pytest.mark.spec("G1.1", "G2.1")
@pytest.mark.parametrize(
    ("given", "data", "size"),
    [
        ("", "", 0),
        ("text", "text", 4),
        ("\N{EURO SIGN}uro", "\N{EURO SIGN}uro", 6),
        (b"bytes", b"bytes", 5),
        (bytearray(b"array"), b"array", 5),
        (memoryview(b"a view"), b"a view", 6),
    ],
)
def test_the_data_are_copied_and_measured_as_they_go_out(
    given: Any, data: str | bytes, size: int
) -> None:
    made = make_message(given)
    assert (made.data, made.size, type(made.data)) == (data, size, type(data))


@pytest.mark.spec("G1.1")
@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"data": 5}, TypeError, "a message is str or bytes, not int: encode it first"),
        ({"data": "\ud800"}, UnicodeEncodeError, "surrogates not allowed"),
        ({"ttl": -1.0}, ValueError, "ttl must be"),
        ({"ttl": "5"}, TypeError, "ttl must be"),
        ({"key": []}, TypeError, "unhashable"),
    ],
)
def test_what_can_be_no_message(options: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make_message(**({"data": "x"} | options))


@pytest.mark.spec("G2.4")
@pytest.mark.parametrize(("ttl", "expires_at"), [(None, None), (0.0, 100.0), (7.5, 107.5)])
def test_a_time_to_live_begins_now(ttl: float | None, expires_at: float | None) -> None:
    made = make_message("x", now=100.0, ttl=ttl, key="k", generation=3)
    assert tuple(made) == ("x", 1, "k", expires_at, 3, 0, None, 0, False)


@pytest.mark.spec("G7.2")
def test_a_copy_of_a_message_differs_in_what_was_asked_for() -> None:
    made = Message("x", 1, "k", 5.0, 3, 7, "id", 2, True)
    assert tuple(made.delivered(1)) == ("x", 1, "k", 5.0, 3, 7, "id", 3, True)
    assert tuple(made.delivered(-1)) == ("x", 1, "k", 5.0, 3, 7, "id", 1, True)
    assert tuple(made.suspected(suspect=False)) == ("x", 1, "k", 5.0, 3, 7, "id", 2, False)


def test_what_a_type_checker_alone_needs_is_not_loaded() -> None:
    """Who makes a message needs no transport, and so no aiohttp."""
    assert "Delivery" not in vars(message)
    assert "OutboxUnusable" not in vars(holdings)


def test_two_messages_are_never_equal() -> None:
    one, other = make_message("x"), make_message("x")
    assert one == one  # noqa: PLR0124 - that is what is tested
    assert not one != one  # noqa: PLR0124, SIM202 - as the line before
    assert one != other
    assert not one == other  # noqa: SIM201 - as above
    assert {one: 1, other: 2}[one] == 1
    assert hash(one) == id(one)


@pytest.mark.spec("G7.2")
@pytest.mark.parametrize(("deliveries", "again"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_message_is_redelivered_from_its_second_delivery_on(deliveries: int, again: bool) -> None:
    assert make_message("x").delivered(deliveries).redelivered is again


@pytest.mark.spec("G7.2")
@pytest.mark.parametrize(("number", "deliveries"), [(0, 0), (1, 1)])
def test_deliveries_are_counted_where_messages_have_numbers(number: int, deliveries: int) -> None:
    entry = Entry(make_message("x")._replace(number=number))
    entry.hand_over()
    assert entry.state is S.HANDED_OVER
    assert (entry.message.number, entry.message.deliveries) == (number, deliveries)


@pytest.mark.spec("G1.2")
def test_an_entry_moves_along_the_table_or_not_at_all() -> None:
    entry = Entry(make_message("x"))
    assert (entry.state, entry.awaits, entry.delivery) == (S.OFFERED, False, None)
    with pytest.raises(IllegalMove) as raised:
        entry.move(T.SENT)
    assert (raised.value.state, raised.value.trigger) == (S.OFFERED, T.SENT)
    assert str(raised.value) == (
        "no row for sent of a message that is offered: see outbox/table.py"
    )
    assert entry.state is S.OFFERED
    assert entry.move(T.HAND_OVER)
    assert entry.move(T.SENT, Kind.ACKNOWLEDGED)
    assert not entry.move(T.SENT)
    assert entry.state is S.UNACKNOWLEDGED
    assert repr(entry) == "<Entry 0 unacknowledged>"


@pytest.mark.spec("G2.3")
def test_three_reasons_are_what_the_application_asked_for() -> None:
    asked = {each for each in Reason if each.asked}
    assert asked == {Reason.EXPIRED, Reason.REPLACED, Reason.GENERATION}


@pytest.mark.spec("G6")
@pytest.mark.parametrize("value", ["", "text", b"bytes", 0, -1, 2**63 - 1, -(2**63)])
def test_what_a_file_can_keep_as_an_id_or_a_key(value: object) -> None:
    check_storable("key", value)


@pytest.mark.spec("G6")
@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (True, TypeError, "key must be a str, an int or bytes here, not True"),
        (None, TypeError, "key must be a str, an int or bytes here, not None"),
        (1.5, TypeError, "key must be a str, an int or bytes here, not 1.5"),
        (2**63, ValueError, "key must fit into eight bytes, not 9223372036854775808"),
        (-(2**63) - 1, ValueError, "key must fit into eight bytes, not -9223372036854775809"),
        ("\ud800", UnicodeEncodeError, "surrogates not allowed"),
    ],
)
def test_what_a_file_cannot_keep(value: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        check_storable("key", value)


@pytest.mark.spec("G4.2", "G8.1")
def test_what_an_item_of_a_wire_stands_for() -> None:
    entry = Entry(make_message("x"))
    assert entry_of(entry) is entry
    for data in ("text", b"bytes"):
        found = entry_of(data)
        assert found is not None
        assert found.message.data == data
    assert entry_of(None) is None
