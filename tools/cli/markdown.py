"""Tables of text for Markdown."""

from collections.abc import Sequence

Row = Sequence[str]


def markdown(headers: Row, rows: Sequence[Row]) -> str:
    """Make a Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
