"""Damage and foreign lines are counted and skipped, never fatal (I7)."""

import json
from io import BytesIO, StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.journal import Journal, Reader
from recloser.journal.reader import LONGEST
from tests.engine.journal.changes import LOST, OPENED

STREAM = StringIO()
with Journal(STREAM, engine="ada", wall=lambda: 1_700_000_000.0) as _journal:
    _journal(OPENED)
    _journal(LOST)
GOOD, ENDED = STREAM.getvalue().encode().splitlines()


def counts(*lines: bytes) -> tuple[int, int, int, int]:
    reader = Reader(BytesIO(b"\n".join(lines)))
    entries = list(reader)
    assert reader.entries == len(entries)
    assert reader.lines == reader.entries + reader.broken + reader.foreign + reader.newer
    return reader.entries, reader.broken, reader.foreign, reader.newer


@pytest.mark.spec("I7")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (GOOD, (3, 0, 0, 0)),
        (b"", (2, 0, 0, 0)),
        (b"   \r", (2, 0, 0, 0)),
        (GOOD[:-5], (2, 1, 0, 0)),
        (b"Traceback (most recent call last):", (2, 1, 0, 0)),
        (b"\xff\xfe", (2, 1, 0, 0)),
        (b"[1]", (2, 1, 0, 0)),
        (b"7", (2, 1, 0, 0)),
        (b"[" * 100_000, (2, 1, 0, 0)),
        (b'{"v":' + b"9" * 5000 + b"}", (2, 1, 0, 0)),
        (b'{"event": "cart.paid"}', (2, 0, 1, 0)),
        (b'{"v": 0, "msg": "another library", "level": 30}', (2, 0, 1, 0)),
        (b"{}", (2, 0, 1, 0)),
        (b'{"v": 2, "trigger": "telepathy"}', (2, 0, 0, 1)),
        (b'{"v": true, "trigger": "lost"}', (2, 1, 0, 0)),
        (b'{"v": 0, "trigger": "lost"}', (2, 1, 0, 0)),
        (b'{"v": 1, "trigger": "lost"}', (2, 1, 0, 0)),
        (b'{"event": "websocket.state_changed"}', (2, 1, 0, 0)),
        (b'{"v": 1, "lost": "many"}', (2, 1, 0, 0)),
        (b'{"x": "' + b"y" * LONGEST + b'"}', (2, 1, 0, 0)),
        (b"y" * (3 * LONGEST), (2, 1, 0, 0)),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_one_odd_line_spoils_no_other(line, expected):
    assert counts(GOOD, line, ENDED) == expected


def test_the_last_line_may_lack_its_end():
    assert counts(GOOD, ENDED[:-1])[:2] == (1, 1)
    assert counts(GOOD, ENDED)[:2] == (2, 0)


WRONG = [None, True, -1.5, "x", [], {}, [1], {"a": 1}, 10**400, "1e999"]


@pytest.mark.parametrize("line", [GOOD, ENDED], ids=["opened", "lost"])
def test_any_fact_of_another_type_is_either_read_or_counted(line):
    good = json.loads(line)
    places = [(good, name) for name in good]
    for inner in ("context", "decision"):
        places += [(good[inner], name) for name in good.get(inner, ())]
    refused = 0
    for place, name in places:
        kept = place[name]
        for wrong in WRONG:
            place[name] = wrong
            entries, broken, foreign, newer = counts(json.dumps(good).encode())
            assert entries + broken + foreign + newer == 1
            refused += broken
        del place[name]
        assert sum(counts(json.dumps(good).encode())) == 1
        place[name] = kept
    assert refused > 3 * len(places)
    assert counts(json.dumps(good).encode()) == (1, 0, 0, 0)


@given(st.binary())
def test_noise_is_never_fatal(noise):
    assert counts(GOOD, noise.replace(b"\n", b""), ENDED)[0] >= 2


@given(st.integers(0, len(GOOD)), st.integers(0, 255))
def test_a_damaged_byte_is_never_fatal(place, byte):
    damaged = GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    assert counts(damaged, ENDED)[0] >= 1


def test_it_reads_a_line_at_a_time():
    """Memory is bounded: nothing is read before it is asked for."""

    class Endless:
        asked = 0

        def readline(self, limit):
            self.asked += 1
            return GOOD + b"\n"

    file = Endless()
    entries = iter(Reader(file))
    for _ in range(5):
        next(entries)
    assert file.asked == 5
