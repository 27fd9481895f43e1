"""The built site: the inventory has every public name, and every link leads somewhere."""

import re
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

from tests.docs.blocks import ROOT
from tests.docs.test_reading_order import load
from tests.test_exports import PACKAGES

pytestmark = pytest.mark.site

SITE = ROOT / "build" / "site"


class Page(HTMLParser):
    """The links of a page, and the places in it that a link may lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if place := facts.get("id"):
            self.places.add(place)
        link = facts.get("href") if tag in {"a", "link"} else facts.get("src")
        if link:
            self.links.append(link)


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    found = {path.relative_to(SITE).as_posix(): Page(path) for path in sorted(SITE.rglob("*.html"))}
    assert "docs/index.html" in found, "no site: make site"
    return found


def test_every_link_leads_somewhere(pages: dict[str, Page]) -> None:
    broken = []
    for name, page in pages.items():
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            path, place = urldefrag(urljoin(name, link))
            target = unquote(urlsplit(path).path)
            if target in pages:
                if place and unquote(place) not in pages[target].places:
                    broken.append(f"{name}: {link}")
            elif not (SITE / target).is_file():
                broken.append(f"{name}: {link}")
    assert not broken


def test_nothing_is_asked_of_the_network(pages: dict[str, Page]) -> None:
    """A page of the site loads nothing from elsewhere."""
    loads = re.compile(
        r"<(?:script|img|iframe)[^>]*src=\"(?:https?:)?//|<link[^>]*href=\"https?://"
    )
    assert not [name for name in pages if loads.search((SITE / name).read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "package",
    [*PACKAGES, "recloser.journal", "recloser.policies.backoff", "recloser.policies.field"],
)
def test_every_public_name_is_in_the_inventory(package: str) -> None:
    """As an object of its own, or as the object of that name at the top."""
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((SITE / "objects.inv").read_bytes(), uri="")
    known = {name for kind, names in inventory.data.items() if "py:" in kind for name in names}
    module = import_module(package)
    missing = []
    for name in module.__all__:
        same = getattr(import_module("recloser"), name, None) is getattr(module, name)
        if f"{package}.{name}" not in known and not (same and f"recloser.{name}" in known):
            missing.append(name)
    assert not missing


def test_every_package_is_known_to_the_links() -> None:
    """A name of a package that docs/site/names.py does not list leads nowhere."""
    assert set(PACKAGES) <= set(load("names").PACKAGES)
