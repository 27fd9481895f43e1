"""Writes statements of the DOT language (graphviz.org/doc/info/lang.html)."""

from collections.abc import Iterable
from typing import Final

NOTICE: Final = "// Drawn from {} by `recloser diagram`: do not edit.\n"


def statement(subject: str, **attributes: str | float) -> str:
    """Return `subject [name="value" ...]`; a value in angle brackets is HTML-like."""
    pairs = []
    for name, value in attributes.items():
        html = isinstance(value, str) and value.startswith("<")
        pairs.append(f"{name}={value}" if html else f'{name}="{value}"')
    return f"{subject} [{' '.join(pairs)}]"


def digraph(name: str, source: str, lines: Iterable[str]) -> str:
    """Return a whole graph of these statements, with where it comes from."""
    body = "".join(f"  {line}\n" for line in lines)
    return f"{NOTICE.format(source)}digraph {name} {{\n{body}}}\n"


def html(text: str) -> str:
    """Return text as it must stand in an HTML-like label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def font(text: str, *, color: str, size: float | None = None) -> str:
    """Return HTML-like text in a colour and, in points, a size."""
    points = "" if size is None else f' point-size="{size:g}"'
    return f'<font color="{color}"{points}>{text}</font>'


def table(lines: Iterable[str], edge: str = "") -> str:
    """Return an HTML-like label of centred lines, with the cell `edge` at both sides of each."""
    cells = "".join(f'<tr>{edge}<td cellpadding="1">{line}</td>{edge}</tr>' for line in lines)
    return f'<<table border="0" cellspacing="0" cellpadding="0">{cells}</table>>'


def beside(cells: Iterable[str]) -> str:
    """Return, for a line of a table, texts beside each other."""
    inner = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<table border="0" cellspacing="8" cellpadding="0"><tr>{inner}</tr></table>'
