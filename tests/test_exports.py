"""What each package offers: importable, documented, and named in the design."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import recloser

ROOT = Path(__file__).parent.parent
PACKAGES = [
    "recloser",
    "recloser.admission",
    "recloser.credentials",
    "recloser.diagram",
    "recloser.fleet",
    "recloser.fsm",
    "recloser.hints",
    "recloser.inspector",
    "recloser.metrics",
    "recloser.outbox",
    "recloser.policies",
    "recloser.statistics",
    "recloser.testing",
    "recloser.transport",
]


def kind(name: str) -> int:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    if name.isupper():
        return 0
    return 1 if name[0].isupper() else 2


@pytest.mark.parametrize("name", PACKAGES)
class TestPackage:
    def test_all_is_sorted_and_free_of_doubles(self, name: str) -> None:
        names: list[str] = import_module(name).__all__
        assert names == sorted(set(names), key=lambda each: (kind(each), each))

    def test_every_name_can_be_imported_and_is_documented(self, name: str) -> None:
        package = import_module(name)
        for each in package.__all__:
            value = getattr(package, each)
            ours = getattr(value, "__module__", name).startswith("recloser")
            if ours and (callable(value) or inspect.ismodule(value)):
                assert inspect.getdoc(value), f"{name}.{each} has no docstring"

    def test_nothing_private_is_offered(self, name: str) -> None:
        assert not [each for each in import_module(name).__all__ if each.startswith("_")]


def test_the_front_door_says_the_same_to_type_checkers_and_at_run_time() -> None:
    tree = ast.parse((ROOT / "engine" / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(recloser.__all__)
    assert dir(recloser) == recloser.__all__


def test_the_design_names_what_stands_at_the_top() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    _, section = text.split("\n## What a service sees\n")
    named = set(re.findall(r"`(\w+)`", section.split("\n## ")[0]))
    assert named == set(recloser.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        recloser.nonsense  # noqa: B018 - the point of the test


def test_modules_are_modules() -> None:
    for name in ("fsm", "policies", "testing", "transport"):
        assert isinstance(getattr(recloser, name), ModuleType)
