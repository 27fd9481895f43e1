"""Tables of text, for the terminal and for Markdown."""

import shutil
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import click

_GAP = "  "
_LEAST = 24
Cells = Sequence[str]
"""The texts of one row, from left to right."""


kind_of_table: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "markdown"]),
    default="table",
    show_default=True,
    help="Of what is printed for people.",
)
"""The option of a command that prints tables: for the terminal, or Markdown."""


def text_table(headers: Cells, rows: Sequence[Cells]) -> str:
    """Lay out columns for the width of the terminal; the last one is wrapped."""
    columns = shutil.get_terminal_size((100, 24)).columns
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    room = max(_LEAST, columns - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1))
    lines = []
    for row in (headers, ["-" * min(width, room) for width in widths], *rows):
        wrapped = textwrap.wrap(row[-1], room) or [""]
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append(_GAP.join((*cells, wrapped[0])).rstrip())
        indent = " " * (sum(widths[:-1]) + len(_GAP) * (len(widths) - 1))
        lines.extend(indent + line for line in wrapped[1:])
    return "\n".join(lines)


def markdown_table(headers: Cells, rows: Sequence[Cells]) -> str:
    """Make a Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
