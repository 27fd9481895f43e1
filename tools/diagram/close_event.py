"""The life of one close event: the hops it takes, each with the code that does it.

The hops are a chain without a way back. A test runs a real close through a real engine and
compares the calls with them. Each function gives the chain in another format.
"""

from typing import Final, NamedTuple

from recloser.diagram.canvas import UNICODE, Signs
from recloser.diagram.graphviz import digraph, font, html, statement, table
from recloser.diagram.mermaid import mermaid_head
from recloser.diagram.theme import FONT, THEMES, Theme

_WIDTH: Final = 76
"""Columns of a box in a terminal."""
_STEM: Final = 8
_GAP: Final = '<td width="8"></td>'
"""An empty cell beside a label, so that the label does not touch its arrow."""
_LEGEND: Final = "pure: no clock, no wait, no I/O; nothing leads back"
_PURE: Final = ("recloser.fsm.", "recloser.policies.")


class Hop(NamedTuple):
    """One step on the way of a close event."""

    name: str
    place: str
    """The module, and the function or class in it: `recloser.fsm.core:Core.handle`."""
    does: str
    gives: str
    """The value that goes on to the next hop."""


HOPS: Final = (
    Hop(
        "transport reader",
        "recloser.transport.wire:Wire.control",
        "sees the frame, the end of the stream or the silence",
        "close frame, or error",
    ),
    Hop(
        "classification",
        "recloser.transport.classify:close_frame",
        "keeps code, origin, cause and cleanness apart",
        "Close",
    ),
    Hop(
        "driver",
        "recloser.driver.driver:Driver.feed",
        "puts it into the engine's one inbox, takes it with the time",
        "Lost(generation, Close)",
    ),
    Hop(
        "core",
        "recloser.fsm.core:Core.handle",
        "drops old generations, adds intent, wish, advice and context",
        "Close, Context",
    ),
    Hop(
        "policy",
        "recloser.policies.rules:RulePolicy.decide",
        "decides; it is asked once",
        "Retry, Hold or Stop",
    ),
    Hop(
        "machine",
        "recloser.fsm.machine:fire",
        "moves the state by trigger and guard, or raises",
        "the new state",
    ),
    Hop(
        "effects",
        "recloser.fsm.effects:Announce",
        "say what is to be done, as data; the deadline is set",
        "list of effects",
    ),
    Hop(
        "driver",
        "recloser.driver.driver:Driver._announce",
        "performs them in order: one log line, one call of each observer",
        "",
    ),
)


def close_event_mermaid(theme: Theme = THEMES["light"]) -> str:
    """Draw the hops as a Mermaid flow chart; those of the pure layers have a round frame."""
    lines = []
    for number, hop in enumerate(HOPS, 1):
        text = f'"<b>{number} {hop.name}</b><br/><code>{hop.place}</code><br/>{hop.does}"'
        lines.append(f"h{number}({text})" if _pure(hop) else f"h{number}[{text}]")
    for number, hop in enumerate(HOPS[:-1], 1):
        lines.append(f'h{number} -- "{hop.gives}" --> h{number + 1}')
    return f"{mermaid_head('the list of hops', theme)}flowchart TB\n" + "".join(
        f"    {line}\n" for line in lines
    )


def close_event_dot(theme: Theme = THEMES["light"]) -> str:
    """Draw the hops as a Graphviz graph; those of the pure layers are tinted."""
    lines = [
        statement(
            "graph",
            bgcolor="transparent",
            pad=0.15,
            ranksep=0.25,
            labelloc="b",
            fontname=FONT,
            fontsize=10,
            fontcolor=theme.quiet,
            label=table(["&#160;", f"tinted: {_LEGEND}"], 10),
        ),
        statement(
            "node",
            shape="box",
            style="rounded,filled",
            margin="0.2,0.07",
            width=6.4,
            fontname=FONT,
            fontsize=11,
            fontcolor=theme.ink,
            color=theme.frame,
            fillcolor="transparent",
        ),
        statement(
            "edge",
            fontname=FONT,
            fontsize=11,
            fontcolor=theme.application,
            color=theme.application,
            arrowsize=0.7,
        ),
    ]
    for number, hop in enumerate(HOPS, 1):
        head = font(f"<b>{number} {hop.name}</b>", color=theme.ink, size=14)
        place = font(html(hop.place), color=theme.quiet, size=10)
        tint: dict[str, str | float] = {"fillcolor": theme.node} if _pure(hop) else {}
        lines.append(
            statement(f"h{number}", **tint, label=table([head, html(hop.does), place], 11))
        )
    for number, hop in enumerate(HOPS[:-1], 1):
        lines.append(
            statement(f"h{number} -> h{number + 1}", label=table([html(hop.gives)], 11, _GAP))
        )
    return digraph("close_event", "the list of hops", lines)


def close_event_terminal(signs: Signs = UNICODE) -> str:
    """Draw the hops as boxes below each other, those of the pure layers in a double frame."""
    lines = []
    for number, hop in enumerate(HOPS, 1):
        box = signs.final if _pure(hop) else signs.plain
        name = f" {number} {hop.name}"
        place = hop.place.rjust(_WIDTH - 3 - len(name)) + " "
        lines += [
            box.top(_WIDTH),
            box.middle(name + place, _WIDTH),
            box.middle(f"   {hop.does}".ljust(_WIDTH - 2), _WIDTH),
            box.bottom(_WIDTH),
        ]
        if hop.gives:
            stem = " " * _STEM
            lines += [f"{stem}{signs.life} {hop.gives}", f"{stem}{signs.down}"]
    legend = f"{signs.final.signs[:3]} {_LEGEND}"
    return "\n".join([*lines, "", legend]) + "\n"


def close_event_text() -> str:
    """List the hops in plain text."""
    lines = []
    for number, hop in enumerate(HOPS, 1):
        lines += [f"{number} {hop.name} ({hop.place})", f"  {hop.does}"]
        if hop.gives:
            lines.append(f"  -> {hop.gives}")
    return "\n".join(lines) + "\n"


def close_event_listing() -> list[dict[str, str]]:
    """Return the hops as data, in order."""
    return [hop._asdict() for hop in HOPS]


def _pure(hop: Hop) -> bool:
    return hop.place.startswith(_PURE)
