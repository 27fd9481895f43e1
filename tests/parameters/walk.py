"""Every parameter of every public call, found by walking what the packages offer."""

import inspect
from collections.abc import Iterator
from enum import EnumMeta
from importlib import import_module
from typing import Any

from recloser.driver.scope import Scope
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Context
from recloser.outbox.message import Message
from tests.test_exports import PACKAGES

FURTHER = (
    "recloser.journal",
    "recloser.policies.backoff",
    "recloser.policies.field",
    "recloser.testing.strategies",
)
"""Modules that are public and no packages of their own."""
NAMED: tuple[type, ...] = (Context, Message, StateChange)
"""Named tuples that an application may make; Python makes their constructor."""
GIVEN: dict[str, type] = {"Scope": Scope}
"""Classes that no package offers, and whose objects an application is given."""


def _parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]


def _methods(kind: type) -> Iterator[Any]:
    for name in dir(kind):
        found = inspect.getattr_static(kind, name)
        if isinstance(found, classmethod | staticmethod):
            found = found.__func__
        if not name.startswith("_") and inspect.isfunction(found):
            yield found


def _made_by(kind: type) -> str:
    """The module of the constructor."""
    if kind in NAMED:
        return kind.__module__
    makers = (kind.__init__, kind.__new__)
    return next((each.__module__ for each in makers if inspect.isfunction(each)), "")


def offered() -> Iterator[tuple[str, Any]]:
    """What each package offers and can be called; a name that several offer comes once."""
    seen = set[int]()
    for package in (*PACKAGES, *FURTHER):
        module = import_module(package)
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if inspect.isfunction(value)
            and value.__module__ == package
            and not name.startswith("_")
        ]
        for name in names:
            value = getattr(module, name)
            ours = getattr(value, "__module__", "").startswith("recloser")
            if callable(value) and not inspect.ismodule(value) and ours and id(value) not in seen:
                seen.add(id(value))
                yield name, value
    yield from GIVEN.items()


def parameters() -> Iterator[tuple[str, str]]:
    """Each parameter with its call: `("connect", "url")`, `("Supervisor.add", "name")`.

    A method has the name of the class that defines it, so one that is inherited comes again. An
    enumeration is called by its value, and the methods of a protocol by the engine. A class
    without a constructor of its own takes what `object` or every exception takes.
    """
    for name, value in offered():
        if isinstance(value, EnumMeta) or getattr(value, "_is_protocol", False):
            continue
        if not inspect.isclass(value) or _made_by(value).startswith("recloser"):
            yield from ((name, each) for each in _parameters(value))
        if inspect.isclass(value):
            for function in _methods(value):
                if function.__module__.startswith("recloser"):
                    yield from ((function.__qualname__, each) for each in _parameters(function))
