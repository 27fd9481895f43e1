"""Writes the pages of policies: python -m tests.tools.testing.gallery_page > docs/gallery.md.

With the argument `sound` it writes docs/sound-policies.md.
"""

import inspect
import random
import sys
import textwrap

from recloser.testing import examine
from recloser.testing.gallery import GALLERY, Exhibit
from recloser.testing.sound_policies import SOUND, SoundPolicy, doubled

HEAD = """# The gallery of bad policies

Each was shipped by some real client, and each is caught by the law that it breaks, with the
default effort. The stories are what `recloser check` tells; a test compares them.
`recloser.testing.gallery` has the classes: for reading and for tests, not for use.
"""


SOUND_HEAD = """# Sound policies

Each comes from the literature or from a service, and keeps every law: the check accuses none of
them, with the whole effort. `recloser.testing.sound_policies` has the classes, to copy and to
change. [gallery.md](gallery.md) has the bad ones; the [glossary](glossary.md) defines the terms.
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


def sound_section(policy: SoundPolicy) -> str:
    """One sound policy: what it does, where it comes from, and its code."""
    code = textwrap.dedent(inspect.getsource(policy.make)).rstrip()
    text = wrapped(f"{inspect.getdoc(policy.make)} Source: {policy.source}.")
    return f"## {policy.name}\n\n{text}\n\n```python\n{code}\n```\n"


def sound_page() -> str:
    """docs/sound-policies.md."""
    helper = f"All double alike:\n\n```python\n{inspect.getsource(doubled).rstrip()}\n```\n"
    return "\n".join([SOUND_HEAD, helper, *map(sound_section, SOUND)])


if __name__ == "__main__":
    if sys.argv[1:] == ["sound"]:
        sys.stdout.write(sound_page())
    else:
        sys.stdout.write("\n".join([HEAD, *map(section, GALLERY)]))
