"""docs/security.md: each row names a test that is there; what is installed is what is pinned."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest

import recloser

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
THREATS, _, EXCEPTIONS = PAGE.partition("## Exceptions")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in THREATS.splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| threat"))
]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
NEWEST = {"certifi", "tzdata"}
"""Data whose newest version is wanted: roots of trust, and time zones."""


def plain(name: str) -> str:
    """The name of a distribution in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


PINNED = {plain(name): pin for name, pin in PINS.items()}


@cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file."""
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in module.body if isinstance(node, functions))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_each_row_names_a_test_that_is_there(row: list[str]) -> None:
    threat, guard, test = row
    assert threat
    assert guard.endswith(".")
    [(path, name)] = re.findall(r"^`(tests/[\w/]+\.py)::(test_\w+)`$", test)
    assert name in names_in(path)


def test_the_page_has_the_kinds_of_threats() -> None:
    assert len(ROWS) >= 50
    assert len({row[0] for row in ROWS}) == len(ROWS), "a threat stands once"
    assert EXCEPTIONS.count("\n| ") >= 10


def led_to(name: str, extras: frozenset[str], seen: dict[str, frozenset[str]]) -> Iterator[str]:
    """The distributions that this one needs here, through all others, as far as installed."""
    if extras <= seen.get(name, frozenset()) and name in seen:
        return
    seen[name] = extras | seen.get(name, frozenset())
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return
    yield name
    for line in found.requires or ():
        needed = re.match(r"([\w.-]+)(?:\[([\w,. -]+)\])?([^;]*)(?:;(.*))?", line)
        assert needed is not None, line
        wanted = re.findall(r"extra == ['\"]([\w.-]+)['\"]", needed[4] or "")
        if wanted and not {plain(each) for each in wanted} & seen[name]:
            continue
        more = frozenset(plain(each.strip()) for each in (needed[2] or "").split(",") if each)
        yield from led_to(plain(needed[1]), more, seen)


@pytest.fixture
def development() -> None:
    """The environment that `make` sets up; other ones try other versions on purpose."""
    if "site-packages" in str(recloser.__file__):
        pytest.skip("recloser is installed as users install it: the pins are for its developers")


@pytest.mark.usefixtures("development")
def test_what_is_installed_is_what_is_pinned() -> None:
    differs = {}
    for name, pin in PINS.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed here
        if installed != pin:
            differs[name] = (pin, installed)
    assert not differs, "run: pip install -c constraints.txt -e '.[dev]'"


@pytest.mark.usefixtures("development")
def test_each_dependency_is_pinned() -> None:
    extras = frozenset({"dev", "bench"})
    needed = set(led_to("recloser", extras, {})) - {"recloser"}
    assert {"aiohttp", "multidict", "frozenlist", "ruff"} <= needed
    assert not needed - PINNED.keys() - NEWEST
