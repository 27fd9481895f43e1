"""What it is to follow advice: the mistake, its message, and what is done as the message says."""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from recloser.cli import main
from recloser.testing import run
from tests.advice.collect import GAP

HOUR = 3600.0


class Refused(Exception):
    """A command ended with a status other than 0; the text is what it printed."""


def command(*arguments: str, stdin: str = "") -> Callable[[], None]:
    """Type a command; raises `Refused` if it does not take it."""

    def typed() -> None:
        result = CliRunner().invoke(main, arguments, input=stdin)
        if result.exit_code:
            raise Refused(" ".join(result.output.split()).replace("│ ", ""))

    return typed


def done(act: Callable[[], Any]) -> Any:
    """Do it, in virtual time where it is a coroutine function."""
    if not inspect.iscoroutinefunction(act):
        return act()

    async def story() -> Any:
        async with asyncio.timeout(HOUR):
            return await act()

    return run(story())


@dataclass(frozen=True)
class Advice:
    """A mistake, and the same thing done as its message says."""

    mistake: Callable[[], Any]
    followed: Callable[[], Any]

    def check(self, advice: str) -> None:
        """Raise `AssertionError` unless the mistake gets this advice, and the advice works."""
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the text is compared below
            done(self.mistake)
        said = " ".join(str(caught.value).split())
        for part in advice.split(GAP):
            assert " ".join(part.split()) in said, said
        done(self.followed)


@dataclass(frozen=True)
class Shown:
    """A test of its own follows the advice: it needs real files, processes or sockets."""

    test: str
    """`path::function` beneath `tests`."""
