"""Every page has its place in the site, and every block of Python in the pages is run."""

import importlib.util
import posixpath
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.blocks import DOCS, ROOT


def load(name: str) -> ModuleType:
    """Load an extension of the site, which stands in no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ORDER = load("reading_order")
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md"))
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))


def placed() -> list[str]:
    """Every page that an index page lists, in the reading order, and those of the folders."""
    found = []
    for index in ORDER.INDEXES:
        folder = posixpath.dirname(index)
        for _, pages in ORDER.sections((ROOT / f"{index}.md").read_text(encoding="utf-8")):
            found += [posixpath.normpath(posixpath.join(folder, each)) for each in pages]
    for index in ORDER.FOLDERS:
        folder = Path(index).parent
        found += [
            path.relative_to(ROOT).as_posix()
            for path in sorted((ROOT / folder).glob("*.md"))
            if path.stem != Path(index).name
        ]
    return found


def test_every_page_is_listed_once() -> None:
    """A new page is listed in docs/index.md, under the heading where a reader looks for it."""
    assert sorted(each for each in placed() if each.startswith("docs/")) == [
        page for page in PAGES if page != "docs/index.md"
    ]


def test_what_is_listed_is_there() -> None:
    assert not [each for each in placed() if not (ROOT / each).is_file()]


def test_only_lists_and_tables_count() -> None:
    text = "[a](a.md)\n\n## One\n\nSee [b](b.md).\n\n- [c](c.md): of [d](d.md#x)\n- [c](c.md)\n"
    assert ORDER.sections(text) == [("One", ["c.md"])]


@pytest.mark.parametrize(
    "page", [each for each in PAGES if "```python\n" in (ROOT / each).read_text(encoding="utf-8")]
)
def test_a_page_with_examples_has_a_test(page: str) -> None:
    """A test names the page beside the pattern by which it takes the blocks out of it."""
    assert re.search(rf"[\"/]{re.escape(Path(page).name)}\"", TESTS)


def test_a_decision_has_a_number_of_its_own() -> None:
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [page.name[:4] for page in pages]
    assert numbers == [f"{each:04}" for each in range(1, len(pages) + 1)]
    assert all(
        page.read_text(encoding="utf-8").startswith(f"# {page.name[:4]}: ") for page in pages
    )
