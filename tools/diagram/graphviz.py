"""The DOT language of Graphviz (graphviz.org/doc/info/lang.html), and SVG and PNG drawn from it.

Drawing needs pygraphviz, which carries Graphviz.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import ceil
from struct import pack, unpack
from tempfile import TemporaryFile
from typing import Final
from zlib import compress, crc32, decompress

NOTICE: Final = "// Drawn from {} by `recloser diagram`: do not edit.\n"
DOTS_PER_INCH: Final = 144
"""Of a PNG: half as much again as SVG has (96), so that text is sharp and files are small."""
_STDERR: Final = 2
_WARNINGS: Final = (b"Fontconfig warning", b"Warning: cell size too small for content")
"""Lines on standard error that say nothing about the picture: its cells have fixed sizes."""
_WIDTHS: Final = """
    318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636
    636 636 636 636 337 337 838 838 838 531 1000 684 686 698 770 632 575 775 752 295 295 656
    557 863 748 787 603 787 695 635 611 732 684 989 685 611 685 390 337 390 838 500 500 613
    635 550 635 615 352 635 634 278 278 579 278 974 634 612 635 635 411 521 392 634 592 818
    592 592 525 636 337 636 838
"""
_EMS: Final = {chr(32 + place): int(each) for place, each in enumerate(_WIDTHS.split())}
"""The widths of printable ASCII in DejaVu Sans, in thousandths of the size of the font."""
_BOLD: Final = 1.22
"""How much wider a word in bold letters is, at most."""
_HINTED: Final = 1.04
"""How much wider a text is, at most, when each letter is rounded to whole pixels."""
_LINE: Final = 1.2
"""The height of a line, as a multiple of the size of its font."""
_MARGIN: Final = 2
_PAIR: Final = 1
"""Points around each text of a pair."""
_PAGE: Final = re.compile(rb'<svg width="(\d+)pt" height="(\d+)pt"')
_MARKUP: Final = re.compile(r"(<[^>]*>|)([^<]*)")
_POINTS: Final = re.compile(r'point-size="([0-9.]+)"')


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


def table(lines: Iterable[str], size: float, edge: str = "") -> str:
    """Return an HTML-like label of centred lines, with the cell `edge` at both sides of each.

    size: of the text, in points, where a line says no other.
    """
    cells = "".join(f"<tr>{edge}{_cell(line, size)}{edge}</tr>" for line in lines)
    return f'<<table border="0" cellspacing="0" cellpadding="0">{cells}</table>>'


def beside(cells: Iterable[str], size: float) -> str:
    """Return texts side by side, as one line of a table that they fill."""
    inner = "".join(_cell(cell, size) for cell in cells)
    return f'<table border="0" cellspacing="8" cellpadding="0"><tr>{inner}</tr></table>'


def pair(first: str, second: str, size: float) -> str:
    """Return two texts side by side, as one line of a table, and no wider than they are."""
    extents = [_extent(each, size) for each in (first, second)]
    width = sum(width for width, _ in extents) + 3 * _PAIR
    height = max(height for _, height in extents) + 2 * _PAIR
    inner = _cell(first, size) + _cell(second, size)
    return (
        f'<table border="0" cellspacing="{_PAIR}" cellpadding="0" fixedsize="true" '
        f'width="{width}" height="{height}"><tr>{inner}</tr></table>'
    )


def _cell(markup: str, size: float) -> str:
    """Return a cell that has room for the text in the widest of the usual fonts.

    Graphviz would measure the text in whatever font it finds, and a reader may have another.
    So the size of the cell is fixed: the layout is the same with any fonts or none, and no text
    grows over another.
    """
    if markup.startswith("<table"):
        return f"<td>{markup}</td>"  # its cells have sizes of their own
    width, height = _extent(markup, size)
    size_of = f'width="{width}" height="{height}"'
    return f'<td fixedsize="true" cellpadding="0" {size_of}>{markup}</td>'


def _extent(markup: str, size: float) -> tuple[int, int]:
    """Return width and height in points of the text in HTML-like markup, in DejaVu Sans."""
    total, largest, sizes, weight = 0.0, 0.0, [size], 1.0
    for tag, text in _MARKUP.findall(markup):
        if tag.startswith("<font"):
            points = _POINTS.search(tag)
            sizes.append(sizes[-1] if points is None else float(points[1]))
        elif tag == "</font>":
            sizes.pop()
        elif tag in ("<b>", "</b>"):
            weight = _BOLD if tag == "<b>" else 1.0
        letters = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        total += sum(_EMS.get(each, 1000) for each in letters) / 1000 * sizes[-1] * weight
        largest = max(largest, sizes[-1] if letters else 0.0)
    return ceil(total * _HINTED) + _MARGIN, ceil(largest * _LINE) + _MARGIN


def draw(source: str, kind: str, ground: str = "#ffffff") -> bytes:
    """Return the picture of a DOT source as "svg" or "png", both with a transparent ground.

    ground: the colour of the pages that a PNG is for; the edges of its letters blend with it.

    Raises `ImportError` if pygraphviz is missing or does not load.
    """
    from pygraphviz import AGraph  # noqa: PLC0415 - an extra, needed by this call alone

    graph = AGraph(string=source)
    with _without_font_warnings():
        svg: bytes = graph.draw(format="svg", prog="dot")
        if kind == "svg":
            return svg
        graph.graph_attr["bgcolor"] = ground
        # A page of whole points is one of whole pixels; else its last ones are a dark line.
        graph.graph_attr["viewport"] = b",".join(_PAGE.findall(svg)[0]).decode()
        # Drawn by cairo, and written by gd with a palette, in a third of the bytes.
        png: bytes = graph.draw(format="png:cairo:gd", prog="dot", args=f"-Gdpi={DOTS_PER_INCH}")
    return _transparent(png)


def _transparent(png: bytes) -> bytes:
    """Make the colour of the upper left corner transparent, in a PNG with a palette.

    The pixels are packed as well as zlib can, a fifteenth better than by gd.
    """
    chunks, at = [], 8
    while at < len(png):
        (length,) = unpack(">I", png[at : at + 4])
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += length + 12
    pixels = decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    corner = pixels[1]  # the byte before it is the filter of the row, which leaves it as it is
    found = png[:8]
    for kind, data in chunks:
        if kind == b"IEND":
            found += _chunk(b"IDAT", compress(pixels, level=9))
        if kind != b"IDAT":
            found += _chunk(kind, data)
        if kind == b"PLTE":
            found += _chunk(b"tRNS", b"\xff" * corner + b"\0")
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))


@contextmanager
def _without_font_warnings() -> Iterator[None]:
    """Hold back what C libraries write to standard error; write it later, without the warnings.

    The fontconfig of the wheel warns of each file that a newer fontconfig of the system has, and
    Graphviz of each text that is wider in the font it found than its cell is.
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
            warned = False
            for line in said:
                # Graphviz says where in a line of its own.
                warned = any(map(line.startswith, _WARNINGS)) or (
                    warned and line.startswith(b"in label of ")
                )
                if not warned:
                    os.write(_STDERR, line)
