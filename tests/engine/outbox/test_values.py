"""Events, effects and options of the outbox are values with no room for more."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from importlib import import_module
from inspect import isclass
from typing import Any

import pytest

import recloser.outbox
from recloser.outbox.acknowledgements import Acknowledgements, UpTo
from recloser.outbox.message import Drop
from recloser.outbox.options import Outbox
from tests.signatures import nameless

VALUES = sorted(
    {
        value
        for module in ("acknowledgements", "effects", "events", "message", "options")
        for value in vars(import_module(f"recloser.outbox.{module}")).values()
        if isclass(value) and is_dataclass(value)
    },
    key=lambda each: each.__name__,
)


def test_the_walk_over_the_modules_finds_them() -> None:
    assert {Acknowledgements, Drop, Outbox, UpTo} <= set(VALUES)
    assert len(VALUES) > 30


@pytest.mark.parametrize("kind", VALUES)
def test_it_has_no_room_for_more(kind: type) -> None:
    assert not hasattr(object.__new__(kind), "__dict__")


@pytest.mark.parametrize("kind", [Acknowledgements, Drop, Outbox, UpTo])
def test_what_users_hold_is_frozen(kind: type) -> None:
    one: Any = object.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(one, fields(one)[0].name, 1)


@pytest.mark.parametrize("kind", [Acknowledgements, Outbox])
def test_options_are_given_by_their_names(kind: Any) -> None:
    assert all(each.kw_only for each in fields(kind))


def test_arguments_have_names() -> None:
    assert nameless(recloser.outbox) == set()
