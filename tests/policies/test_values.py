"""Rules, backoffs and what they consist of are values: one object serves every connection."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from importlib import import_module
from inspect import isclass
from pathlib import Path
from typing import Any

import pytest

import recloser.policies
from recloser.policies import backoff, combine, field
from recloser.policies.rules import Rule
from recloser.policies.windows import Windows
from tests.signatures import nameless

MODULES = sorted(each.stem for each in Path(str(backoff.__file__)).parent.glob("[!_]*.py"))
VALUES = sorted(
    {
        value
        for module in MODULES
        for value in vars(import_module(f"recloser.policies.{module}")).values()
        if isclass(value)
        and is_dataclass(value)
        and value.__module__.startswith(combine.__package__)
    },
    key=lambda each: each.__name__,
)


def test_the_walk_over_the_modules_finds_them() -> None:
    assert {Rule, Windows, backoff.Steps} <= set(VALUES)
    assert len(VALUES) > 15


@pytest.mark.parametrize("kind", VALUES)
def test_it_is_frozen_and_has_no_room_for_more(kind: type) -> None:
    one: Any = object.__new__(kind)
    assert not hasattr(one, "__dict__")
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(one, fields(kind)[0].name, 1)


def test_a_row_of_the_field_guide_names_each_of_its_facts() -> None:
    assert all(each.kw_only for each in fields(field.FieldRow))


def test_arguments_have_names_but_where_an_application_implements() -> None:
    assert nameless(recloser.policies) == {"decide", "delay"}
