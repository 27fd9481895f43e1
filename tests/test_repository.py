"""House rules that a machine can hold: lengths, exemptions, and what must not be committed."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("engine", "fsm", "policies", "tools", "transport")
LIMIT = 400

LISTED = subprocess.run(
    [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ],
    cwd=ROOT,
    check=True,
    capture_output=True,
    text=True,
).stdout.split("\0")
FILES = sorted(path for name in LISTED if name and (path := ROOT / name).is_file())
PYTHON = [path for path in FILES if path.suffix == ".py"]
OURS = [path for path in PYTHON if path.relative_to(ROOT).parts[0] in SOURCES]
THIS = Path(__file__)


def matches(pattern: str, files: list[Path]) -> list[str]:
    """Where a pattern stands, this file excepted."""
    found = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if path != THIS
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if found.search(line)
    ]


def test_one_concept_a_file() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in OURS}
    long = {path.relative_to(ROOT).as_posix(): n for path, n in lengths.items() if n > LIMIT}
    assert not long, "a second concept hides in each"


def test_nothing_is_promised_or_commented_out() -> None:
    assert not matches(r"\b(TODO|FIXME|XXX|HACK)\b", PYTHON)
    assert not matches(r"NotImplementedError|pragma: no cover|mark\.xfail", PYTHON)


def test_every_exemption_gives_its_reason() -> None:
    """`# type: ignore[code] # why` and `# noqa: CODE - why`, and never a bare one."""
    bare = matches(r"# type: ignore(?!\[[\w-]+(, ?[\w-]+)*\] +(#|-) \S)", PYTHON)
    bare += matches(r"# noqa(?!: [A-Z]+\d+(, ?[A-Z]+\d+)* +(#|-) \S)", PYTHON)
    assert not bare


def test_no_test_sleeps() -> None:
    tests = [path for path in PYTHON if path.relative_to(ROOT).parts[0] == "tests"]
    assert not matches(r"\b(asyncio|time)\.sleep\((?!0\))", tests)


def test_no_exception_is_swallowed() -> None:
    swallowed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in OURS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert not swallowed


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a path of one machine", r"(?<![\w.:/-])/(work|tmp|root|home|Users|opt)/\w"),
        (
            "a package index or mirror",
            r"(pypi|pythonhosted|npmjs|anaconda)\.\w|(index|find-links)-?url",
        ),
    ],
)
def test_nothing_of_one_machine_is_committed(what: str, pattern: str) -> None:
    assert not matches(pattern, FILES), what


def test_constraints_are_plain_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in pins)
    assert pins == sorted(set(pins), key=str.lower)
