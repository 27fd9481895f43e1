"""Finds the numbers and texts in the code of a policy: it may go wrong at each of them.

A rule for attempt 137 or for the reason "bye" would take luck to find from outside; its code,
its globals and its attributes name them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from inspect import isclass, ismodule, unwrap
from math import isfinite
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

_MOST_OBJECTS: Final = 4000
_MOST: Final = 150
_LONGEST: Final = 200
_FOREIGN: Final = ("recloser.", "builtins", "typing", "dataclasses", "enum", "re", "math")


@dataclass(frozen=True, slots=True)
class Literals:
    """The literals that were found, in order of appearance."""

    numbers: tuple[float, ...] = ()
    """Finite; whole ones are ints."""
    texts: tuple[str, ...] = ()


class _Walk:
    def __init__(self) -> None:
        self.numbers: dict[float, None] = {}
        self.texts: dict[str, None] = {}
        self._seen: set[int] = set()
        self._keep: list[object] = []
        self._todo: list[object] = []

    def run(self, first: object) -> Literals:
        self._todo.append(first)
        while self._todo and len(self._seen) < _MOST_OBJECTS:
            self._look(self._todo.pop(0))
        return Literals(tuple(self.numbers)[:_MOST], tuple(self.texts)[:_MOST])

    def _look(self, value: object) -> None:
        match value:
            case bool() | None | Enum():
                return
            case int() | float():
                if isfinite(value):
                    self.numbers.setdefault(value)
                return
            case str():
                if 0 < len(value) <= _LONGEST:
                    self.texts.setdefault(value)
                return
            case bytes():
                return
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._keep.append(value)
        self._todo.extend(_inside(value))


def _inside(value: Any) -> Iterable[object]:
    """Yield the parts of an object."""
    match value:
        case range():
            return (value.start, value.stop)
        case dict():
            return (*value.keys(), *value.values())
        case tuple() | list() | set() | frozenset():
            return value
        case CodeType():
            return value.co_consts
        case MethodType():
            return (value.__func__, value.__self__)
        case FunctionType():
            return _of_function(value)
    if ismodule(value):
        return ()
    if isclass(value):
        if value.__module__.startswith(_FOREIGN):
            return ()
        return [each for name, each in vars(value).items() if name not in ("__doc__", "__dict__")]
    if isinstance(value, property | classmethod | staticmethod):
        return [getattr(value, "fget", None), getattr(value, "__func__", None)]
    pattern = getattr(value, "pattern", None)
    own = list(getattr(value, "__dict__", {}).values())
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        own += [getattr(value, name, None) for name in names if not name.startswith("__")]
    return [*own, pattern, getattr(value, "func", None), *type(value).__mro__[:-1]]


def _of_function(function: FunctionType) -> Iterable[object]:
    inner = unwrap(function)
    code = inner.__code__
    yield code
    yield from (inner.__defaults__ or ())
    yield from (inner.__kwdefaults__ or {}).values()
    for cell in inner.__closure__ or ():
        if cell.cell_contents is not inner:
            yield cell.cell_contents
    codes = [code]
    for each in codes:
        codes += [const for const in each.co_consts if isinstance(const, CodeType)]
        for name in each.co_names:
            yield inner.__globals__.get(name)


def literals_of(*found: object) -> Literals:
    """Return the literals of policies and of their makers."""
    return _Walk().run(found)
