"""A named tuple is the one that `typing` makes of the same body: the real one is its judge."""

import copy
import pickle
import typing
from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Context
from recloser.fsm.events import Ask
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.states import Wish


class Mine(NamedTuple):
    """With a default, a property and a text of its own."""

    host: str
    port: int = 443
    secret: str | None = None

    @property
    def both(self) -> str:
        return f"{self.host}:{self.port}"


class Judge(typing.NamedTuple):
    """With a default, a property and a text of its own."""

    host: str
    port: int = 443
    secret: str | None = None

    @property
    def both(self) -> str:
        return f"{self.host}:{self.port}"


class Shown(NamedTuple):
    host: str

    def __repr__(self) -> str:
        return "<host>"


class Heir(Mine):
    __slots__ = ()


GIVEN: list[Callable[[Any], Any]] = [
    lambda kind: kind("h"),
    lambda kind: kind("h", 80),
    lambda kind: kind("h", secret="s"),
    lambda kind: kind(secret="s", port=1, host="x"),
    lambda kind: kind._make(["h", 1, None]),
    lambda kind: kind("h")._replace(port=5),
]
WRONG: list[Callable[[Any], Any]] = [
    lambda kind: kind(),
    lambda kind: kind("h", 1, None, 4),
    lambda kind: kind("h", colour="blue"),
    lambda kind: kind("h", host="x"),
    lambda kind: kind._make(["h", 1, None, 4]),
    lambda kind: kind._make(["h", 1]),
    lambda kind: setattr(kind("h"), "host", "x"),
    lambda kind: setattr(kind("h"), "colour", "blue"),
    lambda kind: delattr(kind("h"), "host"),
]


@pytest.mark.parametrize("make", GIVEN)
def test_it_is_made_read_and_shown_as_that_of_typing(make: Callable[[Any], Any]) -> None:
    mine, judge = make(Mine), make(Judge)
    assert mine == judge == tuple(mine)
    assert hash(mine) == hash(judge)
    assert (mine.host, mine.port, mine.secret, mine.both) == (*judge, judge.both)
    assert mine._asdict() == judge._asdict()
    assert repr(mine) == repr(judge).replace("Judge", "Mine")
    assert type(mine) is Mine


@pytest.mark.parametrize("make", WRONG)
def test_it_refuses_what_that_of_typing_refuses(make: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, AttributeError)) as judged:
        make(Judge)
    with pytest.raises(judged.type):
        make(Mine)


def test_the_classes_are_alike() -> None:
    for name in ("_fields", "_field_defaults", "__match_args__", "__annotations__", "__doc__"):
        assert getattr(Mine, name) == getattr(Judge, name), name
    assert signature(Mine) == signature(Judge)
    assert typing.get_type_hints(Mine) == typing.get_type_hints(Judge)
    assert not hasattr(Mine("h"), "__dict__")
    assert issubclass(Mine, tuple)


def test_a_pattern_takes_its_fields_by_their_places() -> None:
    match Mine("h", 1):
        case Mine(host, port):
            assert (host, port) == ("h", 1)
        case _:
            pytest.fail("no match")


def test_it_can_be_copied_and_sent() -> None:
    ask = Ask(Wish.CLOSE, within=3.0)
    for again in (copy.copy(ask), copy.deepcopy(ask), pickle.loads(pickle.dumps(ask))):
        assert type(again) is Ask
        assert again == ask


def test_it_replaces_a_field_as_copy_replace_asks_for_it() -> None:
    """`copy.replace` came with Python 3.13; it calls this method, which `typing` gives there."""
    given: typing.Any = Mine("h")
    assert given.__replace__(port=5) == Mine("h", 5)


def test_what_its_body_defines_is_kept() -> None:
    assert repr(Shown("h")) == "<host>"


def test_a_class_that_adds_no_field_has_those_of_the_one_before() -> None:
    assert repr(Heir("h")) == "Heir(host='h', port=443, secret=None)"
    assert Heir("h")._replace(port=1) == ("h", 1, None)


def of_fields(names: list[str]) -> Any:
    space = {"__annotations__": dict.fromkeys(names, int), "__module__": __name__, "__slots__": ()}
    return type(NamedTuple)("Made", (NamedTuple,), space)


@pytest.mark.parametrize("number", [*range(1, 10), len(StateChange._fields), len(Context._fields)])
def test_each_field_stands_in_its_place(number: int) -> None:
    names = [f"field{place}" for place in range(number)]
    kind = of_fields(names)
    made = kind(**{name: place for place, name in enumerate(names)})
    assert made == kind(*range(number)) == tuple(range(number))
    assert [getattr(made, name) for name in names] == [*range(number)]


def test_a_field_without_a_default_cannot_follow_one_that_has_one() -> None:
    with pytest.raises(TypeError, match="Bad: a field without a default follows"):

        class Bad(NamedTuple):
            first: int = 1
            second: int  # type: ignore[misc] # the point of the test


def test_a_number_of_fields_for_which_there_is_no_constructor_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Made: named_tuple\.py has no constructor of 12 fields"):
        of_fields([f"field{place}" for place in range(12)])


def test_a_field_that_it_has_not_cannot_be_replaced() -> None:
    with pytest.raises(TypeError, match="Mine has no field colour"):
        Mine("h")._replace(colour="blue")  # type: ignore[call-arg] # the point of the test
