"""The machine as data, for `recloser diagram --json`."""

from typing import Any

from recloser.diagram.picture import REST, START, Picture
from recloser.fsm.states import State
from recloser.fsm.table import IGNORED


def machine_listing(picture: Picture) -> dict[str, Any]:
    """Return states, rows with their notes, and what is ignored on purpose.

    `rules` and `count` are there only if they were asked for; `to` is None where the state
    stays.
    """
    states = [
        {
            "name": state.value,
            "start": state is START,
            "end": state is START,
            "rest": state is REST,
            "highlighted": state in picture.marked,
        }
        for state in State
    ]
    rows = []
    for row in picture.rows:
        entry: dict[str, Any] = {
            "from": row.source.value,
            "trigger": row.trigger.value,
            "guard": None if row.guard is None else row.guard.value,
            "to": None if row.target is None else row.target.value,
            "highlighted": (row.source, row.target) in picture.path,
        }
        if row in picture.rules:
            entry["rules"] = list(picture.rules[row])
        if row in picture.counts:
            entry["count"] = picture.counts[row]
        rows.append(entry)
    ignored = [
        {
            "from": each.source.value,
            "trigger": each.trigger.value,
            "guard": None if each.guard is None else each.guard.value,
            "why": each.why,
        }
        for each in IGNORED
    ]
    return {"states": states, "rows": rows, "ignored": ignored}
