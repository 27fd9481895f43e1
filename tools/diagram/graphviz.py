"""The DOT language of Graphviz (graphviz.org/doc/info/lang.html), and SVG and PNG drawn from it.

Drawing needs pygraphviz, which carries Graphviz.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Final

NOTICE: Final = "// Drawn from {} by `recloser diagram`: do not edit.\n"
DOTS_PER_INCH: Final = 192
"""Of a PNG: twice that of SVG (96), for sharp text on today's screens."""
_STDERR: Final = 2


def statement(subject: str, **attributes: str | float) -> str:
    """Return `subject [name="value" ...]`; a value in angle brackets is HTML-like."""
    pairs = []
    for name, value in attributes.items():
        html = isinstance(value, str) and value.startswith("<")
        pairs.append(f"{name}={value}" if html else f'{name}="{value}"')
    return f"{subject} [{' '.join(pairs)}]"


def digraph(name: str, source: str, lines: Iterable[str]) -> str:
    """Return a graph of these statements; `source` says what it was drawn from."""
    body = "".join(f"  {line}\n" for line in lines)
    return f"{NOTICE.format(source)}digraph {name} {{\n{body}}}\n"


def html(text: str) -> str:
    """Escape a text for an HTML-like label."""
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
    """Return texts side by side, as one line of a table."""
    inner = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<table border="0" cellspacing="8" cellpadding="0"><tr>{inner}</tr></table>'


def draw(source: str, kind: str) -> bytes:
    """Return the picture of a DOT source as "svg" or "png".

    Raises `ImportError` if pygraphviz is missing or does not load.
    """
    from pygraphviz import AGraph  # noqa: PLC0415 - an extra, needed by this call alone

    graph = AGraph(string=source)
    arguments = f"-Gdpi={DOTS_PER_INCH}" if kind == "png" else ""
    with _without_font_warnings():
        picture: bytes = graph.draw(format=kind, prog="dot", args=arguments)
    return picture


@contextmanager
def _without_font_warnings() -> Iterator[None]:
    """Hold back what C libraries write to standard error, and write it later, without warnings.

    The fontconfig of the wheel warns of each file that a newer fontconfig of the system has.
    """
    sys.stderr.flush()
    kept = os.dup(_STDERR)
    with TemporaryFile() as said:
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            said.seek(0)
            for line in said:
                if not line.startswith(b"Fontconfig warning"):
                    os.write(_STDERR, line)
