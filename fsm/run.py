"""The memory of one run of failures: from one stable period to the next."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from recloser.fsm.decisions import (
    ALONE,
    MIN_GAP,
    Context,
    Decision,
    Host,
    Phase,
    Retry,
    earliest_dial,
)
from recloser.fsm.errors import PolicyError
from recloser.fsm.record import Cause, Close
from recloser.fsm.timeouts import STABLE
from recloser.fsm.value import parameters

REFUSALS_FORGOTTEN: Final = 3600.0
"""Seconds: a generation that lasted this long before we refused a frame begins a new row (B16)."""

_REFUSED: Final = frozenset({Cause.BUDGET, Cause.LEASE})
"""The causes of a dial that was not made, since it is not allowed."""


class Run:
    """Counters and moments of one run; replaced, never reset, when the failures are forgotten."""

    __slots__ = (
        "alike",
        "attempt",
        "busy",
        "denied_since",
        "dialled_at",
        "ended_at",
        "immediate",
        "last_delay",
        "last_roll",
        "move_from",
        "opened_at",
        "proven",
        "refresh_next",
        "refreshed",
        "refusal",
        "refusals",
        "since",
        "spread",
        "streak",
        "waited",
    )

    def __init__(
        self,
        since: float | None = None,
        attempt: int = 0,
        streak: int = 0,
        alike: tuple[object, ...] | None = None,
        refreshed: bool = False,
        refresh_next: bool = False,
        last_delay: float | None = None,
        last_roll: float | None = None,
        busy: int = 0,
        spread: float | None = None,
        immediate: bool = False,
        ended_at: float | None = None,
        dialled_at: float = 0.0,
        opened_at: float | None = None,
        move_from: float = 0.0,
        proven: bool = False,
        denied_since: float | None = None,
        refusal: tuple[object, ...] | None = None,
        waited: float = 0.0,
        refusals: int = 0,
    ) -> None:
        self.since: float | None = since
        """The moment it began: its first dial by `connect()`, or its first failure."""
        self.attempt: int = attempt
        self.streak: int = streak
        self.alike: tuple[object, ...] | None = alike
        """The facts that the ends of the present streak have in common."""
        self.refreshed: bool = refreshed
        self.refresh_next: bool = refresh_next
        self.last_delay: float | None = last_delay
        self.last_roll: float | None = last_roll
        self.busy: int = busy
        self.spread: float | None = spread
        self.immediate: bool = immediate
        self.ended_at: float | None = ended_at
        self.dialled_at: float = dialled_at
        self.opened_at: float | None = opened_at
        self.move_from: float = move_from
        """The earliest moment of the next move, which the policy set when a successor failed."""
        self.proven: bool = proven
        """The present generation became stable."""
        self.denied_since: float | None = denied_since
        """When the present row of `Close.denied` dials began."""
        self.refusal: tuple[object, ...] | None = refusal
        """What we refused of the peer's last, if the latest generation ended by that."""
        self.waited: float = waited
        """Seconds for which the present dial waited for a permit."""
        self.refusals: int = refusals
        """How many generations in a row ended by it; a stable period does not end the row."""

    def lost(
        self,
        close: Close,
        now: float,
        decide: Callable[[Close, Context], Decision],
        *,
        roll: float,
        can_refresh: bool,
        stable_after: float = STABLE,
        been_open: bool = False,
        host: Host = ALONE,
        budget_in: float = 0.0,
        left: bool = False,
        planned: bool = False,
    ) -> tuple[Context, Decision]:
        """Count the end of a generation, ask `decide`, and keep the facts that the answer sets.

        Every caller that asks a policy uses this: the core, and the tools that play a run of
        failures in fast motion. An intentional end does not count as a failure, unless the
        application `left` a generation for another before it was stable, and not as `planned`;
        nor does a dial that the budget or the lease refused, nor the end of a lease.
        """
        context = self.question(
            close,
            now,
            left=left,
            planned=planned,
            can_refresh=can_refresh,
            roll=roll,
            stable_after=stable_after,
            been_open=been_open,
            host=host,
            budget_in=budget_in,
        )
        decision = decide(close, context)
        self.ended(decision, now, roll)
        return context, decision

    def question(
        self, close: Close, now: float, *, left: bool = False, planned: bool = False, **facts: Any
    ) -> Context:
        """Count the end of a generation; return the context in which a policy is asked about it.

        `facts` are those of `context`. What the answer sets is kept by `ended`.
        """
        refused = close.cause in _REFUSED
        if not (close.intentional or refused):
            self.failed(close, now)
        elif left:
            self._left(planned=planned)
        context = self.context(now, **facts)
        return context._replace(attempt=max(context.attempt, 1)) if refused else context

    def memory(self) -> tuple[Any, ...]:
        """Return what `Run` takes to make one with the same memory."""
        found: tuple[Any, ...] = _memory(self)
        return found

    def copy(self) -> "Run":
        """Return a run with the same memory, to count in."""
        return Run(*self.memory())

    def stable(self) -> "Run":
        """Return the run that begins in the open generation when the failures are forgotten."""
        return Run(
            opened_at=self.opened_at,
            dialled_at=self.dialled_at,
            proven=True,
            refusal=self.refusal,
            refusals=self.refusals,
        )

    def uptime(self, now: float) -> float | None:
        """Seconds since the generation opened, None if it did not."""
        return None if self.opened_at is None else now - self.opened_at

    def failed(self, close: Close, now: float) -> None:
        """Count one end that is not intentional."""
        alike = (close.code, close.origin, close.cause, close.status)
        if alike == self.alike:
            self.streak += 1
        else:
            self.alike, self.streak, self.refreshed = alike, 1, False
        self.attempt += 1
        if close.busy:
            self.busy += 1
        if close.spread is not None:
            self.spread = close.spread
        if self.since is None:
            self.since = now
        if not close.denied:
            self.denied_since = None
        elif self.denied_since is None:
            self.denied_since = now
        if self.opened_at is not None:
            self._refused(close, now - self.opened_at)
        elif close.sent_code is not None and close.refusal is not None:
            self._refused(close, 0.0)  # the frame came before `on_open` had returned

    def _left(self, *, planned: bool) -> None:
        self.refusal, self.refusals = None, 0
        if self.opened_at is not None and not self.proven and not planned:
            self.attempt += 1

    def _refused(self, close: Close, uptime: float) -> None:
        """Count the generations in a row that ended because we refused the same of the peer."""
        refusal = close.refusal
        again = refusal is not None and refusal == self.refusal and uptime < REFUSALS_FORGOTTEN
        self.refusals = self.refusals + 1 if again else int(refusal is not None)
        self.refusal = refusal

    def context(
        self,
        now: float,
        *,
        can_refresh: bool,
        roll: float,
        stable_after: float = STABLE,
        been_open: bool = False,
        host: Host = ALONE,
        budget_in: float = 0.0,
    ) -> Context:
        """Return the context of a policy at the end of a generation."""
        uptime = self.uptime(now)
        return Context(
            phase=Phase.DIAL if uptime is None else Phase.OPEN,
            attempt=self.attempt,
            uptime=uptime,
            elapsed=0.0 if self.since is None else now - self.since,
            since_dial=now - self.dialled_at,
            last_delay=self.last_delay,
            last_roll=self.last_roll,
            previous_immediate=self.immediate,
            busy=self.busy,
            spread=self.spread,
            streak=self.streak or 1,
            refusals=self.refusals,
            been_open=been_open,
            denied_for=0.0 if self.denied_since is None else now - self.denied_since,
            engines=host.engines,
            outage=host.outage,
            crowded=host.crowded,
            budget_in=budget_in,
            refreshed=self.refreshed,
            can_refresh=can_refresh,
            roll=roll,
            stable_after=stable_after,
        )

    def ended(self, decision: Decision, now: float, roll: float) -> None:
        """Keep the facts that the next dial and the next context need."""
        self.ended_at, self.opened_at = now, None
        if isinstance(decision, Retry):
            self.last_delay, self.last_roll = decision.delay, roll
            self.refresh_next = decision.refresh
            self.refreshed = self.refreshed or decision.refresh

    def earliest(self, now: float) -> float:
        """Return the earliest moment of a dial that a hint or a `Reconnect` asked for (D4)."""
        return earliest_dial(
            now, dialled_at=self.dialled_at, ended_at=self.ended_at, immediate=self.immediate
        )

    def successor_lost(
        self,
        close: Close,
        now: float,
        judge: Callable[[Close, Context], tuple[Decision, PolicyError | None]],
        **facts: Any,
    ) -> tuple["Run", Decision, PolicyError | None]:
        """Return the run in which a successor has failed, the decision, and the policy's failure.

        It counts as a failed dial. The open connection goes on, and keeps what is its own.
        """
        run = self.copy()
        run.opened_at = None
        context = run.question(close, now, **facts)
        decision, problem = judge(close, context)
        run.ended(decision, now, context.roll)
        run.opened_at, run.ended_at = self.opened_at, self.ended_at
        if isinstance(decision, Retry):
            run.move_from = now + decision.delay
        return run, decision, problem

    def dialling(self, start: float) -> bool:
        """Keep the start of a dial; return whether it needs a new credential."""
        self.proven = False
        refresh, self.refresh_next = self.refresh_next, False
        self.immediate = self.ended_at is not None and start < self.ended_at + MIN_GAP
        self.dialled_at, self.waited = start, 0.0
        return refresh

    def wait(self, now: float) -> None:
        """Count the time until `now` as a wait: the dial begins now, or later."""
        self.waited += now - self.dialled_at
        self.immediate = self.ended_at is not None and now < self.ended_at + MIN_GAP
        self.dialled_at = now


_memory: Final = attrgetter(*parameters(Run.__init__))
