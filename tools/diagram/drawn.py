"""SVG and PNG from DOT, by the Graphviz that pygraphviz carries, if it is installed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Final

DOTS_PER_INCH: Final = 192
"""Of a PNG: twice that of SVG (96), for sharp text on today's screens."""

_STDERR: Final = 2


def drawn(source: str, kind: str) -> bytes:
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
    """Hold back what C libraries write to standard error, and give out all but the warnings.

    The fontconfig in the wheel complains about every file of a newer one on this machine.
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
