"""The machine as a Mermaid state diagram (mermaid.js.org, stateDiagram-v2)."""

from typing import Final

from recloser.diagram.picture import REST, START, Picture, count_text, row_name, rules_text
from recloser.fsm.states import State
from recloser.fsm.table import Row

HEAD: Final = "%% Drawn from the live machine by `make diagrams`: do not edit.\n"
DARK: Final = "%%{init: {'theme': 'dark'}}%%\n"

_ORDER: Final = (
    State.CLOSED,
    State.CONNECTING,
    State.BACKOFF,
    State.OPEN,
    State.CLOSING,
    State.PASSIVE,
)
"""The order of the states: the one with the fewest crossings in Mermaid's layout."""
_LONG: Final = 16
"""Characters; where a label is longer, its guard has a line of its own."""
_NOTE_WIDTH: Final = 24
_NOTE_LINES: Final = 2
_BREAK: Final = "<br/>"


def mermaid(picture: Picture, *, dark: bool = False) -> str:
    """Draw the rows; `closed` has the start and end marks, the resting state a dashed frame.

    One arrow carries all that leads from one state to another, and internal transitions
    stand inside their state, because Mermaid draws parallel arrows and loops on top of each other.
    An arrow cannot be coloured in a state diagram, so a highlighted one is marked by a star.
    """
    lines = ["direction TB", f"[*] --> {START.value}"]
    for state in _ORDER:
        inside = [f"{row_name(row)} (stays)" for row in picture.inside(state)]
        lines += [f"{state.value} : {text}" for text in (state.value, *inside)]
    arrows = picture.arrows()
    for arrow in sorted(arrows, key=lambda arrow: list(map(_ORDER.index, arrow))):
        source, target = arrow
        label = _label(picture, arrows[arrow])
        star = "\N{BLACK STAR} " if arrow in picture.path else ""
        lines.append(f"{source.value} --> {target.value} : {star}{label}")
    lines += [
        f"{START.value} --> [*]",
        "classDef final stroke-width: 3px",
        "classDef rest stroke-dasharray: 5 3",
        f"class {START.value} final",
        f"class {REST.value} rest",
    ]
    if picture.marked:
        names = ", ".join(state.value for state in State if state in picture.marked)
        lines += ["classDef marked stroke-width: 4px, stroke: #bc4c00", f"class {names} marked"]
    head = (DARK if dark else "") + HEAD
    if picture.caption:
        head += f"%% {picture.caption}\n"
    return f"{head}stateDiagram-v2\n" + "".join(f"    {line}\n" for line in lines)


def _label(picture: Picture, rows: list[Row]) -> str:
    lines = []
    for row in rows:
        whole = " ".join(filter(None, (row_name(row), count_text(picture, row))))
        if row.guard is not None and len(row_name(row)) > _LONG:
            whole = whole.replace(" [", f"{_BREAK}[", 1)
        lines.append(whole)
        if row in picture.rules:
            notes = rules_text(picture.rules[row], _NOTE_WIDTH, _NOTE_LINES)
            # Mermaid 10 ends a label at a second colon, so the number has a line of its own.
            lines += [part.strip() for note in notes for part in note.split(":") if part]
    return _BREAK.join(lines)
