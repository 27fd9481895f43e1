"""The machine for a terminal: a box and a line downwards for each state, arrows between them."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from recloser.diagram.canvas import UNICODE, Box, Canvas, Signs
from recloser.diagram.picture import (
    REST,
    START,
    Arrow,
    LegendMark,
    Picture,
    count_text,
    row_name,
    rules_text,
)
from recloser.fsm.states import State
from recloser.fsm.table import Row

_STATES: Final = list(State)
_STEP: Final = 14
"""Columns from the line of one state to that of the next."""
_FIRST: Final = 4
WIDTH: Final = _FIRST + _STEP * (len(_STATES) - 1) + (len(_STATES[-1].value) + 4) // 2 + 1
"""The most columns of a line: 80 for six states."""

_JOINT: Final = "\N{NO-BREAK SPACE}"
"""Joins the words of a guard while lines are broken, so that a guard is not broken."""
_MARGIN: Final = 2
"""Columns between the line of a state and the notes beside it."""


def terminal(picture: Picture, signs: Signs = UNICODE) -> str:
    """Draw at most `WIDTH` columns: double frame for the start, broken for the rest.

    Highlighted states have a heavy frame, highlighted arrows a heavy line.
    """
    canvas = Canvas()
    _boxes(canvas, picture, signs)
    arrows = picture.arrows()
    for state in _STATES:
        inside = picture.inside(state)
        if inside:
            _loop(canvas, state, inside, signs)
        for arrow, rows in arrows.items():
            if arrow[0] is state:
                _arrow(canvas, picture, arrow, rows, signs)
    _lives(canvas, signs)
    _boxes(canvas, picture, signs)
    for line in _legend(picture, signs):
        canvas.put(canvas.add(), 0, line)
    return str(canvas)


def _lane(state: State) -> int:
    return _FIRST + _STEP * _STATES.index(state)


def _boxes(canvas: Canvas, picture: Picture, signs: Signs) -> None:
    top, middle, bottom = canvas.add(), canvas.add(), canvas.add()
    for state in _STATES:
        width = len(state.value) + 4
        column = _lane(state) - width // 2 + (width % 2 == 0)
        box = _box(state, picture, signs)
        canvas.put(top, column, box.top(width))
        canvas.put(middle, column, box.middle(state.value, width))
        canvas.put(bottom, column, box.bottom(width))


def _box(state: State, picture: Picture, signs: Signs) -> Box:
    if state in picture.marked:
        return signs.lit
    if state is START:
        return signs.final
    return signs.rest if state is REST else signs.plain


def _lives(canvas: Canvas, signs: Signs) -> int:
    """Add a line with the vertical line of every state; return its number."""
    line = canvas.add()
    for state in _STATES:
        canvas.put(line, _lane(state), signs.life)
    return line


def _loop(canvas: Canvas, state: State, rows: Sequence[Row], signs: Signs) -> None:
    out, back = _lives(canvas, signs), _lives(canvas, signs)
    text = f"{', '.join(map(row_name, rows))} (stays)"
    canvas.put(out, _lane(state), signs.out)
    canvas.put(back, _lane(state), signs.back)
    room = WIDTH - _lane(state) - len(signs.back) - 1
    if len(text) < room:
        canvas.put(back, _lane(state) + len(signs.back), f" {text} ")
    else:
        canvas.put(back, _lane(state) - len(text) - 2, f" {text} ")


def _arrow(
    canvas: Canvas, picture: Picture, arrow: Arrow, rows: Sequence[Row], signs: Signs
) -> None:
    source, target = (_lane(state) for state in arrow)
    left, right = min(source, target), max(source, target)
    rightward = source < target
    stroke = signs.heavy if arrow in picture.path else signs.line
    head = signs.right if rightward else signs.left
    inner = right - left - 1
    first, *others = _label(picture, rows, inner, signs)
    line = _lives(canvas, signs)
    shaft = (f"{stroke} {first} " if len(first) + 4 <= inner else f"{stroke}{first}").ljust(
        inner - 1, stroke
    )
    if rightward:
        canvas.put(line, left, signs.from_left + shaft + head)
    else:
        canvas.put(line, left + 1, head + shaft + signs.from_right)
    for text in others:
        canvas.put(_lives(canvas, signs), left + 1, text.ljust(inner)[:inner])
    for row in rows:
        if row in picture.rules:
            texts = rules_text(picture.rules[row], WIDTH - left - _MARGIN - 1)
            widest = max(map(len, texts))  # one long name may need more room than there is
            column = max(0, min(left + _MARGIN, WIDTH - 1 - widest))
            for text in texts:
                canvas.put(_lives(canvas, signs), column, f"{text} ")


def _label(picture: Picture, rows: Sequence[Row], inner: int, signs: Signs) -> list[str]:
    """Return the rows of an arrow as lines that fit beside its head; continued ones indented."""
    texts = []
    for row in rows:
        words = [row.trigger.value, count_text(picture, row, signs.times)]
        if row.guard is not None:
            words.insert(1, f"[{row.guard.value}]".replace(" ", _JOINT))
        texts.append(" ".join(filter(None, words)))
    whole = ", ".join(texts)
    lines = [whole] if len(whole) <= inner - 2 else wrap(whole, inner - 2, subsequent_indent="  ")
    return [line.replace(_JOINT, " ") for line in lines]


def _legend(picture: Picture, signs: Signs) -> list[str]:
    final, rest, lit = (box.signs[:3] for box in (signs.final, signs.rest, signs.lit))
    words = {
        LegendMark.START: final,
        LegendMark.REST: rest,
        LegendMark.STAYS: f"{signs.back[1:]} (stays)",
        LegendMark.HIGHLIGHT: f"{lit} {signs.heavy * 2}",
        LegendMark.COUNT: f"{signs.times}12",
        LegendMark.RULES: "12 rules:",
    }
    entries = [f"{words[mark]} {mark.value}".replace(" ", _JOINT) for mark in picture.marks()]
    lines = wrap("   ".join(entries), WIDTH)
    return [
        "",
        *(each.replace(_JOINT, " ").rstrip() for each in lines),
        *wrap(picture.caption, WIDTH),
    ]
