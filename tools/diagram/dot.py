"""The machine as a Graphviz graph in the DOT language.

`ORDER` and `HINTS` make Graphviz's `dot` draw this machine narrow and with few crossings. They
were found by an annealing search for the least width, crossings and labels under foreign
arrows, with and without a policy. Without them the same rows are drawn, only less well.
"""

from collections.abc import Sequence
from textwrap import wrap
from types import MappingProxyType
from typing import Final

from recloser.diagram.graphviz import beside, digraph, font, html, pair, statement, table
from recloser.diagram.picture import (
    REST,
    START,
    TIMES,
    Arrow,
    LegendMark,
    Picture,
    count_text,
    in_order,
    row_name,
    rules_text,
)
from recloser.diagram.theme import FONT, THEMES, Theme, meanings
from recloser.fsm.states import State
from recloser.fsm.table import Row

ORDER: Final = in_order(
    State.CLOSING, State.CLOSED, State.OPEN, State.PASSIVE, State.CONNECTING, State.BACKOFF
)
"""The order of the states in the DOT source."""
HINTS: Final = MappingProxyType[Arrow, dict[str, float]](
    {
        (State.CLOSED, State.CONNECTING): {"minlen": 2},
        (State.CONNECTING, State.CLOSED): {"minlen": 2},
        (State.CONNECTING, State.BACKOFF): {"weight": 3},
        (State.OPEN, State.BACKOFF): {"weight": 0},
        (State.OPEN, State.PASSIVE): {"weight": 8},
        (State.OPEN, State.CLOSING): {"minlen": 2},
        (State.CLOSING, State.CLOSED): {"weight": 3},
        (State.CLOSING, State.PASSIVE): {"minlen": 2},
        (State.CLOSING, State.CONNECTING): {"weight": 0},
        (State.BACKOFF, State.CLOSED): {"weight": 8},
        (State.PASSIVE, State.CLOSED): {"weight": 8},
    }
)
"""Attributes of arrows that shape the layout."""
_LARGE: Final = 14
_MEDIUM: Final = 11
_SMALL: Final = 10
"""Sizes of text in points: names of states, labels of arrows, notes."""
_LONG: Final = 16
"""Characters; where a label is longer, its guard has a line of its own."""
_NOTE_WIDTH: Final = 24
_NOTE_LINES: Final = 3
_STAYS: Final = "(stays)"
_GAP: Final = '<td width="4"></td>'
"""An empty cell beside a label, so that the label does not touch its arrow."""
_SIGNS: Final = {
    LegendMark.START: "dot, double frame",
    LegendMark.REST: "dashed frame",
    LegendMark.STAYS: _STAYS,
    LegendMark.HIGHLIGHT: "thick lines",
    LegendMark.COUNT: f"{TIMES}12",
    LegendMark.RULES: "small grey names",
}
_LEGEND_WIDTH: Final = 90
"""Characters of a line of the legend."""


def dot(picture: Picture, theme: Theme = THEMES["light"]) -> str:
    """Draw with HTML-like labels; the start state has a double, the resting one a dashed frame.

    All rows from one state to another share one arrow; internal rows are written inside their
    state.
    """
    ink = theme.ink
    lines = [
        statement(
            "graph",
            bgcolor="transparent",
            pad=0.15,
            nodesep=0.2,
            ranksep=0.2,
            labelloc="b",
            fontname=FONT,
            fontsize=_SMALL,
            fontcolor=theme.quiet,
            label=_legend(picture, theme),
        ),
        statement(
            "node",
            shape="box",
            style="rounded,filled",
            margin="0.12,0.05",
            fontname=FONT,
            fontsize=_LARGE,
            fontcolor=ink,
            color=theme.frame,
            fillcolor=theme.node,
        ),
        statement("edge", fontname=FONT, fontsize=_MEDIUM, arrowsize=0.7),
        # First, so that the layout begins here.
        statement("start", shape="circle", width=0.13, label="", color=ink, fillcolor=ink),
        *(_node(picture, state, theme) for state in ORDER),
        statement(f"start -> {START.value}", color=ink),
        *(_edge(picture, arrow, rows, theme) for arrow, rows in picture.arrows().items()),
    ]
    return digraph("recloser", "the live machine", lines)


def _legend(picture: Picture, theme: Theme) -> str:
    """Return the legend: every colour and mark that the picture has, and where notes come from."""
    colours = meanings(theme, (row.trigger for row in picture.rows))
    signs = "; ".join(f"{_SIGNS[mark]}: {mark.value}" for mark in picture.marks())
    return table(
        [
            "&#160;",
            beside((font(words, color=colour, size=_SMALL) for words, colour in colours), _SMALL),
            *wrap(signs, _LEGEND_WIDTH),
            *([html(picture.caption)] if picture.caption else []),
        ],
        _SMALL,
    )


def _node(picture: Picture, state: State, theme: Theme) -> str:
    inside = [
        font(f"{row_name(row)} {_STAYS}", color=theme.of(row.trigger), size=10.5)
        for row in picture.inside(state)
    ]
    looks: dict[str, str | float] = {}
    if state is START:
        looks["peripheries"] = 2
    if state is REST:
        looks["style"] = "rounded,filled,dashed"
    if state in picture.marked:
        looks |= {"color": theme.accent, "fillcolor": theme.lit, "penwidth": 2.5}
    return statement(state.value, **looks, label=table([f"<b>{state.value}</b>", *inside], _LARGE))


def _edge(picture: Picture, arrow: Arrow, rows: Sequence[Row], theme: Theme) -> str:
    source, target = arrow
    looks: dict[str, str | float] = {"color": theme.of(rows[0].trigger)}
    if arrow in picture.path:
        looks |= {"color": theme.accent, "penwidth": 3}
    label = table((line for row in rows for line in _lines(picture, row, theme)), _MEDIUM, _GAP)
    return statement(
        f"{source.value} -> {target.value}", **looks, **HINTS.get(arrow, {}), label=label
    )


def _lines(picture: Picture, row: Row, theme: Theme) -> list[str]:
    """Return the label of one row and its notes, a line each."""
    whole, times = row_name(row), count_text(picture, row)
    if row.guard is None or len(whole) <= _LONG:
        parts = [whole]
    else:
        parts = [row.trigger.value, f"[{row.guard.value}]"]
    lines = [font(part, color=theme.of(row.trigger)) for part in parts]
    if times:
        # A cell of its own: in one line, its place would depend on the fonts of this machine.
        lines[-1] = pair(lines[-1], font(f"<b>{times}</b>", color=theme.ink), _MEDIUM)
    if row in picture.rules:
        notes = rules_text(picture.rules[row], _NOTE_WIDTH, _NOTE_LINES)
        lines += [font(html(note), color=theme.quiet, size=_SMALL) for note in notes]
    return lines
