"""The base of all errors of recloser, and those of the machine; each carries its facts.

Other rooms have their own: `transport/errors.py`, `driver/loop.py`, `providers.py` and
`outbox/errors.py` of the engine. All are `RecloserError`s, and at the top of `recloser`.

RecloserError
 +-- IllegalTrigger     a driver fired what the table does not have
 +-- PolicyError        a policy raised or gave an answer that is none
 +-- ConnectionClosed   the engine is in closed
"""

from typing import TYPE_CHECKING, TypeVar

from recloser.fsm.states import State, Trigger

if TYPE_CHECKING:
    from recloser.fsm.change import StateChange
    from recloser.fsm.decisions import Context
    from recloser.fsm.record import Close

E = TypeVar("E", bound=BaseException)


class RecloserError(Exception):
    """Base of every error that recloser raises on its own account."""

    def __repr__(self) -> str:
        """Show the text: the records among the arguments have what the peer said, unmasked."""
        return f"{type(self).__name__}({str(self)!r})"


class IllegalTrigger(RecloserError):
    """A trigger that the table has no row for: a bug in a driver. Nothing has changed."""

    def __init__(self, state: State, trigger: Trigger) -> None:
        super().__init__(state, trigger)
        self.state = state
        self.trigger = trigger

    def __str__(self) -> str:
        return f"no row for {self.trigger.value} in {self.state.value}: see fsm/table.py"


class PolicyError(RecloserError):
    """A policy raised, or its answer was not valid for this end; the engine is closed.

    The policy's own exception, if it raised one, is the `__cause__`.
    """

    def __init__(self, close: "Close", context: "Context", answer: object, problem: str) -> None:
        super().__init__(close, context, answer, problem)
        self.close = close
        self.context = context
        self.answer = answer
        self.problem = problem

    def __str__(self) -> str:
        return f"the policy {self.problem} for close {self.close.code}: fix it, then connect()"


class ConnectionClosed(RecloserError):
    """The engine is in `closed`; `change` led there, None if it never left `closed`.

    The exception behind the end, if the record has one (of `on_open`, of a provider, of the
    transport), is the `__cause__`. `details` is what the text says of it and of what the peer
    said, secrets redacted.
    """

    def __init__(self, change: "StateChange | None", details: str = "") -> None:
        super().__init__(change, details)
        self.change = change
        self.details = details

    @property
    def close(self) -> "Close | None":
        """The record of the end; None if there was no connection or dial to end."""
        return None if self.change is None else self.change.close

    @property
    def code(self) -> int | None:
        """The close code of that record, None without a record."""
        return None if self.close is None else self.close.code

    def __str__(self) -> str:
        change, close = self.change, self.close
        if change is None:
            return "not connected yet: call connect(), or use 'async with'"
        if close is None:
            return (
                f"closed by {change.trigger.value} in {change.previous.value}; "
                "connect() starts afresh"
            )
        rule = f", rule {change.rule}" if change.rule else ""
        status = "" if close.status is None else f", status {close.status}"
        details = f": {self.details}" if self.details else ""
        return (
            f"closed: code {close.code} from {close.origin.value} "
            f"({close.cause.value}{status}{rule}){details}; connect() starts afresh"
        )


def bare(error: E) -> E:
    """Strip an error that a record will keep, and the errors among its arguments.

    Traceback, cause and context are removed: they would keep frames alive with the record.
    """
    left: list[BaseException] = [error]
    seen = set[int]()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = each.__context__ = each.__cause__ = None
        left += [inner for inner in each.args if isinstance(inner, BaseException)]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
    return error
