"""Docstrings on the site: the plain style of the sources becomes what Sphinx reads.

A word in backticks leads to what has that name, `name: text` lines under a parameter's name become
a list, and an indented block is code. What is not public is not linked, and keeps its letters.
"""

import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

WORD = re.compile(r"`([^`]+)`")
NAME = re.compile(r"[A-Za-z_][\w.]*")


def inline(text: str) -> str:
    """Make the words in backticks links or code."""

    def linked(match: re.Match[str]) -> str:
        word = " ".join(match[1].split())
        bare = word.removesuffix("()")
        ends = "\\ " if match.string[match.end() :][:1].isalnum() else ""
        role = f":py:obj:`{word} <{bare}>`" if NAME.fullmatch(bare) else f"``{word}``"
        return role + ends

    return WORD.sub(linked, text)


def translate(text: str, parameters: frozenset[str]) -> str:
    """Translate a docstring, whose parameters are explained as `name, name: text`."""
    known = "|".join(sorted(map(re.escape, parameters))) or "(?!)"
    explained = re.compile(rf"((?:{known})(?:, (?:{known}))*): ")
    return "\n\n".join(_block(block, explained) for block in re.split(r"\n{2,}", text.strip("\n")))


def _block(block: str, explained: re.Pattern[str]) -> str:
    """Translate what stands between two blank lines."""
    lines = block.split("\n")
    if lines[0].startswith(">>>"):
        return block
    if all(line.startswith("    ") for line in lines):
        return ".. code-block:: python\n\n" + block
    if not explained.match(block):
        return inline(block)
    entries: list[list[str]] = []
    for line in lines:
        if match := explained.match(line):
            names = ", ".join(f"``{name}``" for name in match[1].split(", "))
            entries.append([names, line[match.end() :]])
        else:
            entries[-1].append(line.strip())
    return "\n".join(
        f"{names}\n" + "\n".join(f"    {line}" for line in inline("\n".join(told)).split("\n"))
        for names, *told in entries
    )


def _parameters(value: object) -> frozenset[str]:
    if not callable(value):
        return frozenset()
    try:
        return frozenset(inspect.signature(value).parameters)
    except ValueError:  # a class that is made in C
        return frozenset()


def process(*event: Any) -> None:
    """Change the lines of one docstring."""
    _, _, _, value, _, lines = event
    lines[:] = [*translate("\n".join(lines), _parameters(value)).split("\n"), ""]


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect to the events of Sphinx."""
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
