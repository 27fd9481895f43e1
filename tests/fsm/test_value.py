"""A value does what the frozen data class with the same fields does: the real one is its judge."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import (
    FrozenInstanceError,
    asdict,
    astuple,
    dataclass,
    field,
    fields,
    is_dataclass,
    replace,
)
from itertools import product
from typing import Any, get_type_hints

import pytest

from recloser.fsm.decisions import Hold, Retry, Stop, Unsent
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.timeouts import Timeouts
from recloser.fsm.value import Value, assign, parameters
from recloser.transport import Heartbeat
from recloser.transport.base import Request

NOTHING: Mapping[str, str] = {}


class Sample(Value, hidden=("secret",), unhashed=("extra",), uncompared=("error",)):
    __slots__ = ("error", "extra", "name", "secret")
    __match_args__ = ("name", "secret")
    name: str
    secret: int
    extra: Mapping[str, str]
    error: object

    def __init__(
        self,
        name: str,
        secret: int = 7,
        *,
        extra: Mapping[str, str] = NOTHING,
        error: object = None,
    ) -> None:
        assign(self, "name", name)
        assign(self, "secret", secret)
        assign(self, "extra", extra)
        assign(self, "error", error)


@dataclass(frozen=True, slots=True)
class Judge:
    name: str
    secret: int = field(default=7, repr=False)
    extra: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False, kw_only=True)
    error: object = field(default=None, compare=False, kw_only=True)


GIVEN: list[dict[str, Any]] = [
    {"name": name, **more}
    for name, more in product(
        ["a", "b"],
        [{}, {"secret": 8}, {"extra": {"x": "1"}}, {"error": "e"}, {"extra": {}, "error": 1}],
    )
]
MADE: list[Value] = [
    Close.frame(1012, "soon"),
    Close.refused(503, headers={"retry-after": "3"}),
    Retry(1.5, True, "r"),
    Hold("h"),
    Stop("s", Unsent.DROP),
    Timeouts(connect=3.0),
    Heartbeat(5.0, message="ping"),
    Request("ws://h/", {"a": "b"}, ("p",)),
]


@pytest.mark.parametrize("first", GIVEN)
@pytest.mark.parametrize("second", GIVEN)
def test_values_are_equal_and_hashed_as_the_data_class_says(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert (Sample(**first) == Sample(**second)) is (Judge(**first) == Judge(**second))
    assert (hash(Sample(**first)) == hash(Sample(**second))) is (
        hash(Judge(**first)) == hash(Judge(**second))
    )


@pytest.mark.parametrize("given", GIVEN)
def test_it_is_shown_and_taken_apart_as_the_data_class(given: dict[str, Any]) -> None:
    one, judge = Sample(**given), Judge(**given)
    assert repr(one) == repr(judge).replace("Judge", "Sample")
    assert asdict(one) == asdict(judge)
    assert astuple(one) == astuple(judge)
    assert asdict(replace(one, secret=9)) == asdict(replace(judge, secret=9))
    assert one != judge


def test_dataclasses_describes_its_fields_as_those_of_the_data_class() -> None:
    told = ("name", "type", "default", "init", "repr", "hash", "compare", "kw_only")
    assert [[getattr(each, name) for name in told] for each in fields(Sample)] == [
        [getattr(each, name) for name in told] for each in fields(Judge)
    ]
    made = [
        each.default_factory for each in (*fields(Sample), *fields(Judge)) if each.name == "extra"
    ]
    assert [callable(each) and each() for each in made] == [NOTHING, NOTHING]
    assert Sample.__match_args__ == Judge.__match_args__


def test_a_default_that_a_data_class_would_share_is_shared() -> None:
    assert replace(Sample("a")).extra is NOTHING
    assert Sample("a").extra is NOTHING


@pytest.mark.parametrize("given", GIVEN)
def test_it_refuses_what_the_data_class_refuses(given: dict[str, Any]) -> None:
    for one in (Sample(**given), Judge(**given)):
        with pytest.raises(FrozenInstanceError, match=r"^cannot assign to field 'name'$"):
            one.name = "c"  # type: ignore[misc] # the point of the test
        with pytest.raises(FrozenInstanceError, match=r"^cannot delete field 'name'$"):
            del one.name
        with pytest.raises(TypeError):
            replace(one, colour="blue")  # type: ignore[arg-type,call-arg] # the point of the test
        assert one.name == given["name"]
        assert not hasattr(one, "__dict__")


@pytest.mark.parametrize("one", MADE, ids=lambda each: type(each).__name__)
def test_each_value_can_be_copied_sent_replaced_and_matched(one: Value) -> None:
    names = parameters(type(one).__init__)
    facts = [getattr(one, name) for name in names]
    for again in (
        copy.copy(one),
        copy.deepcopy(one),
        pickle.loads(pickle.dumps(one)),
        replace(one),
    ):
        assert type(again) is type(one)
        assert again == one
        assert [getattr(again, name) for name in names] == facts
    assert is_dataclass(one)
    assert sorted(names) == sorted(each.name for each in fields(one)) == sorted(type(one).__slots__)
    places = [each.name for each in fields(one) if not each.kw_only]
    assert [*type(one).__match_args__] == places


def test_a_value_replaces_a_field_as_copy_replace_asks_for_it() -> None:
    """`copy.replace` came with Python 3.13; it calls this method."""
    assert Retry(1.0).__replace__(delay=2.0) == Retry(2.0)


@pytest.mark.parametrize("kind", [Retry, Hold, Stop, Timeouts, Heartbeat, Close])
def test_who_asks_for_the_types_of_its_fields_gets_them(kind: type[Value]) -> None:
    """As libraries do that validate or write data classes; `typing` raised for each value."""
    hints = get_type_hints(kind)
    assert {each.name for each in fields(kind)} <= hints.keys()


def test_the_base_has_no_fields() -> None:
    assert not is_dataclass(Value)


def test_a_class_that_adds_no_field_is_as_the_one_before() -> None:
    class Heir(Sample):
        __slots__ = ()

    assert Heir("a") == Heir("a", error=1) != Sample("a")
    assert repr(Heir("a")).endswith("Heir(name='a', extra={}, error=None)")
    assert replace(Heir("a"), name="b") == Heir("b")


def test_a_data_class_can_inherit_from_a_value() -> None:
    @dataclass(frozen=True, slots=True)
    class Marked(Retry):
        mark: str = ""

    one = replace(Marked(1.0, mark="x"), delay=2.0)
    assert (one.delay, one.mark, one.rule) == (2.0, "x", "")
    assert one == Marked(2.0, mark="x") != Marked(2.0)
    assert asdict(one)["mark"] == "x"


def test_a_value_that_is_within_itself_is_shown_once() -> None:
    message: list[Any] = []
    one = Sample("a", error=message)
    message.append(one)
    assert repr(one).endswith("Sample(name='a', extra={}, error=[...])")


def test_an_end_is_compared_by_what_was_seen_and_not_by_the_exception() -> None:
    cut = Close.cut(Cause.RESET, error=OSError("a"))
    assert cut == Close.cut(Cause.RESET) != Close.cut(Cause.EOF)
    refused = Close.refused(503, headers={"a": "b"})
    assert refused != Close.refused(503)
    assert hash(refused) == hash(Close.refused(503))
    assert repr(cut) == (
        "Close(code=1006, origin=<Origin.NETWORK: 'network'>, cause=<Cause.RESET: 'reset'>, "
        "reason='', sent_code=None, intentional=False, wish=None, clean=False, status=None, "
        "body='', "
        "retry_after=None, spread=None, advice=None, unsent=0)"
    )
    assert cut.origin is Origin.NETWORK
