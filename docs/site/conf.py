"""Settings of the site: `make docs` builds it with Sphinx from the same pages that GitHub shows.

The root of the repository is the source folder, so that a relative link means the same in a clone,
on GitHub and on the site. No network is used.
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pygments.lexers.shell import BashLexer, BashSessionLexer
from sphinx.application import Sphinx

SITE = Path(__file__).parent
ROOT = SITE.parents[1]
sys.path.insert(0, str(SITE))

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "recloser"
author = "The recloser founders"
copyright = author  # noqa: A001 - the name that Sphinx reads
version = release = _PROJECT["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "docstrings",
    "names",
    "pictures",
    "reading_order",
    "titles",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "tests/README.md",
    "diagrams/README.md",
]
exclude_patterns = ["**/node_modules", ".*", "build", "findings"]

nitpicky = True
# What other projects define: no network is asked for their inventories.
nitpick_ignore_regex = [("py:.*", r"(?!recloser\b).*")]

myst_heading_anchors = 6
suppress_warnings = ["myst.header"]  # the pages of GitHub may leave out a level

html_theme = "furo"
html_title = f"recloser {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["front"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
copybutton_prompt_text = "$ "


class Console(BashSessionLexer):
    """Commands with prompts and what they print; without a prompt, commands alone."""

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """Split the text of a block."""
        if text.startswith("$ "):
            yield from super().get_tokens_unprocessed(text)
        else:
            yield from BashLexer().get_tokens_unprocessed(text)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx what stands here."""
    app.add_lexer("console", Console)
