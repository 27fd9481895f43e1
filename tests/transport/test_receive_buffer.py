"""The receive buffer: order, the account of every message, and the bound over all connections."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.transport.receive_buffer import ARRIVED, OVERHEAD, ReceiveBuffer

LIMIT = 1000
SIZES = st.integers(0, 400)


def message(number: int, size: int) -> str:
    return str(number).ljust(size, ".") if size >= len(str(number)) else str(number)


@pytest.mark.spec("F7.5", "C3.2")
@given(
    acts=st.lists(st.one_of(SIZES, st.just("pop")), max_size=60),
    before=st.lists(SIZES, max_size=4),
    drops=st.booleans(),
    last=st.booleans(),
)
def test_every_message_is_given_in_order_or_counted(
    acts: list[int | str], before: list[int], drops: bool, last: bool
) -> None:
    reported: list[int] = []
    buffer = ReceiveBuffer()
    buffer.limit = LIMIT
    buffer.drops = (lambda: reported.append(len(given_out))) if drops else None
    sent, given_out = 0, list[str]()
    if before:
        buffer.earlier = ReceiveBuffer()
        for size in before:
            buffer.earlier.add(message(sent, size))
            sent += 1

    def pop() -> None:
        source = buffer.earlier if buffer.earlier and buffer.earlier.messages else buffer
        if source.messages:
            given_out.append(str(source.pop()))

    received = False  # what earlier connections left may be too much until then
    for act in acts:
        if act == "pop":
            pop()
        else:
            full = buffer.full
            buffer.receive(message(sent, int(act)), last=last)
            sent, received = sent + 1, True
            assert not (full and drops), "a buffer that drops is never full"
        waiting = [each for part in (buffer.earlier, buffer) if part for each in part.messages]
        assert len(given_out) + len(waiting) + buffer.excess == sent
        assert buffer.size == sum(len(each) + OVERHEAD for each in buffer.messages)
        if drops and received:
            assert buffer.total <= LIMIT or len(waiting) == 1
        elif not drops and not last:
            assert buffer.total < LIMIT + ARRIVED + 400 + OVERHEAD
    for _ in range(sent):
        pop()
    numbers = [int(each.rstrip(".")) for each in given_out]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + buffer.excess == sent
    assert bool(reported) == (drops and buffer.excess > 0)


@pytest.mark.spec("F7.5")
def test_what_does_not_fit_when_a_connection_ends_is_counted() -> None:
    buffer = ReceiveBuffer()
    buffer.earlier = ReceiveBuffer()
    buffer.earlier.add("x")
    piece = b"." * (ARRIVED // 4)
    for _ in range(8):
        buffer.receive(piece, last=True)
    kept = len(buffer.messages)
    assert kept < 8
    assert buffer.excess == 8 - kept
    assert buffer.full


@pytest.mark.spec("F7.5")
def test_all_that_had_arrived_is_kept_where_nothing_earlier_is_left() -> None:
    buffer = ReceiveBuffer()
    for _ in range(8):
        buffer.receive(b"." * (ARRIVED // 4), last=True)
    assert (len(buffer.messages), buffer.excess) == (8, 0)
    assert len(buffer.pop_all()) == 8
    assert (buffer.total, len(buffer.messages)) == (0, 0)
