"""docs/reference/: each public name has its place, once."""

import re
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest

from tests.docs.blocks import DOCS
from tests.test_exports import PACKAGES

TEXT = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((DOCS / "reference").glob("*.md"))
}
DIRECTIVE = re.compile(r"^\.\. (py:module|auto\w+):: ([\w.]+)", re.MULTILINE)
ALSO = re.compile(r"^## Also at the top\n\n(.*)", re.MULTILINE | re.DOTALL)


def documented() -> list[str]:
    """The full names of everything that has an entry of its own, in order."""
    found = []
    for text in TEXT.values():
        package = ""
        for directive, name in DIRECTIVE.findall(text):
            if directive == "py:module":
                package = name
            found.append(name if name.startswith("recloser") else f"{package}.{name}")
    return found


def test_nothing_has_two_entries() -> None:
    assert not [name for name, count in Counter(documented()).items() if count > 1]


@pytest.mark.parametrize(
    "package",
    [*PACKAGES, "recloser.journal", "recloser.policies.backoff", "recloser.policies.field"],
)
def test_every_public_name_has_an_entry(package: str) -> None:
    """Under its most public name; a page says which names of its package stand there."""
    known = documented()
    [text] = [text for text in TEXT.values() if f":: {package}\n" in text] or [""]
    assert text, f"no page of docs/reference says .. py:module:: {package}"
    also = set(re.findall(r"`(\w+)`", match[1])) if (match := ALSO.search(text)) else set()
    for name in import_module(package).__all__:
        value = getattr(import_module(package), name)
        full = value.__name__ if isinstance(value, ModuleType) else f"{package}.{name}"
        assert full in known or (name in also and f"recloser.{name}" in known), full


def test_every_entry_is_there() -> None:
    for full in documented():
        place, _, name = full.rpartition(".")
        if place:
            assert hasattr(import_module(place), name) or find_spec(full), full
