"""The errors of an outbox carry facts, say what to do next, and survive a process boundary."""

import pickle

import pytest

import recloser
from recloser.fsm.errors import RecloserError
from recloser.outbox import errors
from recloser.outbox.errors import (
    OutboxDamaged,
    OutboxForeign,
    OutboxFull,
    OutboxInUse,
    OutboxNotSaved,
    OutboxUnusable,
)

TEXTS: list[tuple[RecloserError, str]] = [
    (OutboxFull("messages held", 9), "the outbox is full (messages held: 9): wait, or give"),
    (OutboxFull("max_bytes", 9), "the message can never fit (max_bytes: 9): split it"),
    (OutboxUnusable("a.db", "is a folder"), "the outbox file a.db is a folder: check the path"),
    (OutboxInUse("a.db", "is in use"), "the outbox file a.db is in use: close the other engine"),
    (OutboxForeign("a.db", "is a picture"), "the outbox file a.db is a picture: give another path"),
    (OutboxDamaged("a.db", "is damaged"), "the outbox file a.db is damaged: save what can be read"),
    (OutboxNotSaved("a.db", "is full"), "the outbox file a.db is full: make room on the disk"),
]


@pytest.mark.parametrize(("error", "text"), TEXTS)
def test_every_error_says_what_to_do(error: RecloserError, text: str) -> None:
    assert str(error).startswith(text)


@pytest.mark.parametrize("error", [error for error, _ in TEXTS])
def test_errors_survive_pickling(error: RecloserError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args


def test_the_tree_is_in_the_module_docstring_and_at_the_top_of_the_import() -> None:
    public = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, RecloserError)
    }
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in public)
    assert public - {"RecloserError"} == {type(error).__name__ for error, _ in TEXTS}
    assert public <= set(recloser.__all__)


def test_facts_are_attributes() -> None:
    unusable = OutboxForeign("a.db", "is a picture")
    assert (unusable.path, unusable.problem) == ("a.db", "is a picture")
    full = OutboxFull("messages held", 9)
    assert (full.what, full.size) == ("messages held", 9)
    assert issubclass(OutboxNotSaved, OutboxUnusable)
