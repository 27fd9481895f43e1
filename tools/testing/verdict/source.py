"""Writes evidence as Python: a test to paste, which runs and fails."""

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from inspect import isfunction
from textwrap import indent
from typing import Any, Final

from recloser.fsm.decisions import Context

_HOMES: Final = {
    "recloser.fsm": ("Cause", "Close", "Context", "Origin", "Phase", "Unsent", "Wish"),
    "recloser.simulate.scenario": ("Down", "Refusal", "RetryAfter", "Scenario"),
    "recloser.testing": ("Call", "Fleet", "Invoke", "Lose", "Open", "Question", "Story", "Tell",
                         "Wait"),
}  # fmt: skip
_WIDTH: Final = 88


class _Writer:
    def __init__(self) -> None:
        self.names: set[str] = set()

    def write(self, value: Any) -> str:
        if isinstance(value, Enum):
            self.names.add(type(value).__name__)
            return f"{type(value).__name__}.{value.name}"
        if is_dataclass(value) and not isinstance(value, type):
            self.names.add(type(value).__name__)
            parts = [
                f"{each.name}={self.write(getattr(value, each.name))}"
                for each in fields(value)
                if each.name != "error" and not _default(each, getattr(value, each.name))
            ]
            return _call(type(value).__name__, parts)
        if isinstance(value, Context):
            self.names.add(Context.__name__)
            plain = Context._field_defaults
            parts = [
                f"{name}={self.write(given)}"
                for name, given in value._asdict().items()
                if name not in plain or plain[name] != given
            ]
            return _call(Context.__name__, parts)
        if isinstance(value, tuple):
            parts = [self.write(each) for each in value]
            return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
        if isinstance(value, Mapping):
            return repr(dict(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return repr(int(value))
        return repr(value)


def _default(field: Any, value: object) -> bool:
    if field.default is not MISSING:
        return bool(field.default == value)
    if field.default_factory is not MISSING:
        return bool(field.default_factory() == value)
    return False


def _call(name: str, parts: list[str]) -> str:
    line = f"{name}({', '.join(parts)})"
    if len(line) <= _WIDTH - 12 and "\n" not in line:
        return line
    body = indent(",\n".join(parts), "    ")
    return f"{name}(\n{body},\n)"


def policy_source(make_policy: object) -> tuple[str, str]:
    """Return the import and the name by which a test gets at what makes the policy."""
    module = str(getattr(make_policy, "__module__", ""))
    name = str(getattr(make_policy, "__qualname__", ""))
    importable = isinstance(make_policy, type) or isfunction(make_policy)
    known = importable and module in sys.modules and module != "__main__"
    if known and getattr(sys.modules[module], name, None) is make_policy:
        home = "recloser.policies" if module.startswith("recloser.policies.") else module
        return f"from {home} import {name}", name
    return "# make_policy: what you gave to check_policy", "make_policy"


def source_of(law: str, policy: tuple[str, str], evidence: object) -> str:
    """Write a test that plays the evidence once more and fails while the law is broken."""
    writer = _Writer()
    body = writer.write(evidence)
    names = {**dict.fromkeys(writer.names), "assert_law": None}
    imports = []
    for home, known in _HOMES.items():
        wanted = sorted(
            name
            for name in names
            if name in known or (home == "recloser.testing" and name == "assert_law")
        )
        if wanted:
            imports.append(f"from {home} import {', '.join(wanted)}")
    statement, maker = policy
    parts = [f'"{law}"', maker, body]
    function = "test_" + "".join(each if each.isalnum() else "_" for each in law)
    lines = [
        *imports,
        "",
        statement,
        "",
        "",
        f"def {function}():",
        indent(_call("assert_law", parts), "    "),
    ]
    return "\n".join(lines) + "\n"
