"""The actions of a rule: dial again, rest, or end, with the fate of unsent messages."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from recloser.fsm.decisions import (
    Context,
    Decision,
    Hold,
    Session,
    Stop,
    Unsent,
    check_unsent,
    drawn_retry,
)
from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import Close
from recloser.fsm.value import Value, assign
from recloser.policies.backoff import Backoff, Uniform
from recloser.policies.pace import LIMIT, WINDOWS, pace, told

Answer = Callable[[Close, Context], Decision]

AT_ONCE: Final = Uniform(0.0, 1.0)
"""A random moment of the first second: short for one client, and spread for a fleet."""
SOON: Final = Uniform(0.5, 1.5)
"""About one second."""
NOW: Final = Uniform(0.0, 0.0)


_FATES: Final = {
    Unsent.KEEP: "",
    Unsent.DROP: "; drop unsent messages",
    Unsent.DROP_REFUSED: "; drop the refused message",
}


_SESSIONS: Final = {
    None: "",
    Session.RESUME: "; resume the session",
    Session.NEW: "; begin a new session",
}


class Action(ABC):
    """The action of a rule; its `str` describes it in a few words."""

    __slots__ = ()

    @abstractmethod
    def answers(self, rule: str) -> Answer:
        """Make the function that decides in the name of a rule."""


class Redial(Value, Action):
    """To `backoff`: `floor` seconds, and the delay that the backoff draws.

    With `unless_told` a Retry-After replaces the floor.
    """

    __slots__ = __match_args__ = (
        "backoff",
        "floor",
        "refresh",
        "unsent",
        "unless_told",
        "session",
    )

    backoff: Backoff
    floor: float
    refresh: bool
    unsent: Unsent
    unless_told: bool
    session: Session | None

    def __init__(
        self,
        backoff: Backoff = WINDOWS,
        floor: float = 0.0,
        refresh: bool = False,
        unsent: Unsent = Unsent.KEEP,
        unless_told: bool = False,
        session: Session | None = None,
    ) -> None:
        if not isinstance(backoff, Backoff):
            raise TypeError(f"retry() wants a Backoff, not {backoff!r}")
        check_seconds("at_least", floor)
        if not isinstance(unless_told, bool):
            raise TypeError(f"unless_told must be True or False, not {unless_told!r}")
        if unless_told and not floor:
            raise ValueError("unless_told is for a floor: give at_least, too")
        if not (session is None or isinstance(session, Session)):
            raise TypeError(f"session must be Session.RESUME, NEW or None, not {session!r}")
        check_unsent(unsent)
        assign(self, "backoff", backoff)
        assign(self, "floor", floor)
        assign(self, "refresh", refresh)
        assign(self, "unsent", unsent)
        assign(self, "unless_told", unless_told)
        assign(self, "session", session)

    def bound(self) -> float:
        """Return the longest possible delay, in seconds."""
        return max(self.backoff.bound(), 2 * LIMIT) + self.floor + 1.0

    def answers(self, rule: str) -> Answer:
        """Answer `Retry`."""
        backoff, floor = self.backoff, self.floor
        unsent, session = self.unsent, self.session
        if self.refresh:
            return lambda close, context: drawn_retry(
                _refreshing(backoff, floor, close, context), True, rule, unsent, session
            )
        if self.unless_told:
            return lambda close, context: drawn_retry(
                pace(backoff, 0.0 if told(close) else floor, close, context),
                False,
                rule,
                unsent,
                session,
            )
        return lambda close, context: drawn_retry(
            pace(backoff, floor, close, context), False, rule, unsent, session
        )

    def __str__(self) -> str:
        words = f"new credential, {self.backoff}" if self.refresh else f"retry, {self.backoff}"
        if self.floor:
            words += f", at least {self.floor:g} s" + (" unless told" if self.unless_told else "")
        return words + _SESSIONS[self.session] + _fate(self.unsent)


def _refreshing(backoff: Backoff, floor: float, close: Close, context: Context) -> float:
    # Immediate, although the dial before was recent (D4), but never two such dials in a row.
    if context.previous_immediate or close.retry_after is not None or floor:
        return pace(backoff, floor, close, context)
    return 0.0


class Halt(Value, Action):
    """To `passive` or to `closed`."""

    __slots__ = __match_args__ = ("decision", "unsent")

    decision: type[Hold] | type[Stop]
    unsent: Unsent

    def __init__(
        self, decision: type[Hold] | type[Stop] = Stop, unsent: Unsent = Unsent.KEEP
    ) -> None:
        check_unsent(unsent)
        assign(self, "decision", decision)
        assign(self, "unsent", unsent)

    def answers(self, rule: str) -> Answer:
        """Answer `Hold` or `Stop`."""
        answer = self.decision(rule, self.unsent)
        return lambda _close, _context: answer

    def __str__(self) -> str:
        return ("stop" if self.decision is Stop else "hold") + _fate(self.unsent)


def _fate(unsent: Unsent) -> str:
    return _FATES[unsent]


def retry(
    backoff: Backoff = WINDOWS,
    *,
    at_least: float = 0.0,
    unless_told: bool = False,
    unsent: Unsent = Unsent.KEEP,
    session: Session | None = None,
) -> Redial:
    """Dial again after `at_least` seconds, and the delay that the backoff draws.

    Where the server gives a Retry-After, the dial comes no earlier than both. With `unless_told`
    the Retry-After alone counts, and `at_least` only where there is none. `session` tells the
    application to resume its session or to begin a new one.
    """
    return Redial(backoff, floor=at_least, unless_told=unless_told, unsent=unsent, session=session)


def retry_after(seconds: float, *, unsent: Unsent = Unsent.KEEP) -> Redial:
    """Dial again after exactly so many seconds: unfit for an end that hits a whole fleet."""
    return Redial(Uniform(seconds, seconds), unsent=unsent)


def refresh_then_retry(*, at_least: float = 0.0, unsent: Unsent = Unsent.KEEP) -> Redial:
    """Ask the provider for a new credential, then dial at once (E3).

    The rule should want `can_refresh=True, refreshed=False`: once per streak.
    """
    return Redial(NOW, floor=at_least, refresh=True, unsent=unsent)


def hold(*, unsent: Unsent = Unsent.KEEP) -> Halt:
    """Rest in `passive` until the application connects, or a hint comes."""
    return Halt(Hold, unsent)


def stop(*, unsent: Unsent = Unsent.KEEP) -> Halt:
    """End in `closed`."""
    return Halt(Stop, unsent)
