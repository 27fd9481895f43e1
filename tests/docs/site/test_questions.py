"""Twenty questions: each answer is on the built site, three clicks from the start page at most."""

import posixpath
import re
from collections import deque
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest

from tests.docs.blocks import ROOT, page

pytestmark = pytest.mark.site

SITE = ROOT / "build" / "site"
START = "docs/index.html"
QUESTION = re.compile(r"^## (\d+)\. (.+?)\n\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
QUESTIONS = QUESTION.findall(page("questions.md"))

ABOUT = {
    "1": "connect",
    "2": "policy|1000",
    "3": "logout",
    "4": "credentials|spent",
    "5": "ask|opens",
    "6": "sending|outbox",
    "7": "promises",
    "8": "receive buffer",
    "9": "too large",
    "10": "proxies|certificate",
    "11": "stalls|liveness",
    "12": "budget",
    "13": "gap|age",
    "14": "sigterm",
    "15": "which connections are down",
    "16": "log lines",
    "17": "policy of your own|tested",
    "18": "policy on it|page",
    "19": "websockets",
    "20": "claims|not shown",
}
"""Words of the question, by number, that the title or the heading of each answer says."""


class Article(HTMLParser):
    """What a reader sees of a page beside its sidebars: links, headings, and places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self._inside = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self._inside += tag == "article"
        if self._inside and tag == "a" and (link := facts.get("href")):
            self.links.append(link)
        if place := facts.get("id"):
            self.places.add(place)

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag == "article"


def clicks(without: str) -> dict[str, int]:
    """Return how many clicks each page is from the start page, with one page taken out.

    Sidebars do not count: with them every page would be one click away.
    """
    found, todo = {START: 0}, deque([START])
    while todo:
        name = todo.popleft()
        for link in Article(SITE / name).links:
            if urlsplit(link).scheme:
                continue
            target = urldefrag(urljoin(name, link))[0]
            if target.endswith(".html") and target not in found and target != without:
                found[target] = found[name] + 1
                todo.append(target)
    return found


@pytest.fixture(scope="module")
def far() -> dict[str, int]:
    return clicks("docs/questions.html")


def answers(text: str) -> list[tuple[str, str]]:
    """Return the pages and places that an answer leads to."""
    found = re.findall(r"\]\(([\w.-]+)\.md#([\w-]+)\)", text.split("→")[1])
    return [(f"docs/{name}.html", place) for name, place in found]


def heading(name: str, place: str) -> str:
    """Return the title of a page and the heading of a place in it, as words."""
    text = (SITE / name).read_text(encoding="utf-8")
    section = re.search(rf' id="{place}">.*?<h\d>(.*?)<a', text, re.DOTALL)
    assert section is not None, f"{name} has no section {place}"
    title = re.search(r"<h1>(.*?)<a", text, re.DOTALL)
    assert title is not None
    return re.sub(r"<[^>]+>", "", f"{title[1]}: {section[1]}").lower()


def test_there_are_twenty() -> None:
    assert [number for number, _, _ in QUESTIONS] == [str(n) for n in range(1, 21)] == list(ABOUT)


@pytest.mark.parametrize(("number", "question", "text"), QUESTIONS, ids=list(ABOUT))
def test_an_answer_is_near_and_its_heading_says_so(
    far: dict[str, int], number: str, question: str, text: str
) -> None:
    """The first click leads to a page; one more, in its contents, to the place."""
    found = answers(text)
    assert found, question
    for name, place in found:
        assert far[name] + 1 <= 3, f"{name} is too far"
        assert place in Article(SITE / name).places
        assert re.search(ABOUT[number], heading(name, place)), (name, place)


def test_the_page_of_questions_is_one_click_away() -> None:
    start = Article(SITE / START)
    assert "questions.html" in start.links
    assert posixpath.dirname(START) == "docs"
