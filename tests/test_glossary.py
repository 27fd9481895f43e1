"""docs/glossary.md defines each term once, and the code and documents use it."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GLOSSARY = DOCS / "glossary.md"
TERMS = re.findall(
    r"^\| \*\*([^*]+)\*\* \| (.+?) \| `([^`]+)` \|$",
    GLOSSARY.read_text(encoding="utf-8"),
    re.MULTILINE,
)
GENERATED = ("clauses.md", "gallery.md")
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name not in GENERATED)

RETIRED = {
    r"\babroad\b": "cross-origin",
    r"\badopt": "on_undeliverable, or fall back to",
    r"\banyhow\b": "already",
    r"\bas ever\b": "as usual",
    r"\bdesert": "release",
    r"\boutlet": "sender",
    r"\brivals?\b": "baseline",
    r"\bthere and then\b": "at once",
    r"\bwhat is none\b": "anything else",
}
"""Words that no source says, and what it says instead."""


def test_every_line_of_the_tables_is_a_term() -> None:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    rows = [
        line for line in lines if line.startswith("| ") and not line.startswith(("| term", "| ---"))
    ]
    assert len(rows) == len(TERMS) > 60


def test_a_term_is_defined_once() -> None:
    times = Counter(term for term, _, _ in TERMS)
    assert not [term for term, count in times.items() if count > 1]


@pytest.mark.parametrize(("term", "meaning", "where"), TERMS, ids=[term for term, _, _ in TERMS])
def test_a_term_is_used_where_it_lives(term: str, meaning: str, where: str) -> None:
    assert meaning.endswith(".")
    source = (ROOT / where).read_text(encoding="utf-8")
    word = re.compile(rf"(?<![a-z]){re.sub('[ -]', '[ _-]?', term)}", re.IGNORECASE)
    pages = "".join(path.read_text(encoding="utf-8") for path in PAGES if path != GLOSSARY)
    assert word.search(source) or word.search(where), f"{where} does not say {term}"
    assert word.search(pages), f"no page uses {term}: is it a term?"


@pytest.mark.parametrize(
    "page", [path for path in PAGES if path != GLOSSARY], ids=lambda path: path.name
)
def test_every_page_leads_to_the_glossary(page: Path) -> None:
    assert "(glossary.md" in page.read_text(encoding="utf-8")


def test_the_first_line_of_a_module_is_a_statement() -> None:
    """A subject and a verb, or a noun; not "What goes into the core"."""
    asking = re.compile(r'^"""(What|Who|Where|How|Which|When|Why|Whether)\b')
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("engine", "fsm", "policies", "tools", "transport")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if asking.match(path.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_is_not_used(word: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for folder in ("engine", "fsm", "policies", "tools", "transport")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for match in re.finditer(word, path.read_text(encoding="utf-8"), re.IGNORECASE)
    ]
    assert not found, f"say {RETIRED[word]}"
