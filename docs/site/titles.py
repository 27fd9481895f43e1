"""Links with titles: on GitHub a link says `sending.md`, and on the site the title of that page.

The pages are files for those who read them in a clone, and have no visible names on the site. So
a link whose text is the name of a file gets the title of the page that it leads to.
"""

import posixpath
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FILE = re.compile(r"[\w/.-]+\.md|[\w/]+/")


def entitle(app: "Sphinx", document: nodes.document, docname: str) -> None:
    """Change the links of one page."""
    for link in document.findall(nodes.reference):
        path = link.get("refuri", "").partition("#")[0]
        if "://" in path or not path.endswith(".html") or not FILE.fullmatch(link.astext()):
            continue
        target = posixpath.normpath(posixpath.join(posixpath.dirname(docname), path))
        title = app.env.titles[posixpath.splitext(target)[0]].astext()
        link.children = []
        link.append(nodes.inline(title, title))


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect to the events of Sphinx."""
    app.connect("doctree-resolved", entitle)
    return {"parallel_read_safe": True}
