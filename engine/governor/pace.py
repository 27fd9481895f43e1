"""The pace at which those who waited for a host dial once it is back.

Nobody knows what a host that has just come back can take, so the pace is searched for, as TCP
searches for the capacity of a path (RFC 5681). It begins low and at most doubles each second, and
besides a dial begins whenever fewer are under way than the *congestion window* holds. The window
begins with a thousandth of the crowd and grows with each dial that opens, so by the round trips of
the host. While dials stand in a queue at the host it is full: nothing grows, the pace is below what
the host takes, and the window shrinks, so that the queue drains (as in RFC 6817). The first refusal
ends the search: the pace becomes what the host has been seen to take, and follows the host from
then on. A refusal lowers it, a dial that opens raises it a little.

With a ramp below `RAMP` there is no window, and the pace grows by no more than the ramp in a
second, also after a refusal. A host that holds a second of its work and answers at once all the
same has filled it when the pace is x times what it takes, with x - 1 - ln x = ln ramp: 2.7 times at
a ramp of 2, 1.45 times at 1.08.
"""

from math import inf
from typing import Final

from recloser.governor.ceiling import Ceiling
from recloser.governor.dial_times import DialTimes
from recloser.governor.intake import BACKLOG, Intake, IntakeMeter

_SLOWEST: Final = 2.0
"""Dials per second with which a return begins at least."""
_FULL_RETURN: Final = 180.0
"""Seconds over which those who wait are spread, before the host has shown what it can take."""
RAMP: Final = 2.0
"""The greatest growth of the pace in a second, until the host refuses a dial."""
_WINDOW: Final = 0.001
"""Share of the crowd that the congestion window holds when the return begins; at least one dial.
A ramp below `RAMP` has no window: a single dial at a time is 20 a second at a host that answers in
50 ms, whatever the pace."""
_GAIN: Final = 0.2
"""A dial that opens widens the window by this, so a window of dials that open widens it by this
share."""
_DRAIN: Final = 0.8
"""Share of what the host takes that the pace is at most while dials stand in a queue."""
_SHRINK: Final = 0.05
"""A dial that stood in a queue makes the window smaller by this."""
_LEAST: Final = 0.25
"""Dials per second at which the pace falls no further."""
_RAISE: Final = 0.1
"""A dial that opens raises the pace by this share, once the host has refused one."""
_REGAIN: Final = 1.05
"""The growth in a second that such a pace may have at least, whatever the ramp."""
_LOWER: Final = 0.3
"""A dial that is refused lowers the pace by this share, and to no less than what this share leaves
of the pace at which it began: dials that fail late tell of what has been drawn from already."""
_COARSE: Final = 2.5
"""Dials per second up to which these shares hold. A faster pace changes by less at each dial."""
_ROW: Final = 6
"""After so many dials in a row that open, and three seconds of them at least, the host has room
again, and the share grows."""
_FALL: Final = 0.5
"""What is found to be less than this share of what was known counts as this share of it."""
_FEW: Final = 10
"""Dials that may always be in flight by the rate."""
_IN_FLIGHT: Final = 10.0
"""Seconds of the pace that may be in flight after the search: a slow host gets no more."""


class Pace:
    """Dials per second at one host after its return, and dials at a time while it searches."""

    __slots__ = (
        *("_at", "_fixed", "_least", "_marks", "_meter", "_opened", "_ramp", "_row", "_search_end"),
        *("_started", "_times", "ceiling", "rate", "window"),
    )

    def __init__(self, rate: float, now: float, ramp: float = RAMP) -> None:
        """Begin with what the host or the operator has said: it does not grow by itself."""
        self.rate: float = rate
        self._fixed = True
        self.window: float = 0.0
        """The congestion window: so many dials may be under way, whatever the rate."""
        self._ramp = ramp
        self._least = _LEAST
        """Dials per second with which the search ends at least."""
        self._times: DialTimes | None = None
        """How long the dials of a search with a window take."""
        self._started = 0
        """How many of the crowd had opened before."""
        self._search_end: float | None = None
        """When the search ended; None: the host has refused nothing yet."""
        self._row = 0
        """Dials that have opened since one was refused."""
        self._at = now
        self._opened = 1
        """Dials that opened in the search, with the one that began the return."""
        self._marks = [(now, 0)]
        """Moments, and how many had opened before: one each time their number has doubled."""
        self._meter: IntakeMeter | None = None
        """What opens after the end of a search."""
        self.ceiling: Ceiling | None = None
        """The most that this return may have; None: nothing is known of the host."""

    @classmethod
    def search(
        cls,
        crowd: int,
        now: float,
        ramp: float = RAMP,
        known: Intake | None = None,
        started: int = 0,
    ) -> "Pace":
        """Begin a search for the pace of a host, for a crowd of so many engines.

        `known`: what the host took in an earlier return. `started`: so many of the crowd opened
        before the host went down.
        """
        pace = cls(max(crowd / _FULL_RETURN, _SLOWEST), now, ramp)
        pace._fixed = False
        pace._started = started
        pace._least = max(crowd / _FULL_RETURN, _LEAST)
        if ramp >= RAMP:
            pace.window = max(crowd * _WINDOW, 1.0)
            pace._times = DialTimes()
        if known is not None:
            pace.ceiling = Ceiling(known, crowd, now)
            pace.rate = min(pace.rate, pace.ceiling.known)
            pace._least = min(pace._least, pace.ceiling.known)
        return pace

    def intake(self) -> Intake | None:
        """Return what the host takes, as this return has found; None: it has found nothing new."""
        meter, ceiling = self._meter, self.ceiling
        opened = self._started + (self._opened if meter is None else meter.opened)
        if meter is not None and (found := meter.rate) is not None:
            least = 0.0 if ceiling is None else _FALL * ceiling.known
            return Intake(max(found, least), opened, meter.found_at)
        if ceiling is not None and self.rate > ceiling.known:
            return Intake(self.rate, opened, ceiling.found_at)
        return None

    def is_full(self, under_way: int, now: float) -> bool:
        """Whether so many dials are under way that none may begin by the rate."""
        if under_way < _FEW:
            return False
        if self._search_end is None and not self._fixed:
            return under_way >= 2 * self._seen(now, under_way / 2) * BACKLOG
        return under_way >= self.rate * _IN_FLIGHT

    def at_least(self, rate: float) -> None:
        """Go as fast as the host asks for, unless it has refused a dial."""
        if self._search_end is None:
            self.rate = max(self.rate, rate)
            self.ceiling = None

    def opened(self, now: float, began: float, under_way: int) -> None:
        """Go on, or faster: a dial has opened that began then, one of so many under way."""
        if self._search_end is None:
            if not self._fixed:
                self._grow(now, now - began, under_way)
            return
        if self._meter is not None:
            self._meter.count(now, began)
        self._row += 1
        passed = now - self._at
        room = max(1.0, self._row / max(_ROW, 3 * self.rate))
        share = _RAISE * room * min(1.0, _COARSE / self.rate)
        growth = (1 + share) ** min(max(passed, 1.0), 10.0)
        if self._ramp < RAMP:
            growth = min(growth, max(self._ramp, _REGAIN) ** passed)
        self.rate *= growth
        self._stay_below(now)
        self._at = now

    def refused(self, now: float, began: float, rate: float) -> None:
        """Go slower: a dial has failed that began then, while the pace was that rate.

        One of another process began at -infinity.
        """
        if self._meter is not None and began > -inf:
            self._meter.refused(now, began)
        if self._search_end is None:
            self._search_end = now
            self.window = 0.0
            if not self._fixed:
                self._follow(now, began)
                return
        elif began <= self._search_end:
            return  # it began in the search, whose end has lowered the pace
        if self.ceiling is not None:
            self.ceiling.reached(now)
        self._row = 0
        self._at = now
        lowered = self.rate * (1 - _LOWER * min(1.0, _COARSE / self.rate) ** 0.5)
        self.rate = max(_LEAST, lowered, min(self.rate, rate * (1 - _LOWER)))

    def _follow(self, now: float, began: float) -> None:
        """Let the pace be what the host has been seen to take, and count what it takes."""
        self._meter = IntakeMeter(self._opened, self._seen(self._at), now, began)
        self.rate = max(self._least, self._seen(now))
        self._at = now
        if self.ceiling is not None:
            self.ceiling.reached(now, self.rate)

    def _stay_below(self, now: float) -> None:
        if self.ceiling is not None:
            self.rate = min(self.rate, self.ceiling.at(now))

    def _grow(self, now: float, took: float, under_way: int) -> None:
        passed, self._at = min(now - self._at, 1.0), now
        self._opened += 1
        if self._opened >= 2 * self._marks[-1][1]:
            self._marks.append((now, self._opened))
        takes = None if self._times is None else self._times.opened(now, took)
        if takes is not None:
            self.rate = min(self.rate, max(_DRAIN * takes, _LEAST))
            self.window = max(self.window - _SHRINK, 1.0)
            if self.ceiling is not None:
                self.ceiling.reached(now, self._seen(now))
            return
        self.rate *= self._ramp**passed
        self._stay_below(now)
        if self.window and under_way >= self.window / 2:
            self.window += _GAIN

    def _seen(self, now: float, enough: float = inf) -> float:
        """Return the dials per second that the host has taken, even if it held a backlog.

        The look at its dials ends where more than `enough` have been seen.
        """
        opened, seen = self._opened, 0.0
        for at, before in self._marks:
            seen = max(seen, (opened - before) / (now - at + BACKLOG))
            if seen > enough:
                break
        return seen
