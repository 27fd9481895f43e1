"""Every document: lines of at most 120 columns, and links that lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *ROOT.glob("docs/**/*.md"),
        ROOT / "tests" / "README.md",
    ],
)
WIDTH = 120


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The lines outside code and tables, which cannot be broken."""
    code = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and not line.lstrip().startswith("|"):
            yield number, line


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_line_is_too_long(page: Path) -> None:
    assert not [number for number, line in prose(page) if len(line) > WIDTH]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = page if not path else (page.parent / path).resolve()
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert not broken


def test_the_changelog_is_for_users() -> None:
    """No entry twice, no commit, and no file that is not installed or shown to users."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.findall(r"^- (?:.+\n)(?:  .+\n)*", text, re.MULTILINE)
    assert len(entries) == len(set(entries)) > 200
    commits = re.findall(r"\b(?=[a-f]*\d)(?=\d*[a-f])[\da-f]{7,40}\b", text)
    internal = re.findall(r"\b(?:benchmarks|engine|fsm|policies|tests|tools|transport)/\S+", text)
    assert not commits + internal
