"""Events, effects and options of the outbox are values with no room for more."""

from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass
from importlib import import_module
from inspect import isclass
from typing import Any

import pytest

import recloser.outbox
from recloser.fsm import Unsent
from recloser.outbox import dispatch, events, trial
from recloser.outbox.acknowledgements import Acknowledgements, UpTo
from recloser.outbox.message import LARGEST, Drop, Message, make_message
from recloser.outbox.options import MessageOptions, Outbox
from recloser.outbox.window import ReadWindow
from tests.signatures import nameless

VALUES = sorted(
    {
        value
        for module in (*("acknowledgements", "effects", "events", "message", "options", "window"),)
        for value in vars(import_module(f"recloser.outbox.{module}")).values()
        if isclass(value) and is_dataclass(value)
    },
    key=lambda each: each.__name__,
)


def test_the_walk_over_the_modules_finds_them() -> None:
    assert {Acknowledgements, Drop, Outbox, ReadWindow, UpTo} <= set(VALUES)
    assert len(VALUES) > 30


@pytest.mark.parametrize("kind", VALUES)
def test_it_has_no_room_for_more(kind: type) -> None:
    assert not hasattr(object.__new__(kind), "__dict__")


@pytest.mark.parametrize("kind", [Acknowledgements, Drop, Outbox, ReadWindow, UpTo])
def test_what_users_hold_is_frozen(kind: type) -> None:
    one: Any = object.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(one, fields(one)[0].name, 1)


@pytest.mark.parametrize("kind", [Acknowledgements, Outbox])
def test_options_are_given_by_their_names(kind: Any) -> None:
    assert all(each.kw_only for each in fields(kind))


def test_arguments_have_names() -> None:
    assert nameless(recloser.outbox) == set()


@pytest.mark.parametrize("kind", [Acknowledgements, Outbox])
def test_options_are_given_by_name(kind: Any) -> None:
    assert all(each.kw_only for each in fields(kind))


PLAIN: dict[type, dict[str, object]] = {
    Acknowledgements: {
        "matcher": None,
        "pass_on": False,
        "render": None,
        "numbered": True,
        "window": 100,
        "timeout": 30.0,
        "max_deliveries": None,
    },
    events.Connected: {"used": False},
    events.Disconnected: {"returned": (), "fate": Unsent.KEEP, "begun": None, "earlier": True},
    events.Due: {"unsent": ()},
    events.Looked: {"unsent": ()},
    events.Offered: {"id": None, "congested": False},
    Outbox: {
        "max_messages": 10_000,
        "max_bytes": 16_777_216,
        "when_full": "wait",
        "in_passive": False,
        "resend": True,
        "on_drop": None,
        "path": None,
        "fsync": False,
        "acknowledgements": None,
    },
    ReadWindow: {
        "messages": 1024,
        "bytes": 1_048_576,
        "ahead": 2048,
        "most": 8192,
        "most_bytes": 8_388_608,
    },
    events.Restored: {"unwritten": frozenset(), "highest": None},
    events.Sent: {"unsent": False},
    events.Unrendered: {"flush": None},
}
"""What holds where nothing is said."""


def test_what_is_not_said_is_plain() -> None:
    found = {
        kind: {each.name: each.default for each in fields(kind) if each.default is not MISSING}
        for kind in VALUES
    }
    assert {kind: facts for kind, facts in found.items() if facts} == PLAIN


def test_a_message_of_which_nothing_is_said() -> None:
    found = tuple(make_message("text"))
    assert found == tuple(Message("text", 4))
    assert found == ("text", 4, None, None, None, 0, None, 0, False)
    assert make_message("text", ttl=2.0).expires_at == 2.0


def test_each_option_of_a_message_may_be_left_out() -> None:
    assert MessageOptions.__required_keys__ == frozenset()


def test_the_figures_of_the_core() -> None:
    """They are choices; who changes one has measured something."""
    assert (dispatch.TURN, dispatch.MARKED, dispatch.LOOK) == (64, 1024, 0.5)
    assert (trial.TRIAL, LARGEST) == (2.0, 9_223_372_036_854_775_808)
