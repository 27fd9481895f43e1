"""Reads the JSON log of a service: a line that `recloser.log` wrote becomes an entry."""

from collections.abc import Mapping
from typing import Any, Final

from recloser.change_line import CHANGED, FIELDS, POLICY_FAILED
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Decision, Hold, Retry, Stop
from recloser.fsm.states import State, Trigger
from recloser.journal.facts import BadLineError, Facts
from recloser.journal.lines import JournalEntry, RecordedError, close_of

_EVENT: Final = ("event", "message", "msg")
"""The fields that may hold the name of the event: structlog's own, and two usual others."""
_KNOWN: Final = FIELDS | {"level", "logger", *_EVENT}


def is_change(line: Mapping[str, Any]) -> bool:
    """Whether the line tells of a change of state."""
    return any(line.get(name) in (CHANGED, POLICY_FAILED) for name in _EVENT)


def entry_of(line: Mapping[str, Any], by: str | None) -> JournalEntry:
    """Return the entry; raises `BadLineError` for a line that is damaged.

    `by` names the field that tells one engine from another.
    """
    facts = Facts(line)
    time = facts.moment("timestamp")
    failed = any(line.get(name) == POLICY_FAILED for name in _EVENT)
    change = StateChange(
        previous=facts.choice("from", State),
        current=facts.choice("to", State),
        trigger=facts.choice("trigger", Trigger),
        at=time,
        generation=facts.integer("generation"),
        attempt=facts.integer("attempt"),
        peer=facts.text("peer", ""),
        close=close_of(facts) if facts.has("code") else None,
        decision=_decision(facts),
        rule=facts.text("rule", ""),
        delay=facts.maybe_number("delay"),
        uptime=facts.maybe_number("uptime"),
        waited=facts.maybe_number("waited") or 0.0,
        unsent=facts.integer("unsent", 0),
        undelivered=facts.integer("undelivered", 0),
        error=RecordedError(facts.text("error", "")) if failed else None,
    )
    return JournalEntry(
        time=time,
        engine="" if by is None else str(line.get(by, "")),
        change=change,
        fields={name: value for name, value in line.items() if name not in _KNOWN},
    )


def _decision(facts: Facts) -> Decision | None:
    """Infer the decision from the next state; None if the end was intentional."""
    if not facts.has("code") or facts.flag("intentional"):
        return None
    rule = facts.text("rule", "")
    match facts.choice("to", State):
        case State.BACKOFF:
            try:
                return Retry(facts.number("delay"), rule=rule)
            except ValueError as error:
                raise BadLineError(str(error)) from None
        case State.PASSIVE:
            return Hold(rule)
        case State.CLOSED:
            return Stop(rule)
        case other:
            raise BadLineError(f"no close record leads to {other.value}")
