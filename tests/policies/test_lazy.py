"""`recloser.policies` loads the standard policy and little else, and offers what its stubs say."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from recloser import policies

SOURCE = Path(__file__).parents[2] / "policies" / "__init__.py"
LATER = ("catalogue", "combine")


def loaded(program: str) -> set[str]:
    """Which of the modules that can wait a fresh interpreter has after this."""
    tell = "print(*(name.rpartition('.')[2] for name in sys.modules if 'recloser.pol' in name))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nfrom recloser import policies\n{program}\n{tell}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split()) & set(LATER)


@pytest.mark.parametrize(
    ("program", "modules"),
    [
        ("policies.standard()", set()),
        ("policies.basic()", set()),
        ("policies.limit(policies.standard(), attempts=1, then=policies.stop())", {"combine"}),
        ("policies.services()", {"catalogue"}),
    ],
)
def test_what_can_wait_is_loaded_when_it_is_used(program: str, modules: set[str]) -> None:
    assert loaded(program) == modules


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    typed = {
        (alias.name, str(node.module))
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef)  # what a function imports is its own
        for node in ast.walk(statement)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("recloser.")
        for alias in node.names
    }
    assert {name for name, _ in typed} == set(policies.__all__)
    assert dir(policies) == policies.__all__
    for name, module in typed:
        assert getattr(import_module(module), name) is getattr(policies, name)
