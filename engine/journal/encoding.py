"""A change of state as one JSON object: version 1 of the journal's lines."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Context, Decision, Retry
from recloser.fsm.record import Close

VERSION: Final = 1


def line_of(
    change: StateChange, *, wall: float, engine: str, own: Mapping[str, object]
) -> dict[str, Any]:
    """Return the fields of one line: named as in the log, but exact, and with nothing left out.

    `own` are the application's fields; `wall` is in seconds since the epoch.
    """
    line: dict[str, Any] = {
        "v": VERSION,
        "timestamp": datetime.fromtimestamp(wall, UTC).isoformat(timespec="microseconds"),
        "engine": engine,
        "from": change.previous.value,
        "to": change.current.value,
        "trigger": change.trigger.value,
        "rule": change.rule,
        "generation": change.generation,
        "attempt": change.attempt,
        "delay": change.delay,
        "uptime": change.uptime,
        "unsent": change.unsent,
        "undelivered": change.undelivered,
        "at": change.at,
    }
    if change.close is not None:
        line.update(_close(change.close))
        if change.close.unsent != change.unsent:
            line["close_unsent"] = change.close.unsent
    if change.error is not None:
        line["policy_error"] = redact.text(f"{change.error} ({change.error.__cause__!r})")
    if change.context is not None:
        line["context"] = _context(change.context)
    if change.decision is not None:
        line["decision"] = decision_of(change.decision)
    if own:
        line["fields"] = dict(own)
    return line


def _close(close: Close) -> dict[str, Any]:
    line: dict[str, Any] = {
        "code": close.code,
        "code_name": closecodes.name(close.code),
        "reason": redact.text(close.reason),
        "intentional": close.intentional,
        "origin": close.origin.value,
        "cause": close.cause.value,
        "clean": close.clean,
    }
    if close.wish is not None:
        line["wish"] = close.wish.value
    for name in ("sent_code", "status", "retry_after", "spread"):
        if getattr(close, name) is not None:
            line[name] = getattr(close, name)
    if close.headers:
        line["headers"] = redact.headers(close.headers)
    if close.advice is not None:
        line["advice"] = redact.text(close.advice)
    if close.error is not None:
        line["error"] = redact.text(f"{type(close.error).__name__}: {close.error}")
    return line


def _context(context: Context) -> dict[str, Any]:
    found = ((each.name, getattr(context, each.name)) for each in fields(context))
    return {name: value.value if isinstance(value, Enum) else value for name, value in found}


def decision_of(decision: Decision) -> dict[str, Any]:
    """Return what was decided, without the rule."""
    line: dict[str, Any] = {"do": type(decision).__name__.lower(), "unsent": decision.unsent.value}
    if isinstance(decision, Retry):
        line.update(delay=decision.delay, refresh=decision.refresh)
    return line
