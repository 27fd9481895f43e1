"""Who imports whom, by walking the imports of every source file (docs/design.md, part 1)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = {
    "fsm": "recloser.fsm",
    "policies": "recloser.policies",
    "transport": "recloser.transport",
    "engine": "recloser",
    "tools": "recloser",
}
PURE = ("fsm", "policies")
IMPURE = frozenset(
    {
        "asyncio",
        "concurrent",
        "contextvars",
        "datetime",
        "http",
        "logging",
        "multiprocessing",
        "os",
        "random",
        "secrets",
        "select",
        "selectors",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "time",
        "urllib",
    }
)
"""Modules of the standard library that hold a clock, randomness, I/O or concurrency."""

OWN = {
    "fsm": {"recloser.fsm"},
    "policies": {
        "recloser.policies",
        "recloser.fsm.closecodes",
        "recloser.fsm.decisions",
        "recloser.fsm.numbers",
        "recloser.fsm.record",
        "recloser.fsm.states",
    },
    "transport": {
        "recloser.transport",
        "recloser.fsm.closecodes",
        "recloser.fsm.errors",
        "recloser.fsm.numbers",
        "recloser.fsm.record",
        "recloser.fsm.states",
    },
    "engine": {"recloser"},
    "tools": {"recloser"},
}
"""What each layer may import of ours."""

THIRD = {
    "fsm": set[str](),
    "policies": set[str](),
    "transport": {"aiohttp", "multidict", "yarl"},
    "engine": {"aiohttp", "structlog", "yarl"},
    "tools": {"aiohttp", "click", "hypothesis", "pytest", "structlog", "yarl"},
}
"""What each layer may import of others; multidict and yarl are aiohttp's own vocabulary."""

ALONE = {
    "aiosqlite": "engine/outbox/file/writer.py",
    "matplotlib": "tools/simulate/curves.py",
    "pygraphviz": "tools/diagram/graphviz.py",
    "transitions": "fsm/machine.py",
}
"""What one file alone may import."""

FILES = sorted(path for folder in LAYERS for path in (ROOT / folder).rglob("*.py"))


def module(path: Path) -> str:
    """The dotted name under which a source file is installed."""
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    names = [LAYERS[folder], *rest]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; say the full name"
            assert node.module is not None
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield deeper if deeper in MODULES else node.module


MODULES = {module(path) for path in FILES}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_imports_what_its_layer_may(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    for each in imports(path):
        top = each.partition(".")[0]
        if top == "recloser":
            assert any(each == own or each.startswith(f"{own}.") for own in OWN[layer]), each
        elif top in sys.stdlib_module_names:
            assert layer not in PURE or top not in IMPURE, each
        elif top in ALONE:
            assert name(path) == ALONE[top], each
        else:
            assert top in THIRD[layer], each


def test_the_walk_sees_every_layer() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(LAYERS)
    assert "transitions" in set(imports(ROOT / "fsm" / "machine.py"))
    assert "aiohttp" in {each for path in FILES for each in imports(path)}


def test_an_import_inside_a_function_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text("def f():\n    import time\n    from recloser.fsm import core\n")
    assert list(imports(path)) == ["time", "recloser.fsm.core"]
