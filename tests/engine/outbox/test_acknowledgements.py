"""The options of acknowledgements: what is refused, what a matcher means, what goes out."""

import asyncio
from typing import Any

import pytest

from recloser import Acknowledgements
from recloser.outbox.acknowledgements import UpTo, ids_in
from recloser.outbox.message import Message, make_message


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"matcher": 5}, TypeError, "matcher must be a function of one message, not 5"),
        ({"render": "x"}, TypeError, "render must be a function of one message, not 'x'"),
        ({"render": asyncio.sleep}, TypeError, "render must be a plain function"),
        ({"matcher": asyncio.sleep}, TypeError, "matcher must be a plain function"),
        ({"pass_on": 1}, TypeError, "pass_on must be True or False, not 1"),
        ({"numbered": None}, TypeError, "numbered must be True or False, not None"),
        ({"pass_on": True}, ValueError, "pass_on is for what a matcher finds: give matcher"),
        ({"window": 0}, ValueError, "window must be at least 1, not 0"),
        ({"window": 1.5}, TypeError, "window must be an int, not 1.5"),
        ({"window": True}, TypeError, "window must be an int, not True"),
        ({"max_deliveries": 0}, ValueError, "max_deliveries must be at least 1, not 0"),
        ({"max_deliveries": True}, TypeError, "max_deliveries must be an int, not True"),
        ({"timeout": 0}, ValueError, "timeout must be finite and above 0"),
        ({"timeout": float("inf")}, ValueError, "timeout must be finite and above 0"),
        ({"timeout": "3"}, TypeError, "timeout must be a number of seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        Acknowledgements(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"matcher": str, "pass_on": True},
        {"matcher": str, "pass_on": False},
        {"render": str},
        {"numbered": False},
        {"window": 1, "max_deliveries": 1, "timeout": 0.001},
    ],
)
def test_what_makes_sense_is_kept(options: dict[str, Any]) -> None:
    made = Acknowledgements(**options)
    assert {name: getattr(made, name) for name in options} == options


@pytest.mark.spec("G7.1", "G7.5")
@pytest.mark.parametrize(
    ("found", "ids"),
    [
        (UpTo(3), [(3, True)]),
        ("abc", [("abc", False)]),
        (b"abc", [(b"abc", False)]),
        (3, [(3, False)]),
        ([3, "a"], [(3, False), ("a", False)]),
        ([], []),
    ],
)
def test_the_ids_that_a_matcher_has_found(found: Any, ids: list[tuple[object, bool]]) -> None:
    assert list(ids_in(found)) == ids


def test_a_message_that_was_parsed_is_no_id() -> None:
    with pytest.raises(TypeError, match="a matcher gives ids, not a message that it has parsed"):
        list(ids_in({"id": 3}))


@pytest.mark.spec("G7.1")
def test_what_has_an_id_goes_out_as_it_is_rendered() -> None:
    plain = make_message("x")
    named = plain._replace(id="a")

    def render(message: Message) -> str:
        return f"{message.id}:{message.data!s}"

    assert [Acknowledgements().text_of(each) for each in (plain, named)] == ["x", "x"]
    rendering = Acknowledgements(render=render)
    assert [rendering.text_of(each) for each in (plain, named)] == ["x", "a:x"]


@pytest.mark.spec("G7.1")
@pytest.mark.parametrize("wrong", [None, 5, bytearray(b"x")])
def test_what_is_rendered_is_text_or_bytes(wrong: Any) -> None:
    rendering = Acknowledgements(render=lambda _: wrong)
    with pytest.raises(
        TypeError, match=f"render must give str or bytes, not {type(wrong).__name__}"
    ):
        rendering.text_of(make_message("x")._replace(id="a"))
