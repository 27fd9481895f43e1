"""The machine as SVG: its states where the page puts the engines, its arrows from the table."""

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import quoteattr

from recloser.fsm.states import State
from recloser.fsm.table import TABLE

WIDTH: Final = 900
HEIGHT: Final = 440
BOX: Final = (220, 112)
PLACES: Final = {
    State.CLOSED: (15, 45),
    State.CONNECTING: (340, 45),
    State.OPEN: (665, 45),
    State.PASSIVE: (15, 283),
    State.BACKOFF: (340, 283),
    State.CLOSING: (665, 283),
}
"""The upper left corner of the box of each state."""


def edges() -> list[tuple[State, State]]:
    """Return each pair of states that a row of the table joins, in its order."""
    found = {(row.source, row.target): None for row in TABLE if row.target is not None}
    return [(source, target) for source, target in found if target is not None]


def svg() -> str:
    """Return the drawing; colours come from the style sheet of the page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield (
        f'<svg id="machine" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-labelledby="machine-title" xmlns="http://www.w3.org/2000/svg">'
    )
    yield '<title id="machine-title">The states, and how many engines are in each</title>'
    yield (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z"/></marker></defs>'
    )
    for source, target in edges():
        label = quoteattr(f"{source.value} to {target.value}")
        yield (
            f'<path class="edge" data-from="{source.value}" data-to="{target.value}" '
            f'aria-label={label} d="{_path(source, target)}" marker-end="url(#tip)"/>'
        )
    width, height = BOX
    for state, (x, y) in PLACES.items():
        yield (
            f'<g class="state" data-state="{state.value}"><rect x="{x}" y="{y}" width="{width}" '
            f'height="{height}" rx="10"/><text x="{x + 12}" y="{y + 22}">{state.value}</text>'
            f'<text class="count" x="{x + width - 12}" y="{y + 22}" text-anchor="end">0</text></g>'
        )
    yield "</svg>"


def _path(source: State, target: State) -> str:
    """Return a line from box to box, beside the line of the way back."""
    (x1, y1), (x2, y2) = _centre(source), _centre(target)
    if y1 == y2 and abs(x1 - x2) > WIDTH / 2:
        # Around the box between the two: above the upper row, beneath the lower one.
        side = -1 if y1 < HEIGHT / 2 else 1
        edge, bend = y1 + side * BOX[1] / 2, y1 + side * (BOX[1] / 2 + 70)
        return f"M{x1} {edge}Q{(x1 + x2) / 2} {bend} {x2} {edge}"
    dx, dy = x2 - x1, y2 - y1
    length = (dx * dx + dy * dy) ** 0.5
    bx, by = -dy / length * 14, dx / length * 14
    sx, sy = _border(x1 + bx, y1 + by, source, x2 + bx, y2 + by)
    ex, ey = _border(x2 + bx, y2 + by, target, x1 + bx, y1 + by)
    return f"M{sx:.1f} {sy:.1f}L{ex:.1f} {ey:.1f}"


def _centre(state: State) -> tuple[float, float]:
    x, y = PLACES[state]
    return x + BOX[0] / 2, y + BOX[1] / 2


def _border(x: float, y: float, state: State, to_x: float, to_y: float) -> tuple[float, float]:
    """Return the point where a line that begins within the box of a state leaves it."""
    left, top = PLACES[state]
    dx, dy = to_x - x, to_y - y
    shares = [
        (edge - at) / step
        for at, step, low, high in ((x, dx, left, left + BOX[0]), (y, dy, top, top + BOX[1]))
        for edge in (low, high)
        if step and (edge - at) / step > 0
    ]
    share = min(shares)
    return x + dx * share, y + dy * share
