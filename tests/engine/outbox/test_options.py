"""The options of an outbox: what is refused, and that nothing else is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from recloser import Acknowledgements, Outbox


class Named:
    """A path that is a number of bytes."""

    def __fspath__(self) -> bytes:
        return b"outbox.db"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"max_messages": 0}, ValueError, "max_messages must be at least 1, not 0"),
        ({"max_bytes": -1}, ValueError, "max_bytes must be at least 1, not -1"),
        ({"max_messages": 1.5}, TypeError, "max_messages must be an int, not 1.5"),
        ({"max_messages": True}, TypeError, "max_messages must be an int, not True"),
        ({"max_bytes": None}, TypeError, "max_bytes must be an int, not None"),
        ({"max_bytes": True}, TypeError, "max_bytes must be an int, not True"),
        (
            {"when_full": "explode"},
            ValueError,
            "when_full must be one of wait, raise, drop-oldest, drop-newest, not 'explode'",
        ),
        ({"in_passive": 1}, TypeError, "in_passive must be True or False, not 1"),
        ({"resend": None}, TypeError, "resend must be True or False, not None"),
        ({"path": "x", "fsync": 1}, TypeError, "fsync must be True or False, not 1"),
        ({"on_drop": 5}, TypeError, "on_drop must be a function of one Drop, not 5"),
        ({"on_drop": asyncio.sleep}, TypeError, "on_drop must be a plain function"),
        ({"fsync": True}, ValueError, "give path, too"),
        ({"path": ""}, ValueError, "path must be that of a file, not ''"),
        ({"path": ":memory:"}, ValueError, "must be that of a file, not ':memory:'"),
        ({"path": "file:x"}, ValueError, "must be that of a file, not 'file:x'"),
        ({"path": b"x"}, TypeError, "path must be a str or a path of str, not b'x'"),
        ({"path": 5}, TypeError, "path must be a str or a path of str, not 5"),
        ({"path": Named()}, TypeError, "path must be a str or a path of str"),
        ({"acknowledgements": True}, TypeError, r"must be recloser\.Acknowledgements\(...\)"),
        ({"acknowledgements": Acknowledgements(), "resend": False}, ValueError, "resend=False"),
        ({"path": "x", "resend": False}, ValueError, "resend=False"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        Outbox(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"max_messages": 1, "max_bytes": 1},
        {"when_full": "wait"},
        {"when_full": "raise"},
        {"when_full": "drop-oldest"},
        {"when_full": "drop-newest"},
        {"in_passive": True},
        {"resend": False},
        {"on_drop": print},
        {"path": "x", "fsync": True},
        {"path": Path("x")},
        {"path": "a:b"},
        {"path": "x", "acknowledgements": Acknowledgements()},
    ],
)
def test_what_makes_sense_is_kept(options: dict[str, Any]) -> None:
    made = Outbox(**options)
    assert {name: getattr(made, name) for name in options} == options
