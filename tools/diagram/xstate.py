"""The machine as JSON for XState 5 (stately.ai/docs): what `createMachine` takes.

An event has the name of a trigger, and the guard that holds as its field `guard`. JSON has no
functions, so who runs the machine gives the one guard that it names:

    createMachine(config, {guards: {given: ({event}, {guard}) => event.guard === guard}})
"""

from json import dumps
from typing import Any

from recloser.diagram.picture import REST, START, Picture
from recloser.fsm.states import Guard, State
from recloser.fsm.table import IGNORED, Row


def xstate(picture: Picture) -> str:
    """Return the rows and the pairs that are ignored on purpose, each as a transition.

    A transition without a target changes no state: `meta.effect` says whether something is
    remembered ("stays") or nothing at all ("ignored"). An event without a transition is one
    that no correct driver sends. Rules and counts are in `meta`.
    """
    states: dict[str, Any] = {}
    for state in State:
        on: dict[str, list[dict[str, Any]]] = {}
        for row in picture.rows:
            if row.source is state:
                on.setdefault(row.trigger.value, []).append(_transition(picture, row))
        for each in IGNORED:
            if each.source is state:
                found = {"description": each.why, "meta": {"effect": "ignored"}}
                on.setdefault(each.trigger.value, []).append(_guarded(each.guard) | found)
        tags = {START: ["start", "end"], REST: ["rest"]}.get(state, [])
        if state in picture.marked:
            tags = [*tags, "highlighted"]
        states[state.value] = ({"tags": tags} if tags else {}) | {"on": on}
    machine = {
        "id": "recloser",
        "description": "; ".join(
            filter(None, ("Drawn from the live machine by `recloser diagram`", picture.caption))
        ),
        "initial": START.value,
        "states": states,
    }
    return dumps(machine, indent=2) + "\n"


def _transition(picture: Picture, row: Row) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    found = _guarded(row.guard)
    if row.target is None:
        meta["effect"] = "stays"
    else:
        found["target"] = row.target.value
        if (row.source, row.target) in picture.path:
            meta["highlighted"] = True
    if row in picture.rules:
        meta["rules"] = list(picture.rules[row])
    if row in picture.counts:
        meta["count"] = picture.counts[row]
    return found | ({"meta": meta} if meta else {})


def _guarded(guard: Guard | None) -> dict[str, Any]:
    if guard is None:
        return {}
    return {"guard": {"type": "given", "params": {"guard": guard.value}}}
