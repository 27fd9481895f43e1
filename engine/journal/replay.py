"""Asks another policy what it would have decided at every recorded end, and what it would cost.

The estimate takes each end as it was recorded. What another delay or another dial would have
met on the other side is in no journal, so it is not guessed:

- a longer or shorter delay adds or saves that time; a wait that somebody cut short (a wake,
  `connect()`, `close()`) would have been cut short at the same moment;
- a stop or a rest in the place of a dial saves the dials and loses the open time that
  followed, until the application connected (or, at rest, a wake came); so does a stop in the
  place of a rest;
- a dial in the place of a stop or a rest is one dial more; the time that it might have saved
  is given apart, as nobody knows whether it would have succeeded.
"""

from dataclasses import dataclass, field
from math import isclose
from typing import Final

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Context, Decision, Hold, Policy, Retry, Stop
from recloser.fsm.errors import PolicyError
from recloser.fsm.judge import judge
from recloser.fsm.record import Close
from recloser.fsm.states import State, Trigger
from recloser.journal.lines import JournalEntry

_SAME: Final = 1e-6
"""Seconds, and a share: delays closer than that are the same."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One end that the other policy would have answered otherwise."""

    entry: JournalEntry
    close: Close
    context: Context
    then: Decision
    now: Decision
    problem: PolicyError | None
    """The reason for which the engine would have stopped, if the policy failed."""
    reached: bool
    """False if the other policy had stopped before, so that this end would not have come."""


@dataclass(slots=True)
class _Alternative:
    """One engine as it would have been; times are seconds since the epoch."""

    halted: Decision | None = None
    """The stop or rest of the other policy that is in force."""
    opened: float | None = None
    """The moment at which the generation opened whose time is lost."""
    wait: tuple[float, float, float] | None = None
    """Start of a backoff, its delay, and the delay that it would have had."""
    rested: float | None = None
    """The moment at which a rest or a stop began, where the other policy would have dialled."""
    last: float = 0.0


@dataclass(slots=True)
class Replay:
    """Compares decisions and adds up the differences; keeps memory for each engine alone."""

    policy: Policy
    judged: int = 0
    """Ends that the policy was asked about."""
    without: int = 0
    """Ends that carry no context, as those of a log: nothing can be asked about them."""
    differences: int = 0
    unreached: int = 0
    """Of these, such that would not have come."""
    dials: int = 0
    """Dials more (fewer, if negative) than there were."""
    downtime: float = 0.0
    """Seconds more (fewer, if negative) without a connection."""
    chance: float = 0.0
    """Seconds of rests and stops that a dial might have ended sooner."""
    _tracks: dict[str, _Alternative] = field(default_factory=dict)

    def add(self, entry: JournalEntry) -> Difference | None:
        """Take one entry into account; those of one engine come in order."""
        change = entry.change
        track = self._tracks.setdefault(entry.engine, _Alternative())
        track.last = entry.time
        self._settle(track, entry)
        if change.close is None:
            return None
        if change.context is None or change.decision is None:
            self.without += 1
            return None
        self.judged += 1
        now, problem = judge(self.policy, change.close, change.context)
        if not _differs(change, change.decision, now, failed=problem is not None):
            return None
        self.differences += 1
        reached = track.halted is None
        self.unreached += not reached
        if reached:
            self._weigh(track, entry, change.decision, now)
        return Difference(
            entry, change.close, change.context, change.decision, now, problem, reached
        )

    def finish(self) -> None:
        """Count what was still going on at the last line of the file."""
        last = max((track.last for track in self._tracks.values()), default=0.0)
        for track in self._tracks.values():
            self._end_rest(track, last)
            if track.halted is not None and track.opened is not None:
                self.downtime += last - track.opened
                track.opened = None

    def _settle(self, track: _Alternative, entry: JournalEntry) -> None:
        """Account for what this change ends or, had the policy stopped, would not have been."""
        change = entry.change
        if track.wait is not None:
            start, then, now = track.wait
            track.wait = None
            if change.trigger is not Trigger.RETRY:
                lasted = max(0.0, entry.time - start)
                then, now = min(then, lasted), min(now, lasted)
            self.downtime += now - then
        self._end_rest(track, entry.time)
        if track.halted is None:
            return
        if _ends(track.halted, change.trigger) and change.current is State.CONNECTING:
            track.halted = None
        elif change.current is State.CONNECTING:
            self.dials -= 1
        elif change.current is State.OPEN:
            track.opened = entry.time
        if change.previous is State.OPEN and track.opened is not None:
            self.downtime += max(0.0, entry.time - track.opened)
            track.opened = None

    def _end_rest(self, track: _Alternative, time: float) -> None:
        if track.rested is not None:
            self.chance += max(0.0, time - track.rested)
            track.rested = None

    def _weigh(
        self, track: _Alternative, entry: JournalEntry, then: Decision, now: Decision
    ) -> None:
        if entry.change.close is not None and entry.change.close.intentional:
            return
        if isinstance(then, Retry) and isinstance(now, Retry):
            track.wait = (entry.time, then.delay, now.delay)
        elif isinstance(now, Retry):
            self.dials += 1
            track.rested = entry.time + now.delay
        elif isinstance(then, Retry) or isinstance(now, Stop):
            track.halted = now


def _ends(halt: Decision, trigger: Trigger) -> bool:
    """Whether this would have ended the stop or the rest."""
    return trigger is Trigger.CONNECT or (isinstance(halt, Hold) and trigger is Trigger.WAKE)


def _differs(change: StateChange, then: Decision, now: Decision, *, failed: bool) -> bool:
    """Whether the other decision would have led elsewhere; another rule alone does not.

    Where the application asked for the end, its wish decided, and only the messages remain.
    """
    if failed is not (change.error is not None) or then.unsent is not now.unsent:
        return True
    if change.close is not None and change.close.intentional:
        return False
    if isinstance(then, Retry) and isinstance(now, Retry):
        same = isclose(then.delay, now.delay, rel_tol=_SAME, abs_tol=_SAME)
        return not same or then.refresh is not now.refresh
    return type(then) is not type(now)
