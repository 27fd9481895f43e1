"""Errors carry their facts, say what to do next, and survive a process boundary."""

import pickle

import pytest

from recloser.fsm import errors
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Context, Phase
from recloser.fsm.errors import (
    ConnectionClosed,
    IllegalTrigger,
    PolicyError,
    RecloserError,
    bare,
)
from recloser.fsm.record import Close
from recloser.fsm.states import State, Trigger
from tests.fsm.rig import KICKED

CONTEXT = Context(phase=Phase.OPEN, attempt=1)


def change(close: Close | None, rule: str = "") -> StateChange:
    return StateChange(
        previous=State.OPEN,
        current=State.CLOSED,
        trigger=Trigger.CLOSE if close is None else Trigger.LOST,
        at=0.0,
        generation=1,
        attempt=1,
        close=close,
        rule=rule,
    )


REFUSED = Close.refused(403)

TEXTS = [
    (IllegalTrigger(State.OPEN, Trigger.RETRY), "no row for retry in open: see fsm/table.py"),
    (
        PolicyError(KICKED, CONTEXT, None, "raised KeyError"),
        "the policy raised KeyError for close 4401: fix it, then connect()",
    ),
    (ConnectionClosed(None), "not connected yet: call connect(), or use 'async with'"),
    (ConnectionClosed(change(None)), "closed by close in open; connect() starts afresh"),
    (
        ConnectionClosed(change(KICKED)),
        "closed: code 4401 from peer (close_frame); connect() starts afresh",
    ),
    (
        ConnectionClosed(change(REFUSED, "refused")),
        "closed: code 1006 from peer (refused, status 403, rule refused); connect() starts afresh",
    ),
    (
        ConnectionClosed(change(KICKED), "'go away'"),
        "closed: code 4401 from peer (close_frame): 'go away'; connect() starts afresh",
    ),
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


def test_an_error_is_shown_by_its_text_and_never_by_what_it_keeps() -> None:
    error = ConnectionClosed(change(Close.frame(4401, "token=hush has expired")), "'token=***'")
    assert repr(error) == f"ConnectionClosed({str(error)!r})"
    assert "hush" not in repr(error)


def test_the_tree_is_in_the_module_docstring() -> None:
    public = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, RecloserError)
    }
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in public)
    assert public - {"RecloserError"} == {type(error).__name__ for error, _ in TEXTS}


def test_facts_are_attributes() -> None:
    error = PolicyError(KICKED, CONTEXT, 7, "answered int")
    assert (error.close, error.context, error.answer) == (KICKED, CONTEXT, 7)
    ended = change(KICKED)
    assert ConnectionClosed(ended).change is ended
    assert (ConnectionClosed(ended).close, ConnectionClosed(ended).code) == (KICKED, 4401)
    for nothing in (None, change(None)):
        assert (ConnectionClosed(nothing).close, ConnectionClosed(nothing).code) == (None, None)


def test_a_kept_error_pins_no_frames() -> None:
    error = ValueError("outer")
    error.__cause__ = KeyError("inner")
    with pytest.raises(ValueError, match="outer"):
        raise error
    assert error.__traceback__ is not None
    assert bare(error) is error
    kept = [getattr(error, name) for name in ("__traceback__", "__cause__", "__context__")]
    assert kept == [None, None, None]


def test_an_error_among_its_own_arguments_is_stripped_once() -> None:
    inner = ValueError("inner")
    inner.__cause__ = KeyError("cause")
    outer = ConnectionError(inner)
    outer.args = (inner, outer)
    assert bare(outer) is outer
    assert inner.__cause__ is None


def test_the_errors_of_a_group_are_stripped_too() -> None:
    inner = ValueError("inner")
    inner.__cause__ = KeyError("cause")
    group = ExceptionGroup("both", [OSError("one"), ExceptionGroup("nested", [inner])])
    assert bare(group) is group
    assert inner.__cause__ is None
