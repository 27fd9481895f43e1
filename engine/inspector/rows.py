"""The row of one engine as JSON: its latest change, secrets redacted."""

from typing import Any, NamedTuple

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.states import State


class Moment(NamedTuple):
    """A change of one engine and when it was."""

    engine: str
    at: float
    """Seconds since the epoch."""
    change: StateChange


def row_of(moment: Moment) -> dict[str, Any]:
    """Return the row of an engine after a change; times in seconds since the epoch."""
    change, close = moment.change, moment.change.close
    row: dict[str, Any] = {
        "engine": moment.engine,
        "state": change.current.value,
        "from": change.previous.value,
        "trigger": change.trigger.value,
        "since": round(moment.at, 3),
        "generation": change.generation,
        "attempt": change.attempt,
        "peer": change.peer,
        "unsent": change.unsent,
        "gave_up": change.gave_up,
    }
    if change.current is State.BACKOFF and change.delay is not None:
        row["due"] = round(moment.at + change.delay, 3)
    if change.rule:
        row["rule"] = change.rule
    if close is not None:
        row["code"] = close.code
        row["name"] = closecodes.name(close.code)
        row["reason"] = redact.line(close.reason)
        row["origin"] = close.origin.value
        row["intentional"] = close.intentional
        if close.status is not None:
            row["status"] = close.status
    return row


def merged(row: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Keep the last close of the row before, where this change tells of none."""
    if before is None or "code" in row:
        return row
    kept = ("code", "name", "reason", "origin", "intentional", "status", "rule")
    return {**{name: before[name] for name in kept if name in before}, **row}
