"""The states of one message of an outbox, drawn from the table along which messages move.

Each function gives the table in another format.
"""

from collections import defaultdict
from itertools import zip_longest
from textwrap import wrap
from types import MappingProxyType
from typing import Any, Final

from recloser.diagram.canvas import UNICODE, Signs
from recloser.diagram.graphviz import beside, digraph, font, html, statement, table
from recloser.diagram.mermaid import mermaid_head
from recloser.diagram.theme import FONT, THEMES, Theme
from recloser.outbox.table import (
    FINAL,
    SKIPPED,
    TARGETS,
    Kind,
    MessageState,
    MessageTrigger,
    Transition,
)

WIDTH: Final = 80
"""The most columns of a line in a terminal."""
_SOURCE: Final = "the live table of messages"
_START: Final = MessageState.OFFERED
_COLUMN: Final = 17
"""Columns of a cell of the matrix."""
_LABEL: Final = 34
"""Columns of an arrow in a terminal."""
_COLOURS: Final = MappingProxyType(
    {
        "on its way": (
            MessageTrigger.ADMIT,
            MessageTrigger.HAND_OVER,
            MessageTrigger.SENT,
            MessageTrigger.LEAVE,
            MessageTrigger.ACKNOWLEDGE,
        ),
        "back, or dropped": (MessageTrigger.BOUNCE, MessageTrigger.RETURN, MessageTrigger.DROP),
        "application": (MessageTrigger.WITHDRAW,),
        "time": (MessageTrigger.OVERDUE,),
    }
)
"""The meaning of each colour of an arrow, and the triggers that have it."""
_LEGEND: Final = """\
Drawn from {} by `recloser diagram`: do not edit.

name      the state that follows
[kind]    only for this kind of message
-         skipped on purpose: nothing changes
!         no correct outbox does this: it raises and nothing changes"""
_GAP: Final = '<td width="4"></td>'
_MEDIUM: Final = 11
_SMALL: Final = 10


def live_moves() -> list[Transition]:
    """Read every move of the table that messages of an outbox follow, as rows."""
    found = []
    for state in MessageState:
        for trigger in MessageTrigger:
            targets = {
                kind: TARGETS[state, trigger, kind]
                for kind in Kind
                if (state, trigger, kind) in TARGETS
            }
            if len(targets) == len(Kind) and len(set(targets.values())) == 1:
                found.append(Transition(state, trigger, None, *set(targets.values())))
            else:
                found += [Transition(state, trigger, *each) for each in targets.items()]
    return found


def outbox_mermaid(theme: Theme = THEMES["light"]) -> str:
    """Draw a Mermaid state diagram; final states lead to the end mark."""
    lines = ["direction TB", f"[*] --> {_id(_START)}"]
    lines += [f"{_id(state)} : {state.value}" for state in MessageState]
    for (source, target), rows in _arrows().items():
        labels = (f'<font color="{_colour(row, theme)}">{_name(row)}</font>' for row in rows)
        lines.append(f"{_id(source)} --> {_id(target)} : {'<br/>'.join(labels)}")
    lines += [f"{_id(state)} --> [*]" for state in MessageState if state in FINAL]
    return f"{mermaid_head(_SOURCE, theme)}stateDiagram-v2\n" + "".join(
        f"    {line}\n" for line in lines
    )


def outbox_dot(theme: Theme = THEMES["light"]) -> str:
    """Draw a Graphviz graph; final states have a double frame."""
    ink = theme.ink
    colours = [
        font(words, color=_of(triggers[0], theme), size=_SMALL)
        for words, triggers in _COLOURS.items()
    ]
    lines = [
        statement(
            "graph",
            bgcolor="transparent",
            pad=0.15,
            nodesep=0.3,
            ranksep=0.35,
            labelloc="b",
            fontname=FONT,
            fontsize=_SMALL,
            fontcolor=theme.quiet,
            label=table(
                ["&#160;", beside(colours, _SMALL), "dot: send; double frame: final"], _SMALL
            ),
        ),
        statement(
            "node",
            shape="box",
            style="rounded,filled",
            margin="0.12,0.05",
            fontname=FONT,
            fontsize=14,
            fontcolor=ink,
            color=theme.frame,
            fillcolor=theme.node,
        ),
        statement("edge", fontname=FONT, fontsize=_MEDIUM, arrowsize=0.7),
        statement("start", shape="circle", width=0.13, label="", color=ink, fillcolor=ink),
    ]
    for state in MessageState:
        looks: dict[str, str | float] = {"peripheries": 2} if state in FINAL else {}
        label = table([f"<b>{state.value}</b>"], 14)
        lines.append(statement(_id(state), **looks, label=label))
    lines.append(statement(f"start -> {_id(_START)}", color=ink))
    for (source, target), rows in _arrows().items():
        words = (font(html(_name(row)), color=_colour(row, theme)) for row in rows)
        lines.append(
            statement(
                f"{_id(source)} -> {_id(target)}",
                color=_colour(rows[0], theme),
                label=table(words, _MEDIUM, _GAP),
            )
        )
    return digraph("outbox", _SOURCE, lines)


def outbox_terminal(signs: Signs = UNICODE) -> str:
    """Draw a box for each state, and below it an arrow to each state that follows."""
    lines = []
    for state in MessageState:
        box = signs.final if state in FINAL else signs.plain
        width = len(state.value) + 4
        lines += [box.top(width), box.middle(state.value, width), box.bottom(width)]
        for (source, target), rows in _arrows().items():
            if source is state:
                *above, last = wrap(", ".join(map(_name, rows)), _LABEL - 4)
                lines += [f"  {signs.life} {text}" for text in above]
                shaft = f"{signs.line} {last} ".ljust(_LABEL, signs.line)
                lines.append(f"  {signs.from_left}{shaft}{signs.right} {target.value}")
    legend = f"{signs.final.signs[:3]} final: nothing leads out of it"
    return "\n".join([*lines, "", legend]) + "\n"


def outbox_text() -> str:
    """Draw a matrix in ASCII: a row for each state, a column for each trigger."""
    cells = [[[""], *([trigger.value] for trigger in MessageTrigger)]]
    for state in MessageState:
        label = [state.value, *(["(final)"] if state in FINAL else [])]
        cells.append([label, *(_cell(state, trigger) for trigger in MessageTrigger)])
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*cells, strict=True)
    ]
    blocks = [
        "\n".join(
            "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip()
            for line in zip_longest(*row, fillvalue="")
        )
        for row in cells
    ]
    return "\n\n".join([_LEGEND.format(_SOURCE), *blocks]) + "\n"


def outbox_listing() -> dict[str, Any]:
    """Return states, moves and what is skipped on purpose, as data."""
    return {
        "states": [
            {"name": state.value, "start": state is _START, "end": state in FINAL}
            for state in MessageState
        ],
        "rows": [
            {
                "from": row.source.value,
                "trigger": row.trigger.value,
                "guard": None if row.guard is None else row.guard.value,
                "to": row.target.value,
            }
            for row in live_moves()
        ],
        "ignored": [
            {"from": each.source.value, "trigger": each.trigger.value, "why": each.why}
            for each in SKIPPED
        ],
    }


def _arrows() -> dict[tuple[MessageState, MessageState], list[Transition]]:
    """Return the rows by arrow: all rows from one state to another share it."""
    found: defaultdict[tuple[MessageState, MessageState], list[Transition]] = defaultdict(list)
    for row in live_moves():
        found[row.source, row.target].append(row)
    return dict(found)


def _cell(state: MessageState, trigger: MessageTrigger) -> list[str]:
    lines = []
    for row in live_moves():
        if (row.source, row.trigger) == (state, trigger):
            lines.append(row.target.value)
            if row.guard is not None:
                lines += wrap(f"[{row.guard.value}]", _COLUMN, initial_indent=" ")
    skipped = [each for each in SKIPPED if (each.source, each.trigger) == (state, trigger)]
    return lines or ["-" if skipped else "!"]


def _name(row: Transition) -> str:
    return row.trigger.value if row.guard is None else f"{row.trigger.value} [{row.guard.value}]"


def _id(state: MessageState) -> str:
    return state.value.replace(" ", "_")


def _colour(row: Transition, theme: Theme) -> str:
    return _of(row.trigger, theme)


def _of(trigger: MessageTrigger, theme: Theme) -> str:
    colours = dict(
        zip(_COLOURS, (theme.wire, theme.ended, theme.application, theme.time), strict=True)
    )
    return next(colours[words] for words, triggers in _COLOURS.items() if trigger in triggers)
