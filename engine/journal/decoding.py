"""A line of version 1 read back: the reverse of `recloser.journal.encoding`."""

from collections.abc import Mapping
from typing import Any

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Context, Decision, Hold, Phase, Retry, Stop, Unsent
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import State, Trigger, Wish
from recloser.journal.entry import Entry, RecordedError
from recloser.journal.facts import BadLineError, Facts


def entry_of(line: Mapping[str, Any]) -> Entry:
    """Return the entry; raises `BadLineError` for a line that is damaged."""
    facts = Facts(line)
    context, decision = facts.inner("context"), facts.inner("decision")
    rule, problem = facts.text("rule", ""), facts.text("policy_error", "")
    return Entry(
        time=facts.moment("timestamp"),
        engine=facts.text("engine", ""),
        change=StateChange(
            previous=facts.choice("from", State),
            current=facts.choice("to", State),
            trigger=facts.choice("trigger", Trigger),
            at=facts.number("at"),
            generation=facts.integer("generation"),
            attempt=facts.integer("attempt"),
            close=close_of(facts) if facts.has("code") else None,
            context=None if context is None else _context(context),
            decision=None if decision is None else _decision(decision, rule),
            rule=rule,
            delay=facts.maybe_number("delay"),
            uptime=facts.maybe_number("uptime"),
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
        retry_after=facts.maybe_number("retry_after"),
        spread=facts.maybe_number("spread"),
        advice=facts.text("advice") if facts.has("advice") else None,
        unsent=facts.integer("close_unsent", facts.integer("unsent", 0)),
        error=RecordedError(error) if error else None,
    )


def _context(facts: Facts) -> Context:
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
        refreshed=facts.flag("refreshed"),
        can_refresh=facts.flag("can_refresh"),
        roll=facts.number("roll"),
    )


def _decision(facts: Facts, rule: str) -> Decision:
    unsent = facts.choice("unsent", Unsent)
    match facts.text("do"):
        case "retry":
            try:
                return Retry(facts.number("delay"), facts.flag("refresh"), rule, unsent)
            except ValueError as error:
                raise BadLineError(str(error)) from None
        case "hold":
            return Hold(rule, unsent)
        case "stop":
            return Stop(rule, unsent)
        case other:
            raise BadLineError(f"do is {other!r}, not retry, hold or stop")
