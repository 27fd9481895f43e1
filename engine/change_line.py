"""The log line of one change of state: the names of its events and fields, and their values.

`recloser.log` writes such lines, and `recloser.journal` reads them.
"""

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.record import Close

CHANGED: Final = "websocket.state_changed"
POLICY_FAILED: Final = "websocket.policy_failed"
"""In the place of `CHANGED` if a policy failed."""

_OF_CHANGE: Final = (
    *("from", "to", "trigger", "rule", "generation", "attempt", "peer"),
    *("delay", "uptime", "unsent", "undelivered"),
)
_OF_CLOSE: Final = ("code", "code_name", "reason", "intentional", "origin", "cause", "clean")
IF_KNOWN: Final = (
    "waited",
    "sent_code",
    "status",
    "body",
    "retry_after",
    "advice",
    "error",
    "exception",
)
FIELDS: Final = frozenset((*_OF_CHANGE, *_OF_CLOSE, *IF_KNOWN, "timestamp"))
"""All fields that a line may have besides the application's own."""

_NO_CLOSE: Final[Mapping[str, object]] = dict.fromkeys(_OF_CLOSE)


def event_of(change: StateChange) -> str:
    """Return the event of the line."""
    return CHANGED if change.error is None else POLICY_FAILED


def fields_of(change: StateChange, wall: float, app_fields: Mapping[str, object]) -> dict[str, Any]:
    """Return the fields of the line: the same names in every one, secrets redacted.

    `wall` is the time in seconds since the epoch. The application's fields come first: where a
    name is used twice, the fact of the engine stays.
    """
    fields: dict[str, Any] = {
        **app_fields,
        "from": change.previous.value,
        "to": change.current.value,
        "trigger": change.trigger.value,
        "rule": change.rule,
        "generation": change.generation,
        "attempt": change.attempt,
        "peer": change.peer,
        "delay": milliseconds(change.delay),
        "uptime": milliseconds(change.uptime),
        "unsent": change.unsent,
        "undelivered": change.undelivered,
    }
    if change.waited:
        fields["waited"] = milliseconds(change.waited)
    fields.update(_NO_CLOSE if change.close is None else _close(change.close))
    if change.error is not None:
        cause = change.error.__cause__
        fields["error"] = redact.line(f"{change.error} ({cause!r})")
        if cause is not None:
            fields["exception"] = traceback_text(cause)
    fields["timestamp"] = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    return fields


def _close(close: Close) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "code": close.code,
        "code_name": closecodes.name(close.code),
        "reason": redact.line(close.reason),
        "intentional": close.intentional,
        "origin": close.origin.value,
        "cause": close.cause.value,
        "clean": close.clean,
    }
    if close.sent_code is not None:
        fields["sent_code"] = close.sent_code
    if close.status is not None:
        fields["status"] = close.status
    if close.body:
        fields["body"] = redact.line(close.body)
    if close.retry_after is not None:
        fields["retry_after"] = close.retry_after
    if close.advice is not None:
        fields["advice"] = redact.line(close.advice)
    if close.error is not None:
        fields["error"] = error_text(close.error)
    return fields


def error_text(error: BaseException) -> str:
    """Return type and text of an error as one line, secrets redacted."""
    try:
        # The name by itself: "Unauthorized: the ..." would be read as a field that is secret.
        return f"{type(error).__name__}: {redact.line(str(error))}"
    except Exception as unprintable:  # noqa: BLE001 - an error whose text raises is still told
        return f"{type(error).__name__} (no text: {type(unprintable).__name__})"


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error, secrets redacted."""
    try:
        return trace_text("".join(traceback.format_exception(error)))
    except Exception as unprintable:  # noqa: BLE001 - an error whose text raises is still told
        return f"no traceback ({type(unprintable).__name__})"


def trace_text(trace: str) -> str:
    """Redact the secrets of a traceback, and escape its control characters but line ends."""
    return redact.printable(redact.text(trace), keep="\n\t")


def milliseconds(seconds: float | None) -> float | None:
    """Round seconds to milliseconds."""
    return None if seconds is None else round(seconds, 3)
