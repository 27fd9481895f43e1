"""Notes on a row in a few words: how often it was taken, and which rules take it."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from recloser.diagram.picture import Picture
from recloser.fsm.table import Row

_MORE: Final = "..."


def count(picture: Picture, row: Row, sign: str = "\N{MULTIPLICATION SIGN}") -> str:
    """Return 12 behind a sign of multiplication; nothing if the row was not counted."""
    return f"{sign}{picture.counts[row]}" if row in picture.counts else ""


def folded(rules: Sequence[str], width: int, lines: int = 1) -> list[str]:
    """Return `12 rules: going-away, restart, ...` in so many lines of this width.

    As many names are given as there is room for, at least one; a single name that is too long
    gets a longer line.
    """
    if not rules:
        return ["no rule"]
    head = f"{len(rules)} rule{'s' if len(rules) > 1 else ''}: "
    for shown in range(len(rules), 0, -1):
        names = [*rules[:shown], *([_MORE] if shown < len(rules) else [])]
        found = wrap(head + ", ".join(names), width, break_long_words=False, break_on_hyphens=False)
        if len(found) <= lines:
            break
    return found
