"""A flush that is cut after any number of bytes neither repeats nor loses a message.

The engine, aiohttp and the sockets are the real ones; of the client's socket alone it is said how
many bytes its buffer takes. What a kernel with a small buffer takes is in `test_faults.py`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.outbox.dispatch import TURN
from recloser.transport import ticker
from tests.engine.outbox.narrow import EXACT, ROUGH, Cut, Message, framed, line


@pytest.fixture(autouse=True)
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut says itself when a wire looks after itself, so that each run is the same."""
    monkeypatch.setattr(ticker, "TICK", 3600.0)


SMALL: list[Message] = ["", "\u00fc\u20ac", bytes(range(125)), "y" * 126, b"", "z"]
"""Every shape of header up to 64 KiB: 6 bytes and 8, text and binary, with payload and without."""
LARGE: list[Message] = ["a", bytes(65_535), "x" * 65_536, b"b"]
"""The two headers on both sides of 64 KiB; and more than what asyncio buffers without a pause."""


def positions(messages: Sequence[Message]) -> list[int]:
    """Every byte near where a frame begins, a payload begins, or a frame ends."""
    found, start = set(), 0
    for message in messages:
        found |= set(range(max(0, start - 3), start + 17))
        start += framed(message)
    return sorted(each for each in {*found, start} if each <= start)


async def play(messages: Sequence[Message], cuts: Iterable[Cut]) -> None:
    """Have the same messages flushed anew for each cut."""
    async with line() as found:
        for cut in cuts:
            await found.cut(messages, cut)
            found.ws.outbox.clear()
            found.expected = []
            found.server.peers.clear()


@pytest.mark.spec("G1.2", "G3.3", "G4.1")
@pytest.mark.parametrize("kind", ["close", "suspend", "fin", "reset"])
async def test_a_flush_cut_after_every_number_of_bytes(kind: str) -> None:
    await play(SMALL, (Cut(kind, room) for room in range(sum(map(framed, SMALL)) + 1)))


@pytest.mark.spec("G1.2", "G3.3", "G4.1")
@pytest.mark.parametrize("kind", [*EXACT, *ROUGH])
async def test_a_flush_of_which_every_number_of_bytes_leaves_when_all_is_handed_over(
    kind: str,
) -> None:
    """All messages are in the process's buffer then, and its size alone tells which have left."""
    await play(SMALL, (Cut(kind, 0, room) for room in range(sum(map(framed, SMALL)) + 1)))


@pytest.mark.spec("G3.3", "G4.1")
@pytest.mark.parametrize("kind", [*EXACT, *ROUGH])
@pytest.mark.parametrize("opens", ["at once", "closing"])
async def test_what_leaves_between_the_end_and_its_discovery_has_left(
    kind: str, opens: str
) -> None:
    rooms = range(0, sum(map(framed, SMALL)) + 1, 13)
    await play(
        SMALL,
        [Cut(kind, room, opens=opens, pace=pace) for room in rooms for pace in (1, 2, 3)],
    )


@pytest.mark.spec("G4.1")
@pytest.mark.parametrize("kind", ROUGH)
async def test_each_send_looks_at_what_has_left_until_then(kind: str) -> None:
    rooms = range(sum(map(framed, SMALL)) + 1)
    await play(SMALL, (Cut(kind, 0, room, spoken=4) for room in rooms))


@pytest.mark.spec("G3.3", "G4.1")
async def test_the_answer_to_a_ping_is_no_message_and_counts_among_the_bytes() -> None:
    rooms = range(sum(map(framed, SMALL)) + 1)
    await play(SMALL, (Cut("close", 0, room, pings=1) for room in rooms))


@pytest.mark.spec("G3.3", "G4.1")
@pytest.mark.parametrize("kind", [*EXACT, *ROUGH])
async def test_a_message_behind_answers_to_pings_alone_is_known_to_wait(kind: str) -> None:
    """aiohttp lets the sender wait then: 64 KiB are queued, and 256 were written in all."""
    before: list[Message] = [bytes(15_000)] * 13
    rooms = (0, 1, 131, 16_000, 100_000)
    everything = sum(map(framed, before))
    cuts = (Cut(kind, everything, room, pings=600, spoken=16_000) for room in rooms)
    await play(before, cuts)


@pytest.mark.spec("G1.2", "G3.3", "G4.1")
@pytest.mark.parametrize("kind", [*EXACT, *ROUGH])
async def test_an_end_in_the_middle_of_a_flush(kind: str) -> None:
    """A flush of so many messages lets the event loop go round, and may meet the end itself."""
    many: list[Message] = [f"{number}" for number in range(2 * TURN + 10)]
    rooms = range(0, sum(map(framed, many)), 211)
    await play(many, [Cut(kind, room, turns=turns) for room in rooms for turns in range(6)])


@pytest.mark.spec("G1.2", "G3.3", "G4.1")
@pytest.mark.parametrize("kind", ["close", "reset", "suspend"])
async def test_a_flush_of_large_messages_cut_at_every_byte_of_their_headers(kind: str) -> None:
    cuts = [Cut(kind, room) for room in positions(LARGE)]
    await play(LARGE, cuts + [Cut(kind, 0, cut.room) for cut in cuts])


@pytest.mark.slow
@pytest.mark.spec("G1.2", "G3.3", "G4.1")
async def test_a_flush_of_large_messages_cut_at_one_byte_in_seven() -> None:
    await play(LARGE, (Cut("close", room) for room in range(0, sum(map(framed, LARGE)) + 1, 7)))


SIZES = st.one_of(st.integers(0, 8), st.sampled_from([124, 125, 126, 127, 2000, 65_535, 65_536]))
SHAPES = st.lists(st.tuples(st.sampled_from([str, bytes]), SIZES), max_size=5)
CUTS = st.builds(
    Cut,
    st.sampled_from([*EXACT, *ROUGH]),
    room=st.one_of(st.integers(0, 40), st.integers(0, 140_000)),
    later=st.sampled_from([0, 0, 1, 7, 150, 70_000]),
    turns=st.one_of(st.none(), st.integers(0, 5)),
    pings=st.sampled_from([0, 0, 1, 600]),
    spoken=st.sampled_from([0, 4, 16_000]),
    opens=st.sampled_from(["", "at once", "closing"]),
    attended=st.booleans(),
    pace=st.integers(1, 5),
)


def message(number: int, kind: type, size: int) -> Message:
    """A message of its own, as far as the size allows."""
    digits = f"{number % 10}" * size
    return digits if kind is str else digits.encode()


@pytest.mark.spec("G1.2", "G3.1", "G3.3", "G4.1", "G4.3")
@given(st.lists(st.tuples(SHAPES, CUTS), min_size=1, max_size=5), st.booleans())
def test_any_messages_through_any_number_of_cuts(
    steps: list[tuple[list[tuple[type, int]], Cut]], resend: bool
) -> None:
    async def story() -> None:
        number = count()
        async with line(resend=resend) as found:
            for shapes, cut in steps:
                await found.cut([message(next(number), *shape) for shape in shapes], cut)
            await found.finish()

    asyncio.run(story())
