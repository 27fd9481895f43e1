"""The machine as a matrix in plain text: a row for each state, a column for each trigger."""

from itertools import zip_longest
from textwrap import wrap
from typing import Final

from recloser.diagram.picture import REST, START, LegendMark, Picture, count_text, row_name
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED

ILLEGAL: Final = "!"
"""The cell of a pair that is neither a row of the machine nor ignored on purpose."""

_WIDTH: Final = 14
_MARKS: Final = {START: ["(start,", " end)"], REST: ["(rest)"]}
_STAR: Final = "*"
_SIGNS: Final = {LegendMark.HIGHLIGHT: _STAR, LegendMark.COUNT: "x12", LegendMark.RULES: "below"}
_LEGEND: Final = """\
Drawn from the live machine by `recloser diagram`: do not edit.

name      the state that follows
(stays)   internal: something is remembered, the state stays
[guard]   only while this holds
-         ignored on purpose: nothing changes
!         no correct driver does this: it raises and nothing changes"""


def text(picture: Picture) -> str:
    """Draw the rows as a matrix in ASCII, with a legend above and the rules below.

    Highlighted states and targets have a star.
    """
    cells = [[[""], *([trigger.value] for trigger in Trigger)]]
    for state in State:
        star = _STAR if state in picture.marked else ""
        label = [f"{star}{state.value}", *_MARKS.get(state, [])]
        cells.append([label, *(_cell(picture, state, trigger) for trigger in Trigger)])
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*cells, strict=True)
    ]
    blocks = [_block(row, widths) for row in cells]
    notes = [_rules(picture)] if picture.rules else []
    captions = [picture.caption] if picture.caption else []
    marks = [f"{_SIGNS[each]:<10}{each.value}" for each in picture.marks() if each in _SIGNS]
    legend = "\n".join([_LEGEND, *marks])
    return "\n\n".join([legend, *blocks, *notes, *captions]) + "\n"


def _rules(picture: Picture) -> str:
    """Return all rules of each row that has some."""
    blocks = []
    for row, rules in picture.rules.items():
        head = f"{row.source.value}: {row_name(row)}"
        body = wrap(", ".join(rules) or "no rule", 100, break_on_hyphens=False)
        blocks.append("\n".join([head, *(f"  {line}" for line in body)]))
    return "\n".join(blocks)


def _block(cells: list[list[str]], widths: list[int]) -> str:
    lines = zip_longest(*cells, fillvalue="")
    return "\n".join(
        "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(picture: Picture, state: State, trigger: Trigger) -> list[str]:
    """Return the lines of one cell: one for each row and each ignored pair."""
    entries: list[tuple[str, Guard | None]] = []
    for row in picture.rows:
        if (row.source, row.trigger) == (state, trigger):
            entry = "(stays)" if row.target is None else row.target.value
            star = _STAR if row.target and (row.source, row.target) in picture.path else ""
            times = count_text(picture, row, "x")
            entries.append((" ".join(filter(None, (star + entry, times))), row.guard))
    entries += [
        ("-", each.guard) for each in IGNORED if (each.source, each.trigger) == (state, trigger)
    ]
    return [line for entry in entries for line in _entry(*entry)] or [ILLEGAL]


def _entry(word: str, guard: Guard | None) -> list[str]:
    if guard is None:
        return [word]
    line = f"{word} [{guard.value}]"
    if len(line) <= _WIDTH:
        return [line]
    return [word, *wrap(f"[{guard.value}]", _WIDTH, initial_indent=" ", subsequent_indent="  ")]
