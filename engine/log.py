"""The engine's log lines: one event a change, and the few things that go wrong aside.

The library configures no logging. Where the service has configured structlog, a line is a
structlog event of `structlog.get_logger("recloser")`. Elsewhere it is a record of the standard
library's logger `recloser`, with the fields in its attribute `recloser`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from recloser import redact
from recloser.change_line import (
    error_text,
    event_of,
    fields_of,
    milliseconds,
    trace_text,
    traceback_text,
)
from recloser.clock import Clock
from recloser.fsm import states
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Decision, Retry
from recloser.fsm.record import Close

LOGGER: Final[structlog.typing.FilteringBoundLogger] = structlog.get_logger("recloser")
STANDARD: Final = logging.getLogger("recloser")

_LEAST: Final = {structlog.make_filtering_bound_logger(level): level for level in range(0, 60, 10)}
"""The least level that structlog's own loggers let through: below it no field need be made.

Of any other logger this is not known: a processor may want to see what another one drops.
"""
_METHODS: Final = {logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}

ON_OPEN_FAILED: Final = "websocket.on_open_failed"
PROVIDER_FAILED: Final = "websocket.provider_failed"
LISTENER_FAILED: Final = "websocket.listener_failed"
LISTENER_SLOW: Final = "websocket.listener_slow"
TASK_FAILED: Final = "websocket.scope_task_failed"
TASK_STUCK: Final = "websocket.task_refuses_to_end"
RELEASE_FAILED: Final = "websocket.release_failed"
REST_FAILED: Final = "websocket.rest_failed"
SUPERVISED_FAILED: Final = "websocket.supervised_failed"
BACKLOGGED: Final = "websocket.reading_paused"
PINGS_MISSED: Final = "websocket.pings_missed"
UNDELIVERED: Final = "websocket.messages_undelivered"
OVERFLOWED: Final = "websocket.receive_buffer_full"
DROPPED: Final = "websocket.messages_dropped"
BUDGET_NOT_SAVED: Final = "websocket.budget_not_saved"
JOURNAL_NOT_WRITTEN: Final = "websocket.journal_not_written"
JOURNAL_WRITTEN: Final = "websocket.journal_written"
SUSPECTED: Final = "websocket.messages_suspected"
NOT_SAVED: Final = "websocket.outbox_not_saved"
UNREADABLE: Final = "websocket.outbox_unreadable"
MOVE_FAILED: Final = "websocket.move_failed"
SESSION_LIMIT: Final = "websocket.session_limit_reached"
OVERDUE: Final = "websocket.messages_unacknowledged"
LEASE_WON: Final = "websocket.lease_won"
LEASE_LOST: Final = "websocket.lease_lost"
STORE_UNREACHABLE: Final = "websocket.store_unreachable"
STORE_REACHED: Final = "websocket.store_reached"
RATE_UNUSUAL: Final = "websocket.close_rate_unusual"
RATE_USUAL: Final = "websocket.close_rate_usual"

NO_FIELDS: Final[Mapping[str, object]] = {}
"""Those of an application that gives none."""


def state_change(change: StateChange, clock: Clock, app_fields: Mapping[str, object]) -> None:
    """Write the line of one change.

    `clock` gives its time stamp, if it is written; `app_fields` are the application's fields.
    """
    close = change.close
    if change.current is states.CLOSED and change.gave_up:
        level = logging.ERROR
    elif close is None or close.intentional:
        level = logging.INFO
    else:
        # A stable connection that ends and is dialled again is usual (I1.6).
        context = change.context
        usual = change.current is states.BACKOFF and context is not None and context.stable
        level = logging.INFO if usual else logging.WARNING
    try:
        write = _writer(level)
        if write is None:
            return
        write(event_of(change), **fields_of(change, clock.wall(), app_fields))
    except Exception as error:  # noqa: BLE001 - a full disk must not stop the machine
        _unwritten(event_of(change), error)


def _problem(event: str, app_fields: Mapping[str, object], **fields: object) -> None:
    """Write an error line about something beside the connection: a listener, a task."""
    _line(logging.ERROR, event, app_fields, fields)


def failure(
    event: str, app_fields: Mapping[str, object], who: object, error: BaseException
) -> None:
    """Write an error line, with its traceback, about code that is not the engine's."""
    _problem(
        event, app_fields, who=_name(who), error=error_text(error), exception=traceback_text(error)
    )


def bug(
    event: str,
    app_fields: Mapping[str, object],
    who: object,
    error: BaseException | None,
    trace: str,
) -> None:
    """Write an error line about an exception whose traceback was kept as text."""
    told = "" if error is None else error_text(error)
    _problem(event, app_fields, who=_name(who), error=told, exception=trace_text(trace))


def slow_listener(app_fields: Mapping[str, object], who: object, took: float) -> None:
    """Write an error line about a listener that held up the event loop, `took` in seconds."""
    _problem(LISTENER_SLOW, app_fields, who=_name(who), took=milliseconds(took))


class ReadingPaused:
    """Writes a line when reading pauses: a close frame behind unread messages is not seen (F7).

    Every engine with fields keeps one; a `partial` would be five times as large.
    """

    __slots__ = ("_app_fields",)

    def __init__(self, app_fields: Mapping[str, object]) -> None:
        self._app_fields = app_fields

    def __call__(self, unread: int) -> None:
        """Write the line; `unread` is the number of messages that nobody has received."""
        _problem(BACKLOGGED, self._app_fields, unread=unread)


class PingsMissed:
    """Writes a warning when data flows and pings get no pong: the peer may be deaf (F10)."""

    __slots__ = ("_app_fields",)

    def __init__(self, app_fields: Mapping[str, object]) -> None:
        self._app_fields = app_fields

    def __call__(self, count: int, answered_before: bool) -> None:
        """Write the line; `count` pings in a row got no pong."""
        facts = {"count": count, "answered_before": answered_before}
        _line(logging.WARNING, PINGS_MISSED, self._app_fields, facts)


_NAMELESS: Final = ReadingPaused(NO_FIELDS), PingsMissed(NO_FIELDS)


def lines_of_transport(app_fields: Mapping[str, object]) -> tuple[ReadingPaused, PingsMissed]:
    """Return what writes the lines of a transport; engines without fields share it."""
    if app_fields is NO_FIELDS:
        return _NAMELESS
    return ReadingPaused(app_fields), PingsMissed(app_fields)


def move_failed(app_fields: Mapping[str, object], close: Close, decision: Decision) -> None:
    """Write a warning that a move failed, and the rule and delay before the next one."""
    facts: dict[str, object] = {
        "code": close.code,
        "status": close.status,
        "cause": close.cause.value,
        "reason": redact.line(close.reason),
        "error": "" if close.error is None else error_text(close.error),
        "rule": decision.rule,
        "delay": milliseconds(decision.delay) if isinstance(decision, Retry) else None,
    }
    _line(logging.WARNING, MOVE_FAILED, app_fields, facts)


def messages_undelivered(app_fields: Mapping[str, object], count: int) -> None:
    """Write a warning about received messages that no consumer gets (C3)."""
    _line(logging.WARNING, UNDELIVERED, app_fields, {"count": count})


def receive_buffer_full(app_fields: Mapping[str, object], size: int) -> None:
    """Write a warning that the oldest received messages begin to give way; `size` in bytes."""
    _line(logging.WARNING, OVERFLOWED, app_fields, {"bytes": size})


def messages_dropped(
    app_fields: Mapping[str, object], reason: str, count: int, size: int, *, asked: bool
) -> None:
    """Write a line about messages that the outbox has dropped, `size` in bytes (G2).

    No error where the application `asked` for it, message by message.
    """
    facts = {"reason": reason, "count": count, "bytes": size}
    _line(logging.INFO if asked else logging.ERROR, DROPPED, app_fields, facts)


def messages_suspected(app_fields: Mapping[str, object], count: int) -> None:
    """Write a warning that the peer refused one of `count` messages: they go out one at a time."""
    _line(logging.WARNING, SUSPECTED, app_fields, {"count": count})


def task_stuck(app_fields: Mapping[str, object], task: str, waited: float) -> None:
    """Write a line about a task that still runs `waited` seconds after it was cancelled."""
    _problem(TASK_STUCK, app_fields, task=task, waited=waited)


def outbox_not_saved(app_fields: Mapping[str, object], path: str, error: Exception) -> None:
    """Write a line about an outbox whose file at `path` could not be written."""
    _problem(NOT_SAVED, app_fields, path=path, error=str(error))


def outbox_unreadable(app_fields: Mapping[str, object], path: str, error: Exception) -> None:
    """Write a line about an outbox whose file at `path` is damaged behind what was read of it."""
    _problem(UNREADABLE, app_fields, path=path, error=str(error))


def budget_not_saved(app_fields: Mapping[str, object], path: str, error: Exception) -> None:
    """Write a line about a file of a budget that cannot be written: its dials are in memory."""
    _problem(BUDGET_NOT_SAVED, app_fields, path=path, error=error_text(error))


def journal_not_written(app_fields: Mapping[str, object], path: str, error: BaseException) -> None:
    """Write a line: a journal, or the log of `recloser connect`, loses what it is told."""
    _problem(JOURNAL_NOT_WRITTEN, app_fields, path=path, error=error_text(error))


def journal_written(app_fields: Mapping[str, object], path: str, lost: int) -> None:
    """Write a line: it is written again, and says itself that `lost` changes are missing."""
    _line(logging.INFO, JOURNAL_WRITTEN, app_fields, {"path": path, "lost": lost})


def session_limit(
    app_fields: Mapping[str, object], *, age: float, waited: float, quiet: bool
) -> None:
    """Write a line about a connection that is left because of its age, in seconds.

    `waited` are the seconds for which an answer was waited for; `quiet` says whether it came.
    """
    facts = {"age": milliseconds(age), "waited": milliseconds(waited), "quiet": quiet}
    _line(logging.INFO, SESSION_LIMIT, app_fields, facts)


def messages_overdue(app_fields: Mapping[str, object], count: int, after: float) -> None:
    """Write a line about messages that nobody acknowledged within `after` seconds (G7)."""
    _problem(OVERDUE, app_fields, count=count, after=milliseconds(after))


def lease_won(app_fields: Mapping[str, object], key: str, token: int) -> None:
    """Write a line: this engine holds the lease of `key`, with this fencing number."""
    _line(logging.INFO, LEASE_WON, app_fields, {"key": key, "token": token})


def lease_lost(app_fields: Mapping[str, object], key: str, token: int, *, foreign: bool) -> None:
    """Write a warning: the lease is over, because its time is, or because another has it."""
    _line(logging.WARNING, LEASE_LOST, app_fields, {"key": key, "token": token, "foreign": foreign})


def store_unreachable(app_fields: Mapping[str, object], key: str, error: Exception) -> None:
    """Write a line: the store of the fleet gives no answer; one line until it does."""
    _problem(STORE_UNREACHABLE, app_fields, key=key, error=error_text(error))


def store_reached(app_fields: Mapping[str, object], key: str) -> None:
    """Write a line: the store answers again."""
    _line(logging.INFO, STORE_REACHED, app_fields, {"key": key})


def close_rate_unusual(app_fields: Mapping[str, object], facts: Mapping[str, object]) -> None:
    """Write a warning about a rate of closes that is out of the ordinary (I5)."""
    _line(logging.WARNING, RATE_UNUSUAL, app_fields, facts)


def close_rate_usual(app_fields: Mapping[str, object], facts: Mapping[str, object]) -> None:
    """Write a line about such a rate that is usual again."""
    _line(logging.INFO, RATE_USUAL, app_fields, facts)


def _line(
    level: int, event: str, app_fields: Mapping[str, object], fields: Mapping[str, object]
) -> None:
    try:
        write = _writer(level)
        if write is not None:
            write(event, **{**app_fields, **fields})
    except Exception as error:  # noqa: BLE001 - a full disk must not stop the machine
        _unwritten(event, error)


def _writer(level: int) -> Callable[..., object] | None:
    """Return the function that writes a line of this level; None if nobody would see the line."""
    if not structlog.is_configured():
        return partial(_standard, level) if STANDARD.isEnabledFor(level) else None
    configured = structlog.get_config()["wrapper_class"]
    if level < _LEAST.get(configured, 0) and "bind" not in vars(LOGGER):
        return None  # without a logger: to make one costs more than all that is left
    logger = LOGGER.bind()
    if level < _LEAST.get(type(logger), 0):
        return None
    write: Callable[..., object] = getattr(logger, _METHODS[level])
    return write


_KEPT: Final = {"exception": "\n\t"}
"""The control characters that a field of a record may have."""


def _standard(level: int, event: str, **fields: object) -> None:
    """Write a record of the standard library: the event, then each known field as name=value."""
    known = " ".join(
        f"{name}={redact.printable(str(value), keep=_KEPT.get(name, ''))}"
        for name, value in fields.items()
        if not (value is None or (isinstance(value, str) and not value))
    )
    STANDARD.log(level, "%s %s", event, known, extra={"recloser": fields})


def _unwritten(event: str, error: Exception) -> None:
    """Report a line that could not be written to the exception handler of the event loop.

    Outside a loop it goes where the handler of a loop sends it if nobody has set another one.
    """
    message = f"recloser could not log {event}"
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        logging.getLogger("asyncio").exception(message, exc_info=error)
    else:
        loop.call_exception_handler({"message": message, "exception": error})


def _name(who: object) -> str:
    if isinstance(who, str):
        return who
    name = getattr(who, "__qualname__", None)
    return name if isinstance(name, str) else type(who).__qualname__
