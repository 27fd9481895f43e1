"""`recloser.fsm` loads what is used and nothing else, and offers the same as its type stubs say."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from recloser import fsm

SOURCE = Path(__file__).parent.parent.parent / "fsm" / "__init__.py"


def loaded(program: str) -> set[str]:
    """Which modules of the package a fresh interpreter has after this."""
    tell = "print(*(name for name in sys.modules if name.startswith('recloser.fsm.')))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\n{tell}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_package_alone_loads_nothing() -> None:
    assert loaded("import recloser.fsm") == set()


def test_the_machine_loads_no_record_and_no_decision() -> None:
    found = loaded("import recloser.fsm.machine")
    expected = ("errors", "machine", "named_tuple", "states", "table")
    assert found == {f"recloser.fsm.{each}" for each in expected}


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        (alias.name, str(node.module))
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name, _ in typed} == set(fsm.__all__)
    for name, module in typed:
        assert getattr(import_module(module), name) is getattr(fsm, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'recloser.fsm' has no attribute 'nonsense'"):
        fsm.nonsense  # noqa: B018 - the point of the test
