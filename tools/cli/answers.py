"""The answers of a policy as JSON, in a few words, and as lines for one end."""

from collections.abc import Sequence
from typing import Any

from recloser.cli.asking import Question, Reply
from recloser.fsm.closecodes import name as code_name
from recloser.fsm.decisions import Hold, Retry, Unsent

_FIRST_CODE = 1000


def as_json(name: str, question: Question, reply: Reply) -> dict[str, Any]:
    """Return what a program wants to know; delays are in seconds, None where there is none."""
    close, decision = question.close, reply.decision
    return {
        "policy": name,
        "code": close.code,
        "status": close.status,
        "name": code_name(close.code),
        "cause": close.cause.value,
        "origin": close.origin.value,
        "phase": question.phase.value,
        "attempt": question.attempt,
        "decision": _word(reply),
        "refresh": isinstance(decision, Retry) and decision.refresh,
        "delay_min": _rounded(reply.delay_min),
        "delay_max": _rounded(reply.delay_max),
        "unsent": decision.unsent.value,
        "rule": decision.rule,
        "why": reply.rule.why if reply.rule else "",
        "source": reply.rule.source if reply.rule else "",
    }


def _rounded(delay: float | None) -> float | None:
    return None if delay is None else round(delay, 6)


def _word(reply: Reply) -> str:
    if isinstance(reply.decision, Retry):
        return "retry"
    return "hold" if isinstance(reply.decision, Hold) else "stop"


def summary(reply: Reply) -> str:
    """Return the decision in a few words."""
    words = _word(reply)
    if reply.delay_min is not None and reply.delay_max is not None:
        words = f"retry {_range(reply.delay_min, reply.delay_max)}"
    if isinstance(reply.decision, Retry) and reply.decision.refresh:
        words = f"new credential, {words}"
    if reply.decision.unsent is Unsent.DROP:
        words += ", drop unsent"
    return words


def _range(low: float, high: float) -> str:
    first, last = f"{round(low, 2):g}", f"{round(high, 2):g}"
    if first != last:
        return f"in {first}-{last} s"
    return "at once" if first == "0" else f"in {first} s"


def told(name: str, question: Question, reply: Reply) -> Sequence[tuple[str, str]]:
    """Return labels and texts that tell all about one answer."""
    close = question.close
    end = f"code {close.code} ({code_name(close.code)})"
    if close.code < _FIRST_CODE:
        end = f"code {close.code} (no close code; for an HTTP status: --status {close.code})"
    if close.status is not None:
        end = f"upgrade refused with status {close.status}"
    times = "" if question.attempt == 1 else f", {question.attempt} times in a row"
    lines = [
        ("policy", name),
        ("end", f"{end}, {close.cause.value} by {close.origin.value}{times}"),
        ("decision", summary(reply)),
        ("rule", reply.decision.rule),
    ]
    if reply.rule is not None:
        lines += [
            ("when", str(reply.rule.when)),
            ("why", reply.rule.why),
            ("source", reply.rule.source),
        ]
    return lines
