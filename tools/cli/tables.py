"""Tables of text for the terminal."""

import shutil
import textwrap
from collections.abc import Sequence

Row = Sequence[str]

_GAP = "  "
_LEAST = 24


def terminal(headers: Row, rows: Sequence[Row]) -> str:
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
