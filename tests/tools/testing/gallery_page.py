"""Writes docs/gallery.md: python -m tests.tools.testing.gallery_page > docs/gallery.md."""

import inspect
import random
import sys
import textwrap

from recloser.testing import examine
from recloser.testing.gallery import GALLERY, Exhibit

HEAD = """# The gallery of bad policies

Each was shipped by some real client, and each is caught by the law that it breaks, with the
default effort. The stories are what `recloser check` tells; a test compares them.
`recloser.testing.gallery` has the classes: for reading and for tests, not for use.
"""


def wrapped(paragraph: str) -> str:
    """A paragraph in lines of at most 120 columns."""
    return "\n".join(textwrap.wrap(paragraph, 120, break_long_words=False))


def section(exhibit: Exhibit) -> str:
    """One exhibit: what it does, who shipped it, its code, and its story."""
    name = getattr(exhibit.make, "__name__", "")
    random.seed(1)  # one exhibit draws numbers of its own: the page shows the same ones each time
    [verdict] = examine(exhibit.make, laws=[exhibit.law]).broken
    code = textwrap.dedent(inspect.getsource(exhibit.make)).rstrip()
    return (
        f"## {name}\n\n{wrapped(f'{inspect.getdoc(exhibit.make)} Seen in: {exhibit.seen}.')}\n\n"
        f"```python\n{code}\n```\n\n"
        f"{wrapped(f'Breaks `{exhibit.law}`: {verdict.problem}.')}\n\n"
        f"```text\n{verdict.story}\n```\n"
    )


if __name__ == "__main__":
    sys.stdout.write("\n".join([HEAD, *map(section, GALLERY)]))
