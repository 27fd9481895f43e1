"""One line of a journal, version 1: written from a change of state, and read back.

A line is a JSON object. Its fields have the names of the engine's log lines, but values are
exact and nothing is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Context, Decision, Hold, Phase, Retry, Session, Stop, Unsent
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import State, Trigger, Wish
from recloser.fsm.timeouts import STABLE
from recloser.journal.facts import BadLineError, Facts


class RecordedError(Exception):
    """An exception that was read back; the text holds the name of its type and its message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One change of state that was read back."""

    time: float
    """Seconds since the epoch."""
    engine: str
    """The name of the engine in the file; empty if the line has none."""
    change: StateChange
    """As announced, except that secrets are redacted and errors are `RecordedError`s.

    A line of a log has no context, a decision without `refresh` and `unsent`, and seconds
    rounded to milliseconds.
    """
    fields: Mapping[str, object] = field(default_factory=dict)
    """The application's own fields."""


VERSION: Final = 1


def line_of(
    change: StateChange, *, wall: float, engine: str, own: Mapping[str, object]
) -> dict[str, Any]:
    """Return the fields of the line that tells of one change.

    wall: seconds since the epoch.
    engine: the name that tells engines in one file apart.
    own: the application's fields, written as `fields`.
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
        "peer": change.peer,
        "delay": change.delay,
        "uptime": change.uptime,
        "unsent": change.unsent,
        "undelivered": change.undelivered,
        "at": change.at,
    }
    if change.waited:
        line["waited"] = change.waited
    if change.close is not None:
        line.update(_close_line(change.close))
        if change.close.unsent != change.unsent:
            line["close_unsent"] = change.close.unsent
    if change.error is not None:
        line["policy_error"] = redact.text(f"{change.error} ({change.error.__cause__!r})")
    if change.context is not None:
        line["context"] = _context_line(change.context)
    if change.decision is not None:
        line["decision"] = decision_line(change.decision)
    if own:
        line["fields"] = dict(own)
    return line


def _close_line(close: Close) -> dict[str, Any]:
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
    if close.body:
        line["body"] = redact.text(close.body)
    if close.advice is not None:
        line["advice"] = redact.text(close.advice)
    if close.error is not None:
        line["error"] = redact.text(f"{type(close.error).__name__}: {close.error}")
    return line


def _context_line(context: Context) -> dict[str, Any]:
    facts = context._asdict().items()
    return {name: value.value if isinstance(value, Enum) else value for name, value in facts}


def decision_line(decision: Decision) -> dict[str, Any]:
    """Return the fields that tell of a decision, without its rule."""
    line: dict[str, Any] = {"do": type(decision).__name__.lower(), "unsent": decision.unsent.value}
    if isinstance(decision, Retry):
        line.update(delay=decision.delay, refresh=decision.refresh)
        if decision.session is not None:
            line["session"] = decision.session.value
    return line


def entry_of(line: Mapping[str, Any]) -> JournalEntry:
    """Return the entry; raises `BadLineError` for a line that is damaged."""
    facts = Facts(line)
    context, decision = facts.inner("context"), facts.inner("decision")
    rule, problem = facts.text("rule", ""), facts.text("policy_error", "")
    return JournalEntry(
        time=facts.moment("timestamp"),
        engine=facts.text("engine", ""),
        change=StateChange(
            previous=facts.choice("from", State),
            current=facts.choice("to", State),
            trigger=facts.choice("trigger", Trigger),
            at=facts.number("at"),
            generation=facts.integer("generation"),
            attempt=facts.integer("attempt"),
            peer=facts.text("peer", ""),
            close=close_of(facts) if facts.has("code") else None,
            context=None if context is None else _context_of(context),
            decision=None if decision is None else _decision_of(decision, rule),
            rule=rule,
            delay=facts.maybe_number("delay"),
            uptime=facts.maybe_number("uptime"),
            waited=facts.maybe_number("waited") or 0.0,
            unsent=facts.integer("unsent", 0),
            undelivered=facts.integer("undelivered", 0),
            error=RecordedError(problem) if problem else None,
        ),
        fields=facts.mapping("fields"),
    )


def close_of(facts: Facts) -> Close:
    """Return the close record among the facts of a line."""
    headers = facts.mapping("headers")
    if not all(isinstance(value, str) for value in headers.values()):
        raise BadLineError("headers are no texts")
    error = facts.text("error", "")
    return Close(
        code=facts.integer("code"),
        origin=facts.choice("origin", Origin),
        cause=facts.choice("cause", Cause),
        reason=facts.text("reason", ""),
        sent_code=facts.maybe_integer("sent_code"),
        intentional=facts.flag("intentional"),
        wish=facts.choice("wish", Wish) if facts.has("wish") else None,
        clean=facts.flag("clean"),
        status=facts.maybe_integer("status"),
        headers=headers,
        body=facts.text("body", ""),
        retry_after=facts.maybe_number("retry_after"),
        spread=facts.maybe_number("spread"),
        advice=facts.text("advice") if facts.has("advice") else None,
        unsent=facts.integer("close_unsent", facts.integer("unsent", 0)),
        error=RecordedError(error) if error else None,
    )


def _context_of(facts: Facts) -> Context:
    return Context(
        phase=facts.choice("phase", Phase),
        attempt=facts.integer("attempt"),
        uptime=facts.maybe_number("uptime"),
        elapsed=facts.number("elapsed"),
        since_dial=facts.number("since_dial"),
        last_delay=facts.maybe_number("last_delay"),
        last_roll=facts.maybe_number("last_roll"),
        previous_immediate=facts.flag("previous_immediate"),
        busy=facts.integer("busy"),
        spread=facts.maybe_number("spread"),
        streak=facts.integer("streak"),
        refusals=facts.integer("refusals", 0),
        been_open=facts.flag("been_open", default=False),
        denied_for=facts.maybe_number("denied_for") or 0.0,
        engines=facts.integer("engines", 1),
        outage=facts.maybe_number("outage"),
        crowded=facts.flag("crowded", default=False),
        budget_in=facts.maybe_number("budget_in") or 0.0,
        refreshed=facts.flag("refreshed"),
        can_refresh=facts.flag("can_refresh"),
        roll=facts.number("roll"),
        stable_after=facts.number("stable_after", STABLE),
    )


def _decision_of(facts: Facts, rule: str) -> Decision:
    unsent = facts.choice("unsent", Unsent)
    match facts.text("do"):
        case "retry":
            try:
                session = facts.choice("session", Session) if facts.has("session") else None
                return Retry(facts.number("delay"), facts.flag("refresh"), rule, unsent, session)
            except ValueError as error:
                raise BadLineError(str(error)) from None
        case "hold":
            return Hold(rule, unsent)
        case "stop":
            return Stop(rule, unsent)
        case other:
            raise BadLineError(f"do is {other!r}, not retry, hold or stop")
