"""What a collected test imports is in the environment that `make test` builds, on any machine.

An environment that another target has added to holds more, and hides a missing requirement.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def files() -> Iterator[Path]:
    """The files of tests, those that configure them, and those of ours that they import."""
    waiting = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "tests").rglob("conftest.py")]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or "node_modules" in path.parts:
            continue
        seen.add(path)
        yield path
        waiting += [file for module in imports(path) for file in ours(module)]


def imports(path: Path) -> Iterator[str]:
    """What a file imports when it is collected; what a function imports is the test's to skip."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        match waiting.pop():
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{each.name}" for each in names)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case node:
                waiting += ast.iter_child_nodes(node)


def ours(module: str) -> Iterator[Path]:
    """The file of a module of this tree, if it is one."""
    stem = ROOT.joinpath(*module.split("."))
    yield from (each for each in (stem.with_suffix(".py"), stem / "__init__.py") if each.is_file())


def required(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """The distributions that installing `name[extras]` brings, by their normal names."""
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    found = {name}
    for text in distribution(name).requires or ():
        each = Requirement(text)
        markers = [{"extra": extra} for extra in extras or {""}]
        if each.marker is None or any(map(each.marker.evaluate, markers)):
            found |= required(canonicalize_name(each.name), frozenset(each.extras), seen)
    return found


def test_what_the_tests_import_is_required_for_development() -> None:
    present = required("recloser", frozenset({"dev"}), set())
    providers = packages_distributions()
    ends = {"tests", "benchmarks", "examples", *sys.stdlib_module_names}
    missing = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in files()
        for module in imports(path)
        if (top := module.partition(".")[0]) not in ends
        and not present & {canonicalize_name(name) for name in providers.get(top, [])}
    }
    assert not missing, "name them in the extra dev of pyproject.toml"


def test_processes_that_tests_start_do_without_rich_as_those_of_users() -> None:
    program = "import structlog.dev; print(structlog.dev.rich)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "None\n", done.stderr
