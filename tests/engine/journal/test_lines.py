"""A change that is written is read back as it was (I7)."""

import json
from dataclasses import replace
from io import BytesIO, StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.change_line import fields_of
from recloser.fsm import Close, StateChange, Wish
from recloser.journal import Journal, Reader, RecordedError
from recloser.redact import MASK, printable
from tests.engine.journal.changes import KICKED, LOST, OPENED, changes

WALL = 1_700_000_000.123456


def written(change: StateChange, **options) -> str:
    """The line of one change."""
    stream = StringIO()
    with Journal(stream, wall=lambda: WALL, **options) as journal:
        journal(change)
    return stream.getvalue()


def read(text: str | bytes, **options):
    """The only entry of a file."""
    data = text if isinstance(text, bytes) else text.encode("ascii")
    [entry] = Reader(BytesIO(data), **options)
    return entry


@pytest.mark.spec("I7")
@given(changes())
def test_nothing_that_a_policy_may_look_at_is_lost(change):
    text = written(change, engine="ada")
    assert text.count("\n") == 1
    entry = read(text)
    assert entry.change == change
    assert (entry.time, entry.engine) == (pytest.approx(WALL, abs=1e-6), "ada")
    if change.close is not None:
        assert entry.change.close.headers == change.close.headers


@pytest.mark.spec("I7")
@given(changes(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_names_and_values_are_those_of_the_log(change, own):
    line = json.loads(written(change, fields=own))
    for name, value in fields_of(change, WALL, {}).items():
        if name == "timestamp":
            continue  # the journal has microseconds; its own test compares the moment
        found = line.get(name)
        if isinstance(found, float):
            assert value in (found, round(found, 3)), name
        elif isinstance(found, str):
            assert value in (found, printable(found)), name
        else:
            assert found == value, name
    assert line["v"] == 1
    assert line.get("fields", {}) == own


def test_secrets_do_not_reach_the_file():
    close = replace(
        KICKED,
        reason="token=tiger1 expired",
        advice="password: tiger2",
        headers={"set-cookie": "tiger3", "location": "wss://x.example/?key=tiger4", "server": "n"},
        error=OSError("wss://me:tiger5@x.example/ is down"),
    )
    change = LOST._replace(close=close, error=ValueError("secret=tiger6"))
    text = written(change)
    assert "tiger" not in text
    back = read(text).change.close
    assert back.headers == {
        "set-cookie": MASK,
        "location": f"wss://x.example/?key={MASK}",
        "server": "n",
    }
    assert back.reason == f"token={MASK} expired"


def test_errors_come_back_as_their_text():
    error = ValueError("policy raised")
    change = read(
        written(LOST._replace(close=replace(KICKED, error=OSError("down")), error=error))
    ).change
    assert isinstance(change.close.error, RecordedError)
    assert str(change.close.error) == "OSError: down"
    assert isinstance(change.error, RecordedError)
    assert "policy raised" in str(change.error)


def test_text_that_utf8_cannot_encode_is_kept():
    close = replace(KICKED, reason="\ud800 \x1b[2J")
    assert read(written(LOST._replace(close=close))).change.close.reason == close.reason


def test_fields_that_json_does_not_know_are_told_by_their_repr():
    assert read(written(OPENED, fields={"user": {1, 2}})).fields == {"user": "{1, 2}"}


def test_a_mapping_of_fields_is_read_at_each_line():
    stream, fields = StringIO(), {"session": 1}
    with Journal(stream, fields=fields) as journal:
        journal(OPENED)
        fields["session"] = 2
        journal(LOST)
    entries = list(Reader(BytesIO(stream.getvalue().encode())))
    assert [entry.fields["session"] for entry in entries] == [1, 2]


def test_a_close_has_all_its_fields_in_the_line():
    """A field that is added to the record must not be forgotten here."""
    line = json.loads(written(LOST._replace(close=FULL, unsent=1)))
    named = set(line) | {"close_unsent"}
    for name in Close.__dataclass_fields__:
        assert name in named
    assert read(written(LOST._replace(close=FULL))).change.close == FULL


FULL = replace(
    KICKED,
    sent_code=1000,
    intentional=True,
    wish=Wish.SUSPEND,
    status=503,
    headers={"server": "n"},
    body="no room",
    retry_after=1.5,
    spread=2.5,
    advice="maintenance",
    unsent=3,
    error=OSError("down"),
)
