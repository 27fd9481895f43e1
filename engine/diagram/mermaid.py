"""The machine as a Mermaid state diagram (mermaid.js.org, stateDiagram-v2)."""

from collections import defaultdict
from collections.abc import Sequence

from recloser.fsm.states import State
from recloser.fsm.table import Row


def mermaid(edges: Sequence[Row]) -> str:
    """Draw the edges; `closed` has the start and end marks, resting states a dashed frame.

    One arrow carries all that leads from one state to another, and internal transitions
    stand inside their state: Mermaid draws parallel arrows and loops on top of each other.
    """
    inside: defaultdict[State, list[str]] = defaultdict(list)
    arrows: defaultdict[tuple[State, State], list[str]] = defaultdict(list)
    for row in edges:
        label = (
            row.trigger.value if row.guard is None else f"{row.trigger.value} [{row.guard.value}]"
        )
        if row.target is None:
            inside[row.source].append(f"{label} (stays)")
        else:
            arrows[row.source, row.target].append(label)
    lines = [f"[*] --> {State.CLOSED.value}"]
    for state in State:
        lines += [f"{state.value} : {text}" for text in (state.value, *inside[state])]
    for (source, target), labels in arrows.items():
        lines.append(f"{source.value} --> {target.value} : {', '.join(labels)}")
    lines += [
        f"{State.CLOSED.value} --> [*]",
        "classDef rest stroke-dasharray: 5 3",
        f"class {State.CLOSED.value}, {State.PASSIVE.value} rest",
    ]
    head = "%% Drawn from the live machine by `make diagrams`: do not edit.\nstateDiagram-v2\n"
    return head + "".join(f"    {line}\n" for line in ("direction LR", *lines))
