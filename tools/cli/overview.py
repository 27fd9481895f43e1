"""The engines of a service as text: what `recloser top` shows."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from recloser.cli.tables import text_table
from recloser.cli.terminal.wording import duration
from recloser.redact import printable

HEADERS: Final = (
    *("engine", "state", "since", "attempt", "next dial", "unsent", "last close", "rule"),
)
_FIRST: Final = ("closed", "backoff", "connecting", "closing", "passive", "open")
"""The states in the order in which an operator wants to see them."""
_WIDEST: Final = 40
_NUMBER: Final = (int, float)
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("engine", "state", "name", "reason", "rule", "origin", "reading"), (str,)),
    **dict.fromkeys(("now", "since", "due", "usual"), _NUMBER),
    **dict.fromkeys(("attempt", "unsent", "code", "count"), (int,)),
    "status": (int, type(None)),
    "gave_up": (bool,),
    "states": (dict,),
    "alarms": (list,),
}
"""The types of what is shown."""
_OF_ROW: Final = ("engine", "state", "since", "attempt", "unsent", "gave_up")
_OF_ALARM: Final = ("code", "status", "origin", "count", "usual", "reading")


def overview(rows: Iterable[Mapping[str, Any]], totals: Mapping[str, Any], lines: int) -> str:
    """Return the whole text: counts, alarms, and as many engines as `lines`.

    rows, totals: what the stream of the live page says. What waits or gave up comes first.
    """
    now: float = totals["now"]
    ordered = sorted(
        rows, key=lambda row: (not row["gave_up"], _FIRST.index(row["state"]), row["engine"])
    )
    states = [f"{count} {state}" for state, count in totals["states"].items() if count]
    parts = [", ".join(states) or "no engine yet"]
    parts += [f"ALARM {_alarm(alarm)}" for alarm in totals["alarms"]]
    if ordered:
        cells = [_cells(row, now) for row in ordered[:lines]]
        parts += ["", text_table(HEADERS, cells)]
    if len(ordered) > lines:
        parts.append(f"... {len(ordered) - lines} more: --lines shows more")
    return "\n".join(parts)


def check_row(row: object) -> None:
    """Raise `ValueError` unless this is the row of an engine as the live page streams it."""
    known = _checked(row, _OF_ROW)
    if known["state"] not in _FIRST or ("code" in known and not {"name", "reason"} <= known.keys()):
        raise ValueError(f"a row has state {known['state']!r}, and the names {sorted(known)}")


def check_totals(totals: object) -> None:
    """Raise `ValueError` unless these are the totals as the live page streams them."""
    known = _checked(totals, ("now", "states", "alarms"))
    states, alarms = known["states"], known["alarms"]
    if not states.keys() <= set(_FIRST) or not all(isinstance(n, int) for n in states.values()):
        raise ValueError(f"the totals count {sorted(states)}")
    for alarm in alarms:
        _checked(alarm, _OF_ALARM)


def _checked(given: object, needed: Collection[str]) -> dict[str, Any]:
    """Return a mapping that has the names that are needed, and values of the types of `_KINDS`."""
    if not (
        isinstance(given, dict)
        and given.keys() >= set(needed)
        and all(isinstance(value, _KINDS.get(name, object)) for name, value in given.items())
    ):
        raise ValueError(f"it is not the {', '.join(needed)} of an engine or of all")
    return given


def _alarm(alarm: Mapping[str, Any]) -> str:
    number = alarm["code"] if alarm["status"] is None else f"HTTP {alarm['status']}"
    usual = f"{alarm['count']} where {alarm['usual']:g} are usual"
    return f"{number} by {printable(alarm['origin'])}: {usual}; {printable(alarm['reading'])}"


def _cells(row: Mapping[str, Any], now: float) -> tuple[str, ...]:
    due = row.get("due")
    return (
        _short(row["engine"]),
        "gave up" if row["gave_up"] else row["state"],
        duration(max(0.0, now - row["since"])),
        str(row["attempt"]),
        "" if due is None else f"in {duration(max(0.0, due - now))}",
        str(row["unsent"]),
        _short(_close(row)),
        _short(row.get("rule", "")),
    )


def _close(row: Mapping[str, Any]) -> str:
    if "code" not in row:
        return ""
    number = f"HTTP {row['status']}" if "status" in row else f"{row['code']} {row['name']}"
    reason = f' "{row["reason"]}"' if row["reason"] else ""
    return f"{number}{reason}"


def _short(text: str) -> str:
    clean = printable(text)
    return clean if len(clean) <= _WIDEST else f"{clean[: _WIDEST - 3]}..."
