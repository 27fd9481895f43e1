"""The machine as a matrix in plain text: a row for each state, a column for each trigger."""

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final

from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, Row

ILLEGAL: Final = "!"
"""What stands where the machine has no row and nothing is ignored on purpose."""

_WIDTH: Final = 18
_MARKS: Final = {State.CLOSED: ["(start, end)"], State.PASSIVE: ["(rest)"]}
_LEGEND: Final = """\
Drawn from the live machine by `make diagrams`: do not edit.

name      the state that follows
(stays)   internal: something is remembered, the state stays
[guard]   only while this holds
-         ignored on purpose: nothing changes
!         no correct driver does this: it raises and nothing changes"""


def text(edges: Sequence[Row]) -> str:
    """Draw the edges as a matrix in ASCII, with a legend above."""
    cells = [[[""], *([trigger.value] for trigger in Trigger)]]
    for state in State:
        label = [state.value, *_MARKS.get(state, [])]
        cells.append([label, *(_cell(edges, state, trigger) for trigger in Trigger)])
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*cells, strict=True)
    ]
    blocks = [_block(row, widths) for row in cells]
    return "\n\n".join([_LEGEND, *blocks]) + "\n"


def _block(cells: list[list[str]], widths: list[int]) -> str:
    lines = zip_longest(*cells, fillvalue="")
    return "\n".join(
        "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(edges: Sequence[Row], state: State, trigger: Trigger) -> list[str]:
    """Give the lines of one cell; every edge and every ignored pair has its own."""
    entries = [
        ("(stays)" if row.target is None else row.target.value, row.guard)
        for row in edges
        if (row.source, row.trigger) == (state, trigger)
    ]
    entries += [
        ("-", each.guard) for each in IGNORED if (each.source, each.trigger) == (state, trigger)
    ]
    return [line for entry in entries for line in _entry(*entry)] or [ILLEGAL]


def _entry(name: str, guard: Guard | None) -> list[str]:
    if guard is None:
        return [name]
    line = f"{name} [{guard.value}]"
    if len(line) <= _WIDTH:
        return [line]
    return [name, *wrap(f"[{guard.value}]", _WIDTH, initial_indent=" ", subsequent_indent="  ")]
