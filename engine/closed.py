"""The error of a call that an engine in `closed` cannot serve: what ended it, and why."""

from recloser import redact
from recloser.change_line import error_text
from recloser.fsm.change import StateChange
from recloser.fsm.errors import ConnectionClosed, PolicyError
from recloser.fsm.record import Close


def closed_error(change: StateChange | None) -> ConnectionClosed | PolicyError:
    """Make the error; `change` led to `closed`, None if the engine has never left it.

    A `PolicyError` is copied: each raising adds to the traceback of its own exception.
    """
    failed = None if change is None else change.error
    if isinstance(failed, PolicyError):
        copy = PolicyError(failed.close, failed.context, failed.answer, failed.problem)
        copy.__cause__ = failed.__cause__
        return copy
    close = None if change is None else change.close
    if close is None:
        return ConnectionClosed(change)
    error = ConnectionClosed(change, details(close))
    error.__cause__ = close.error
    return error


def details(close: Close) -> str:
    """Return what a record says of an end besides numbers, as one line with secrets redacted.

    The peer's reason, the beginning of the body of a refused upgrade, the exception behind it.

    >>> details(Close.frame(4401, "token=abc has expired"))
    "'token=*** has expired'"
    """
    said = [repr(redact.text(text)) for text in (close.reason, close.body) if text]
    if close.error is not None:
        said.append(error_text(close.error))
    return " ".join(", ".join(said).split())
