"""What shows the effect of a parameter: a probe, a refusal, a record that keeps it, a test."""

import ast
import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from recloser.testing import run

TESTS = Path(__file__).parent.parent
_HOUR = 3600.0


@dataclass(frozen=True)
class Fresh:
    """A value that is made anew for each run, in its event loop if there is one."""

    make: Callable[[], Any]


def _made(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.make() if isinstance(value, Fresh) else value
        for name, value in arguments.items()
    }


def seen(observe: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What an observer sees; a coroutine function is run in virtual time."""
    if not inspect.iscoroutinefunction(observe):
        return observe(**_made(arguments))

    async def story() -> Any:
        async with asyncio.timeout(_HOUR):  # what waits for ever with timers set fails, too
            return await observe(**_made(arguments))

    return run(story())


@dataclass(frozen=True)
class Probe:
    """Something is observed twice, with the parameter and without: it differs."""

    observe: Callable[..., Any]
    without: Mapping[str, Any]
    given: Mapping[str, Any]

    def check(self) -> None:
        """Raise `AssertionError` where the parameter has no effect, or something else has one."""
        before = seen(self.observe, self.without)
        assert seen(self.observe, self.without) == before, "two runs without it differ"
        assert seen(self.observe, {**self.without, **self.given}) != before, "it has no effect"


@dataclass(frozen=True)
class Refused:
    """What has no meaning is refused: the message says what to do."""

    call: Callable[[], Any]
    error: type[Exception]
    message: str

    def check(self) -> None:
        """Raise `AssertionError` where it is not refused."""
        with pytest.raises(self.error, match=self.message):
            seen(self.call, {})


@dataclass(frozen=True)
class Kept:
    """A record: what it is given is what it says."""

    kind: type
    name: str
    others: Mapping[str, Any]

    def check(self) -> None:
        """Raise `AssertionError` where the value that was given is not the one that is read."""
        value = object()
        made = self.kind(**{**self.others, self.name: value})
        assert getattr(made, self.name) is value


@dataclass(frozen=True)
class Shown:
    """A test shows it: real sockets or a process are in play, or a whole story."""

    test: str
    """`path::function` beneath `tests`."""

    def check(self) -> None:
        """Raise `AssertionError` where there is no such test."""
        path, _, function = self.test.partition("::")
        assert function in _functions(TESTS / path), self.test


@dataclass(frozen=True)
class MadeBy:
    """The engine calls it; an application is given the result by this call."""

    call: str

    def check(self) -> None:
        """Nothing: the walk has the parameters of that call."""


Row = Probe | Refused | Kept | Shown | MadeBy
Table = dict[tuple[str, str], Row]


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def probes(
    call: str, observe: Callable[..., Any], given: Mapping[str, Any], /, **without: Any
) -> Table:
    """Rows of one call: each value is given by itself, beside `without`."""
    return {(call, name): Probe(observe, without, {name: value}) for name, value in given.items()}


def kept(kind: type, *names: str) -> Table:
    """Rows of a record: all of its parameters, or these."""
    known = inspect.signature(kind).parameters
    others = {
        name: object() for name, each in known.items() if each.default is inspect.Parameter.empty
    }
    return {(kind.__name__, name): Kept(kind, name, others) for name in names or known}


def shown(call: str, /, **tests: str) -> Table:
    """Rows of one call that a test shows."""
    return {(call, name): Shown(test) for name, test in tests.items()}


def made_by(call: str, kind: str, *names: str) -> Table:
    """Rows of a class, or a method, that the engine alone calls."""
    return {(kind, name): MadeBy(call) for name in names}
