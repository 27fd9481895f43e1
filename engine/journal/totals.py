"""Totals over the entries of a journal: what happened how often, for how long, the longest wait."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from recloser.fsm.states import State, Trigger
from recloser.journal.lines import JournalEntry
from recloser.statistics.kinds import EndKind, end_kind


class WaitingTime(NamedTuple):
    """A time without a connection that somebody wanted. Times are seconds since the epoch."""

    since: float
    until: float
    engine: str
    outcome: State
    """Open, or where it was given up: passive, closing or closed."""

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return self.until - self.since


@dataclass(slots=True)
class _EngineTimes:
    """The last change of one engine, and since when it waits for a connection."""

    time: float
    state: State
    waiting: float | None = None


@dataclass(slots=True)
class Totals:
    """Adds up entries; keeps memory for each engine, rule and kind of end alone.

    Durations are differences of time stamps; where a clock was set back, the duration is 0.
    """

    first: float | None = None
    last: float | None = None
    dials: int = 0
    opens: int = 0
    undelivered: int = 0
    gave_up: int = 0
    """Changes with `StateChange.gave_up`: ends in closed that the application did not ask for."""
    breaks: int = 0
    """Changes that do not start where the one before ended: lines are missing, a process was
    killed, or several engines have one name."""
    seconds: dict[State, float] = field(default_factory=lambda: dict.fromkeys(State, 0.0))
    """Time spent in each state, over all engines."""
    ends: Counter[EndKind] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    longest_wait: WaitingTime | None = None
    longest_delay: float | None = None
    """The longest delay that a policy asked for, in seconds."""
    _tracks: dict[str, _EngineTimes] = field(default_factory=dict)

    @property
    def downtime(self) -> float:
        """Seconds in connecting and backoff: wanted, and not there."""
        return self.seconds[State.CONNECTING] + self.seconds[State.BACKOFF]

    @property
    def engines(self) -> Counter[State]:
        """In which states the engines are left at the end."""
        return Counter(track.state for track in self._tracks.values())

    def add(self, entry: JournalEntry) -> None:
        """Take one entry into account; those of one engine come in order."""
        change, now = entry.change, entry.time
        self.first = now if self.first is None else min(self.first, now)
        self.last = now if self.last is None else max(self.last, now)
        track = self._tracks.get(entry.engine)
        if track is None:
            track = self._tracks[entry.engine] = _EngineTimes(now, change.previous)
        elif track.state is not change.previous:
            self.breaks += 1
            track.waiting = None
        else:
            self.seconds[track.state] += max(0.0, now - track.time)
        track.time, track.state = now, change.current
        self._count(entry)
        self._wait(entry, track)

    def _count(self, entry: JournalEntry) -> None:
        change = entry.change
        self.dials += change.current is State.CONNECTING
        self.opens += change.current is State.OPEN
        self.undelivered += change.undelivered
        if change.delay is not None:
            self.longest_delay = max(change.delay, self.longest_delay or 0.0)
        self.gave_up += change.gave_up
        close = change.close
        if close is not None:
            self.ends[end_kind(close)] += 1
            self.rules[change.rule] += 1

    def _wait(self, entry: JournalEntry, track: _EngineTimes) -> None:
        change = entry.change
        if change.current in (State.CONNECTING, State.BACKOFF):
            # A wish begins a wait, and so does a loss; a dial after a backoff goes on with one.
            if track.waiting is None and change.trigger is not Trigger.RETRY:
                track.waiting = entry.time
            return
        if track.waiting is not None:
            wait = WaitingTime(track.waiting, entry.time, entry.engine, change.current)
            if self.longest_wait is None or wait.seconds > self.longest_wait.seconds:
                self.longest_wait = wait
        track.waiting = None
