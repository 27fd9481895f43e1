"""Hints for a name that is nearly one of those that are known: "did you mean 'connect'?"."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ": did you mean 'connect'?", to be put behind a message; empty if nothing is near.

    A name that begins with an underscore is asked for by tools, and gets no hint.
    """
    if name.startswith("_"):
        return ""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    lower = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), lower, n=2, cutoff=0.6)
    return f": did you mean {' or '.join(repr(lower[each]) for each in near)}?" if near else ""


class UnknownName(AttributeError):
    """A module has no attribute of this name. What it may mean is sought when the error is shown.

    `from package import module` asks for the attribute first, and drops the error.
    """

    def __init__(self, module: str, name: str, known: Iterable[str]) -> None:
        super().__init__(module, name, known)

    def __str__(self) -> str:
        module, name, known = self.args
        return f"module {module!r} has no attribute {name!r}{suggestion(name, known)}"


def hinting(function: Callable[P, T]) -> Callable[P, T]:
    """Let an unknown keyword argument of a function be told with the one that was meant."""
    code = function.__code__
    known = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in kwargs:
            if name not in known:
                raise TypeError(
                    f"{function.__name__}() got an unexpected keyword argument {name!r}"
                    f"{suggestion(name, known)}"
                )
        return function(*args, **kwargs)

    return call
