"""Advice that an error message gives can be followed: what it says to install (L6)."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ADVICE = re.compile(r"pip install ([^\s\"()]+)")
FOUND = sorted(
    {
        (path.relative_to(ROOT).as_posix(), name.rstrip("."))
        for folder in ("engine", "fsm", "policies", "transport", "tools")
        for path in (ROOT / folder).rglob("*.py")
        for name in ADVICE.findall(path.read_text())
    }
)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.spec("L6")
@pytest.mark.parametrize(("path", "name"), FOUND)
def test_what_is_to_be_installed_is_a_library_of_an_extra(path: str, name: str) -> None:
    """An extra of recloser would be looked for where this version may never have been put."""
    known = {re.split(r"[<>=~;\[ ]", each)[0] for extra in EXTRAS.values() for each in extra}
    assert name in known - {"recloser"}, path


@pytest.mark.spec("L6")
def test_there_is_such_advice() -> None:
    assert {"pygraphviz", "matplotlib", "trustme"} <= {name for _, name in FOUND}
