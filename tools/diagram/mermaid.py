"""The machine as a Mermaid state diagram (mermaid.js.org, stateDiagram-v2)."""

from json import dumps
from typing import Final

from recloser.diagram.picture import (
    REST,
    START,
    TIMES,
    LegendMark,
    Picture,
    count_text,
    in_order,
    row_name,
    rules_text,
)
from recloser.diagram.theme import THEMES, Theme, meanings
from recloser.fsm.states import State
from recloser.fsm.table import Row

_ORDER: Final = in_order(
    State.CLOSED, State.CONNECTING, State.BACKOFF, State.OPEN, State.CLOSING, State.PASSIVE
)
"""The order of the states: the one with the fewest crossings in Mermaid's layout."""
_LONG: Final = 16
"""Characters; where a label is longer, its guard has a line of its own."""
_NOTE_WIDTH: Final = 24
_NOTE_LINES: Final = 2
_BREAK: Final = "<br/>"
_LINE: Final = "#7d8590"
"""Of arrows: a grey that can be seen on a light page and on a dark one."""
_SIGNS: Final = {
    LegendMark.START: "thick frame",
    LegendMark.REST: "dashed frame",
    LegendMark.STAYS: "(stays)",
    LegendMark.HIGHLIGHT: "orange frame, \N{BLACK STAR}",
    LegendMark.COUNT: f"{TIMES}12",
    LegendMark.RULES: "grey",
}


def mermaid_head(source: str, theme: Theme) -> str:
    """Return the first lines of a Mermaid picture: the colours, and what it was drawn from.

    Mermaid has themes of its own, and a page in dark mode takes the dark one. The colours of
    the labels would not be seen on it, so the picture has all its colours with it.
    """
    variables = {
        "primaryColor": theme.node,
        "primaryTextColor": theme.ink,
        "primaryBorderColor": theme.frame,
        "lineColor": _LINE,
        "edgeLabelBackground": theme.ground,
        "labelBackgroundColor": theme.ground,
        "transitionLabelColor": theme.ink,
        "noteBkgColor": theme.ground,
        "noteTextColor": theme.quiet,
        "noteBorderColor": theme.frame,
        "specialStateColor": _LINE,
        "innerEndBackground": _LINE,
    }
    settings = dumps({"theme": "base", "themeVariables": variables})
    return f"%%{{init: {settings}}}%%\n%% Drawn from {source} by `recloser diagram`: do not edit.\n"


def mermaid(picture: Picture, theme: Theme = THEMES["light"]) -> str:
    """Draw the rows; `closed` has the start and end marks, the resting state a dashed frame.

    All rows from one state to another share one arrow, and internal rows are written inside
    their state, because Mermaid draws parallel arrows and loops on top of each other. An arrow
    of a state diagram has no colour, so the labels have the colours of their triggers, and a
    highlighted arrow has a star. A note at the start state is the legend.
    """
    lines = ["direction TB", f"[*] --> {START.value}"]
    for state in _ORDER:
        inside = [
            _font(f"{row_name(row)} (stays)", theme.of(row.trigger))
            for row in picture.inside(state)
        ]
        lines += [f"{state.value} : {text}" for text in (state.value, *inside)]
    arrows = picture.arrows()
    for arrow in sorted(arrows, key=lambda arrow: list(map(_ORDER.index, arrow))):
        source, target = arrow
        label = _label(picture, arrows[arrow], theme)
        star = "\N{BLACK STAR} " if arrow in picture.path else ""
        lines.append(f"{source.value} --> {target.value} : {star}{label}")
    lines += [
        f"{START.value} --> [*]",
        f"note left of {START.value}",
        *(f"    {line}" for line in _legend(picture, theme)),
        "end note",
        "classDef final stroke-width: 3px",
        "classDef rest stroke-dasharray: 5 3",
        f"class {START.value} final",
        f"class {REST.value} rest",
    ]
    if picture.marked:
        names = ", ".join(state.value for state in State if state in picture.marked)
        lines += [
            f"classDef marked stroke-width: 4px, stroke: {theme.accent}",
            f"class {names} marked",
        ]
    head = mermaid_head("the live machine", theme)
    if picture.caption:
        head += f"%% {picture.caption}\n"
    return f"{head}stateDiagram-v2\n" + "".join(f"    {line}\n" for line in lines)


def _legend(picture: Picture, theme: Theme) -> list[str]:
    colours = meanings(theme, (row.trigger for row in picture.rows))
    marks = [f"{_SIGNS[mark]} = {mark.value}" for mark in picture.marks()]
    return [*(_font(words, colour) for words, colour in colours), *marks]


def _font(text: str, color: str) -> str:
    return f'<font color="{color}">{text}</font>'


def _label(picture: Picture, rows: list[Row], theme: Theme) -> str:
    lines = []
    for row in rows:
        whole = " ".join(filter(None, (row_name(row), count_text(picture, row))))
        if row.guard is not None and len(row_name(row)) > _LONG:
            parts = whole.replace(" [", f"{_BREAK}[", 1).split(_BREAK)
        else:
            parts = [whole]
        lines += [_font(part, theme.of(row.trigger)) for part in parts]
        if row in picture.rules:
            notes = rules_text(picture.rules[row], _NOTE_WIDTH, _NOTE_LINES)
            # Mermaid 10 ends a label at a second colon, so the number has a line of its own.
            words = [part.strip() for note in notes for part in note.split(":") if part]
            lines += [_font(each, theme.quiet) for each in words]
    return _BREAK.join(lines)
