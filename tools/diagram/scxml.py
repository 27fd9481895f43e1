"""The machine in SCXML, the state chart notation of the W3C (www.w3.org/TR/scxml)."""

from typing import Final
from xml.sax.saxutils import quoteattr

from recloser.diagram.picture import START, Picture
from recloser.fsm.states import Guard, State
from recloser.fsm.table import IGNORED, Row

NAMESPACE: Final = "urn:recloser"
"""Of the attributes that SCXML does not have: effect, why, rules, count, highlighted."""

_HEAD: Final = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Drawn from the live machine by `recloser diagram`: do not edit. -->
<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:recloser="{NAMESPACE}" version="1.0"
       datamodel="ecmascript" name="recloser" initial="{START.value}">
"""


def scxml(picture: Picture) -> str:
    """Return the rows and the pairs that are ignored on purpose, each as a transition.

    An event has the name of a trigger, and the guard that holds as its data. A transition
    without a target changes no state: `recloser:effect` says whether something is remembered
    ("stays") or nothing at all ("ignored"). An event without a transition is one that no
    correct driver sends.
    """
    lines = []
    for state in State:
        marked = {"recloser:highlighted": "true"} if state in picture.marked else {}
        lines.append(f"  <state{_attributes({'id': state.value} | marked)}>")
        lines += [
            f"    <transition{_attributes(_row(picture, row))}/>"
            for row in picture.rows
            if row.source is state
        ]
        for each in IGNORED:
            if each.source is state:
                said = {"recloser:effect": "ignored", "recloser:why": each.why}
                found = {"event": each.trigger.value} | _condition(each.guard) | said
                lines.append(f"    <transition{_attributes(found)}/>")
        lines.append("  </state>")
    return _HEAD + "\n".join(lines) + "\n</scxml>\n"


def _row(picture: Picture, row: Row) -> dict[str, str]:
    found = {"event": row.trigger.value} | _condition(row.guard)
    if row.target is None:
        found["recloser:effect"] = "stays"
    else:
        found["target"] = row.target.value
        if (row.source, row.target) in picture.path:
            found["recloser:highlighted"] = "true"
    if row in picture.rules:
        found["recloser:rules"] = " ".join(picture.rules[row])
    if row in picture.counts:
        found["recloser:count"] = str(picture.counts[row])
    return found


def _condition(guard: Guard | None) -> dict[str, str]:
    return {} if guard is None else {"cond": f"_event.data == '{guard.value}'"}


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())
