"""The errors of a wire say what to do, and survive a process boundary, as all of recloser do."""

import inspect
import pickle

import pytest

import recloser
from recloser import RecloserError, State
from recloser.transport import errors
from recloser.transport.errors import (
    ConcurrentReceive,
    NotOpen,
    ProxyUnusable,
    SessionClosed,
    UnsupportedAiohttp,
)

OURS = {"IllegalMove"}
"""Raised for a fault of the library alone, so not public."""

TEXTS: list[tuple[RecloserError, str]] = [
    (NotOpen(State.BACKOFF), "not open but backoff: await wait_for(State.OPEN), or"),
    (ConcurrentReceive(), "another task waits here: let one task receive"),
    (SessionClosed(), "the aiohttp session is closed: lend an open one"),
    (ProxyUnusable("proxy cannot be read as a URL"), "proxy cannot be read"),
    (UnsupportedAiohttp("3.99", ["A.b", "c(d)"]), "aiohttp 3.99 has no A.b, no c(d): install an"),
]


@pytest.mark.parametrize(("error", "text"), TEXTS)
def test_every_error_says_what_to_do(error: RecloserError, text: str) -> None:
    assert str(error).startswith(text)


@pytest.mark.parametrize("error", [error for error, _ in TEXTS])
def test_errors_survive_pickling(error: RecloserError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)


def test_the_tree_is_in_the_module_docstring() -> None:
    own = {
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if value.__module__ == errors.__name__ and issubclass(value, RecloserError)
    }
    assert own == {type(error).__name__ for error, _ in TEXTS}
    assert all(name in (errors.__doc__ or "") for name in own)


def test_misuse_is_a_runtime_error_too_and_facts_are_attributes() -> None:
    assert issubclass(ConcurrentReceive, RuntimeError)
    assert issubclass(SessionClosed, RuntimeError)
    assert issubclass(UnsupportedAiohttp, RuntimeError)
    assert NotOpen(State.PASSIVE).state is State.PASSIVE


def test_every_error_stands_at_the_top_wherever_it_is_made() -> None:
    subclasses = [RecloserError]
    for name in recloser.__all__:
        getattr(recloser, name)  # loads the module that defines it
    for each in subclasses:
        subclasses += each.__subclasses__()
    public = {each.__name__ for each in subclasses if each.__module__.startswith("recloser.")}
    rooms = ("recloser.testing", "recloser.fleet")  # with faces of their own
    public -= {each.__name__ for each in subclasses if each.__module__.startswith(rooms)}
    assert public - OURS <= set(recloser.__all__)
