"""The order of the pages: the lists and tables of links on an index page are its table of contents.

So the order stands once, in a page that reads well on GitHub too. `FOLDERS` are index pages whose
contents are all other pages of their folder, in the order of the names.
"""

import posixpath
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

INDEXES = ("docs/index", "docs/reference/index")
FOLDERS = ("docs/decisions/README",)
LISTED = re.compile(r"^(?:[-*]|\d+\.|\|) .*", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]+\.md)\)")


def sections(text: str) -> list[tuple[str, list[str]]]:
    """Return the headings of an index page, each with the pages that its lists lead to, once."""
    seen: set[str] = set()
    found = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        pages = []
        for line in LISTED.findall(body):
            fresh = [page for page in dict.fromkeys(LINK.findall(line)) if page not in seen]
            seen.update(fresh)
            pages += fresh
        if pages:
            found.append((title.strip(), pages))
    return found


def _toctree(title: str, pages: list[str], *options: str) -> str:
    caption = [f":caption: {title}"] if title else []
    return "\n".join(["", "```{toctree}", ":hidden:", *caption, *options, "", *pages, "```", ""])


def extend(_: "Sphinx", docname: str, source: list[str]) -> None:
    """Add to an index page what Sphinx wants to read."""
    if docname in INDEXES:
        source[0] += "".join(
            _toctree(title, [posixpath.splitext(page)[0] for page in pages])
            for title, pages in sections(source[0])
        )
    elif docname in FOLDERS:
        source[0] += _toctree("", ["*"], ":glob:")


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect to the events of Sphinx."""
    app.connect("source-read", extend)
    return {"parallel_read_safe": True}
