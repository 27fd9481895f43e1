"""The engine's log lines: one event a change, and the few things that go wrong aside.

The library configures no logging. Where the service has configured structlog, a line is a
structlog event of `structlog.get_logger("recloser")`. Elsewhere it is a record of the standard
library's logger `recloser`, with the fields in its attribute `recloser`.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.record import Close

LOGGER: Final[structlog.typing.FilteringBoundLogger] = structlog.get_logger("recloser")
STANDARD: Final = logging.getLogger("recloser")

_LEAST: Final = {structlog.make_filtering_bound_logger(level): level for level in range(0, 60, 10)}
"""The least level that structlog's own loggers let through: below it no field need be made.

Of any other logger this is not known: a processor may want to see what another one drops.
"""
_METHODS: Final = {logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}
_NO_CLOSE: Final[Mapping[str, object]] = dict.fromkeys(
    ("code", "code_name", "reason", "intentional", "origin", "cause", "clean")
)

CHANGED: Final = "websocket.state_changed"
POLICY_FAILED: Final = "websocket.policy_failed"
LISTENER_FAILED: Final = "websocket.listener_failed"
LISTENER_SLOW: Final = "websocket.listener_slow"
TASK_FAILED: Final = "websocket.scope_task_failed"
TASK_STUCK: Final = "websocket.task_refuses_to_end"
RELEASE_FAILED: Final = "websocket.release_failed"
REST_FAILED: Final = "websocket.rest_failed"
SUPERVISED_FAILED: Final = "websocket.supervised_failed"
BACKLOGGED: Final = "websocket.reading_paused"
DROPPED: Final = "websocket.messages_dropped"
NOT_SAVED: Final = "websocket.outbox_not_saved"
OVERDUE: Final = "websocket.messages_unacknowledged"


def fields_of(change: StateChange) -> dict[str, Any]:
    """Return a change as flat fields, the same names in every line, secrets taken out."""
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
    fields.update(_NO_CLOSE if change.close is None else _close(change.close))
    return fields


def changed(change: StateChange, wall: float, own: Mapping[str, object]) -> None:
    """Write the line of one change; `own` are the application's fields."""
    close = change.close
    event = CHANGED if change.error is None else POLICY_FAILED
    if change.gave_up:
        level = logging.ERROR
    elif close is not None and not close.intentional:
        level = logging.WARNING
    else:
        level = logging.INFO
    try:
        write = _writer(level)
        if write is None:
            return
        # The application's names come first: where they collide, the engine's facts stay.
        fields = {**own, **fields_of(change)}
        stamp = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
        fields["timestamp"] = stamp
        if change.error is not None:
            fields["error"] = redact.text(f"{change.error} ({change.error.__cause__!r})")
        write(event, **fields)
    except Exception as error:  # noqa: BLE001 - a full disk must not stop the machine
        _unwritten(event, error)


def trouble(event: str, own: Mapping[str, object], **fields: object) -> None:
    """Write an error line about something beside the connection: a listener, a task."""
    _line(logging.ERROR, event, own, fields)


def failed(event: str, own: Mapping[str, object], who: object, error: BaseException) -> None:
    """Write an error line, with its traceback, about code that is not the engine's."""
    trouble(event, own, who=_name(who), error=_text(error), exception=_traceback(error))


def slow(own: Mapping[str, object], who: object, took: float) -> None:
    """Write an error line about a listener that held up the event loop, `took` in seconds."""
    trouble(LISTENER_SLOW, own, who=_name(who), took=_round(took))


class Backlogged:
    """Writes a line when reading pauses: a close frame behind what is unread is not seen (F7).

    One is kept by every engine; a `partial` would be five times as large.
    """

    __slots__ = ("_own",)

    def __init__(self, own: Mapping[str, object]) -> None:
        self._own = own

    def __call__(self, unread: int) -> None:
        """Take the number of messages that nobody has taken."""
        trouble(BACKLOGGED, self._own, unread=unread)


def dropped(own: Mapping[str, object], reason: str, count: int, size: int, *, asked: bool) -> None:
    """Write a line about messages that the outbox has dropped, `size` in bytes (G2).

    No error where the application `asked` for it, message by message.
    """
    facts = {"reason": reason, "count": count, "bytes": size}
    _line(logging.INFO if asked else logging.ERROR, DROPPED, own, facts)


def overdue(own: Mapping[str, object], count: int, after: float) -> None:
    """Write a line about messages that nobody acknowledged within `after` seconds (G7)."""
    trouble(OVERDUE, own, count=count, after=_round(after))


def _line(level: int, event: str, own: Mapping[str, object], fields: Mapping[str, object]) -> None:
    try:
        write = _writer(level)
        if write is not None:
            write(event, **{**own, **fields})
    except Exception as error:  # noqa: BLE001 - a full disk must not stop the machine
        _unwritten(event, error)


def _writer(level: int) -> Callable[..., object] | None:
    """Return what writes a line of this level; None if nobody would see it."""
    if not structlog.is_configured():
        return partial(_standard, level) if STANDARD.isEnabledFor(level) else None
    logger = LOGGER.bind()
    if level < _LEAST.get(type(logger), 0):
        return None
    write: Callable[..., object] = getattr(logger, _METHODS[level])
    return write


def _standard(level: int, event: str, **fields: object) -> None:
    """Write a record of the standard library: the event, then what is known as name=value."""
    known = " ".join(
        f"{name}={value}"
        for name, value in fields.items()
        if not (value is None or (isinstance(value, str) and not value))
    )
    STANDARD.log(level, "%s %s", event, known, extra={"recloser": fields})


def _unwritten(event: str, error: Exception) -> None:
    """Report a line that could not be written where asyncio reports what nobody awaits."""
    asyncio.get_running_loop().call_exception_handler(
        {"message": f"recloser could not log {event}", "exception": error}
    )


def _name(who: object) -> str:
    if isinstance(who, str):
        return who
    name = getattr(who, "__qualname__", None)
    return name if isinstance(name, str) else type(who).__qualname__


def _text(error: BaseException) -> str:
    try:
        return redact.text(f"{type(error).__name__}: {error}")
    except Exception as unprintable:  # noqa: BLE001 - an error whose text raises is still told
        return f"{type(error).__name__} (no text: {type(unprintable).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        return redact.text("".join(traceback.format_exception(error)))
    except Exception as unprintable:  # noqa: BLE001 - an error whose text raises is still told
        return f"no traceback ({type(unprintable).__name__})"


def _close(close: Close) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "code": close.code,
        "code_name": closecodes.name(close.code),
        "reason": redact.text(close.reason),
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
        fields["error"] = _text(close.error)
    return fields


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
