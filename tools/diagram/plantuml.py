"""The machine as a PlantUML state diagram (plantuml.com/state-diagram)."""

from collections.abc import Sequence
from typing import Final

from recloser.diagram.picture import (
    REST,
    START,
    TIMES,
    Arrow,
    LegendMark,
    Picture,
    count_text,
    row_name,
    rules_text,
)
from recloser.diagram.theme import THEMES, Theme, meanings
from recloser.fsm.states import State
from recloser.fsm.table import Row

_NOTE_WIDTH: Final = 24
_NOTE_LINES: Final = 3
_BREAK: Final = r"\n"
_SIGNS: Final = {
    LegendMark.START: "thick frame",
    LegendMark.REST: "dashed frame",
    LegendMark.STAYS: "(stays)",
    LegendMark.HIGHLIGHT: "orange",
    LegendMark.COUNT: f"{TIMES}12",
    LegendMark.RULES: "grey names",
}


def plantuml(picture: Picture, theme: Theme = THEMES["light"]) -> str:
    """Draw the rows in the colours of the theme, with a legend.

    All rows from one state to another share one arrow, and internal rows are written inside
    their state.
    """
    lines = [
        "@startuml",
        "' Drawn from the live machine by `recloser diagram`: do not edit.",
        "skinparam shadowing false",
        "skinparam backgroundColor transparent",
        f"skinparam defaultFontColor {theme.ink}",
        "skinparam state {",
        f"  BackgroundColor {theme.node}",
        f"  BorderColor {theme.frame}",
        f"  ArrowColor {theme.ink}",
        f"  StartColor {theme.ink}",
        "}",
        f"skinparam legendBackgroundColor {theme.ground}",
        f"skinparam legendBorderColor {theme.frame}",
        f"skinparam legendFontColor {theme.quiet}",
        *(_state(picture, state, theme) for state in State),
        f"[*] --> {START.value}",
    ]
    for state in State:
        for row in picture.inside(state):
            text = _colored(f"{row_name(row)} (stays)", theme.of(row.trigger))
            lines.append(f"{state.value} : {text}")
    lines += [_arrow(picture, arrow, rows, theme) for arrow, rows in picture.arrows().items()]
    lines += ["legend", *_legend(picture, theme), "end legend", "@enduml"]
    return "\n".join(lines) + "\n"


def _state(picture: Picture, state: State, theme: Theme) -> str:
    ground, frame = "", theme.frame
    style = {START: "[bold]", REST: "[dashed]"}.get(state, "")
    if state in picture.marked:
        ground, frame, style = f" {theme.lit}", theme.accent, style or "[bold]"
    return f"state {state.value}{ground} ##{style}{frame.removeprefix('#')}"


def _arrow(picture: Picture, arrow: Arrow, rows: Sequence[Row], theme: Theme) -> str:
    source, target = arrow
    look = theme.of(rows[0].trigger)
    if arrow in picture.path:
        look = f"{theme.accent},bold"
    texts = []
    for row in rows:
        label = " ".join(filter(None, (row_name(row), count_text(picture, row))))
        texts.append(_colored(label, theme.of(row.trigger)))
        if row in picture.rules:
            notes = rules_text(picture.rules[row], _NOTE_WIDTH, _NOTE_LINES)
            texts += [_colored(note, theme.quiet) for note in notes]
    return f"{source.value} -[{look}]-> {target.value} : {_BREAK.join(texts)}"


def _legend(picture: Picture, theme: Theme) -> list[str]:
    colours = meanings(theme, (row.trigger for row in picture.rows))
    marks = [f"{_SIGNS[mark]} = {mark.value}" for mark in picture.marks()]
    captions = [picture.caption] if picture.caption else []
    return [*(_colored(words, colour) for words, colour in colours), *marks, *captions]


def _colored(text: str, color: str) -> str:
    return f"<color:{color}>{text}</color>"
