"""The engine's log lines: one structlog event a change, and the few things that go wrong aside.

The library never configures logging; it only calls `structlog.get_logger`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.record import Close
from recloser.fsm.states import State

LOGGER: Final[structlog.typing.FilteringBoundLogger] = structlog.get_logger("recloser")

CHANGED: Final = "websocket.state_changed"
POLICY_FAILED: Final = "websocket.policy_failed"
LISTENER_FAILED: Final = "websocket.listener_failed"
LISTENER_SLOW: Final = "websocket.listener_slow"
TASK_FAILED: Final = "websocket.scope_task_failed"
TASK_STUCK: Final = "websocket.task_refuses_to_end"


def fields_of(change: StateChange) -> dict[str, Any]:
    """Return a change as flat fields with names that stay, secrets taken out."""
    fields: dict[str, Any] = {
        "from": change.previous.value,
        "to": change.current.value,
        "trigger": change.trigger.value,
        "rule": change.rule,
        "generation": change.generation,
        "attempt": change.attempt,
        "delay": _round(change.delay),
        "uptime": _round(change.uptime),
        "unsent": change.unsent,
        "undelivered": change.undelivered,
    }
    if change.close is not None:
        fields.update(_close(change.close))
    return fields


def changed(change: StateChange, wall: float, own: Mapping[str, object]) -> None:
    """Write the line of one change; `own` are the application's fields."""
    fields = fields_of(change)
    fields["timestamp"] = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    fields.update(own)
    event = CHANGED
    if change.error is not None:
        event = POLICY_FAILED
        fields["error"] = redact.text(f"{change.error} ({change.error.__cause__!r})")
    close = change.close
    if change.error is not None or (
        change.current is State.CLOSED and close is not None and not close.intentional
    ):
        LOGGER.error(event, **fields)
    elif close is not None and not close.intentional:
        LOGGER.warning(event, **fields)
    else:
        LOGGER.info(event, **fields)


def trouble(event: str, own: Mapping[str, object], **fields: object) -> None:
    """Write an error line about something beside the connection: a listener, a task."""
    LOGGER.error(event, **{**fields, **own})


def _close(close: Close) -> dict[str, Any]:
    name = closecodes.name(close.code)
    fields: dict[str, Any] = {
        "code": close.code,
        "code_name": name,
        "reason": redact.text(close.reason) or f"no reason given ({name})",
        "intentional": close.intentional,
        "origin": close.origin.value,
        "cause": close.cause.value,
        "clean": close.clean,
    }
    if close.sent_code is not None:
        fields["sent_code"] = close.sent_code
    if close.status is not None:
        fields["status"] = close.status
    if close.retry_after is not None:
        fields["retry_after"] = close.retry_after
    if close.advice is not None:
        fields["advice"] = redact.text(close.advice)
    if close.error is not None:
        fields["error"] = redact.text(f"{type(close.error).__name__}: {close.error}")
    return fields


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
