"""Patterns in a journal that most often show a fault: loops, flapping, repeats, many 1000s."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from recloser.fsm.closecodes import NORMAL
from recloser.fsm.record import Close, Origin
from recloser.fsm.states import State
from recloser.fsm.timeouts import STABLE
from recloser.journal.lines import JournalEntry

LOOP_DIALS: Final = 10
LOOP_SECONDS: Final = 10.0
"""So many dials of one engine in so many seconds are a loop: each hits the server anew."""
FLAPS: Final = 5
"""So many generations in a row that opened and ended at once are flapping."""
REPEATS: Final = 5
"""So many ends in a row that are alike: waiting alone does not help."""
NORMALS: Final = 5
NORMAL_SHARE: Final = 0.2
"""A peer that ends with 1000 says that all is done; more of these are out of the ordinary."""


@dataclass(slots=True)
class Suspicion:
    """A pattern that was seen. `first` is in seconds since the epoch, of its first sighting."""

    pattern: str
    text: str
    """Its meaning, in a sentence with the figures of the worst sighting."""
    times: int
    first: float
    engine: str
    """The engine in which it was seen first."""
    worst: float
    """The figure in the text, to tell a worse sighting."""


@dataclass(slots=True)
class _EngineRuns:
    """The last dials of one engine, and its runs of short generations and of equal ends."""

    dials: deque[float] = field(default_factory=lambda: deque(maxlen=LOOP_DIALS))
    looping: bool = False
    flaps: int = 0
    repeats: int = 0
    alike: tuple[object, ...] | None = None


class Suspicions:
    """Finds patterns in entries as they come; keeps memory for each engine alone."""

    def __init__(self) -> None:
        self._found: dict[str, Suspicion] = {}
        self._tracks: dict[str, _EngineRuns] = {}
        self._ends = 0
        self._normals = 0
        self._first_normal: JournalEntry | None = None

    def add(self, entry: JournalEntry) -> None:
        """Take one entry into account; those of one engine come in order."""
        track = self._tracks.setdefault(entry.engine, _EngineRuns())
        if entry.change.current is State.CONNECTING:
            self._dialled(entry, track)
        close = entry.change.close
        if close is not None:
            self._ended(entry, track, close)
        if entry.change.error is not None:
            self._see(
                "policy error", f"the policy failed: {entry.change.error}", entry, new=True, worst=0
            )

    def found(self) -> list[Suspicion]:
        """Return what was seen, in the order of first sightings."""
        found = list(self._found.values())
        first, share = self._first_normal, self._normals / max(self._ends, 1)
        if first is not None and self._normals >= NORMALS and share > NORMAL_SHARE:
            text = (
                f"{self._normals} of {self._ends} ends of open connections ({share:.0%}) were a "
                "1000 from the peer: does it log us out, or is an error reported as success?"
            )
            sight = Suspicion("many 1000s", text, self._normals, first.time, first.engine, share)
            found.append(sight)
        return sorted(found, key=lambda each: each.first)

    def _dialled(self, entry: JournalEntry, track: _EngineRuns) -> None:
        track.dials.append(entry.time)
        span = entry.time - track.dials[0]
        looping = len(track.dials) == LOOP_DIALS and 0 <= span <= LOOP_SECONDS
        if looping:
            text = f"{LOOP_DIALS} dials within {span:.1f} s: what asks for them so fast?"
            self._see("dial loop", text, entry, new=not track.looping, worst=-span)
        track.looping = looping

    def _ended(self, entry: JournalEntry, track: _EngineRuns, close: Close) -> None:
        uptime, context = entry.change.uptime, entry.change.context
        stable = STABLE if context is None else context.stable_after
        if close.intentional or (uptime is not None and uptime >= stable):
            track.flaps = track.repeats = 0
            track.alike = None
        if close.intentional:
            return
        if uptime is not None:
            self._ends += 1
            if close.code == NORMAL and close.origin is Origin.PEER:
                self._normals += 1
                self._first_normal = self._first_normal or entry
            if uptime < stable:
                track.flaps += 1
                if track.flaps >= FLAPS:
                    text = (
                        f"{track.flaps} connections in a row opened and ended within {stable:g} s:"
                        " is the peer accepting what it then refuses?"
                    )
                    new = track.flaps == FLAPS
                    self._see("flapping", text, entry, new=new, worst=track.flaps)
        alike = (close.code, close.origin, close.cause, close.status)
        track.repeats = track.repeats + 1 if alike == track.alike else 1
        track.alike = alike
        if track.repeats >= REPEATS:
            status = "" if close.status is None else f", status {close.status}"
            text = (
                f"the same end {track.repeats} times in a row: code {close.code}{status}, "
                f"{close.cause.value} by {close.origin.value}"
            )
            new = track.repeats == REPEATS
            self._see("same end repeated", text, entry, new=new, worst=track.repeats)

    def _see(
        self, pattern: str, text: str, entry: JournalEntry, *, new: bool, worst: float
    ) -> None:
        seen = self._found.get(pattern)
        if seen is None:
            self._found[pattern] = Suspicion(pattern, text, 1, entry.time, entry.engine, worst)
            return
        seen.times += new
        if worst > seen.worst:
            seen.text, seen.worst = text, worst
