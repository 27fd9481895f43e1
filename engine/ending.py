"""How the end of an engine looks to those who still ask it for messages."""

from recloser.fsm.change import StateChange
from recloser.fsm.errors import ConnectionClosed, PolicyError
from recloser.fsm.states import State, Trigger


def error_of(change: StateChange | None) -> ConnectionClosed | PolicyError:
    """Make the error to raise in `closed`: new each time, since raising adds to it."""
    error = None if change is None else change.error
    if not isinstance(error, PolicyError):
        return ConnectionClosed(change)
    fresh = PolicyError(error.close, error.context, error.answer, error.problem)
    fresh.__cause__ = error.__cause__
    return fresh


def quiet(change: StateChange) -> bool:
    """Whether iteration just ends: only `close()` ended it, and no policy failed on the way."""
    if change.current is not State.CLOSED or change.error is not None:
        return False
    return change.trigger is Trigger.CLOSE or (
        change.close is not None and change.close.intentional
    )
