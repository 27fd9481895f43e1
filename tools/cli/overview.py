"""The engines of a service as text: what `recloser top` shows."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from recloser.cli.tables import text_table
from recloser.cli.terminal.wording import duration, printable

HEADERS: Final = (
    *("engine", "state", "since", "attempt", "next dial", "unsent", "last close", "rule"),
)
_FIRST: Final = ("closed", "backoff", "connecting", "closing", "passive", "open")
"""The states in the order in which an operator wants to see them."""
_WIDEST: Final = 40


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
    reason = f" {row['reason']!r}" if row["reason"] else ""
    return f"{number}{reason}"


def _short(text: str) -> str:
    clean = printable(text)
    return clean if len(clean) <= _WIDEST else f"{clean[: _WIDEST - 3]}..."
