"""The sans-I/O core of a lease: an event and the time go in, effects and one deadline come out.

The core has no clock and does no I/O. What it knows of the time is what it is given with each
event: an `Instant`, read from two clocks. A lease counts from the moment *before* the request for
it was sent, so that the store ends it later than its holder does.

A *candidate* asks the store. A *holder* renews at a third of the time. A holder that is not
certainly the only one is *lost*: its connection ends, and then it is a candidate once more. Who
wants no lease is *released*.
"""

from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from recloser.fleet.store import Grant, Refusal
from recloser.fsm.numbers import check_order, check_seconds

_MARGIN: Final = 0.1
"""The share of a lease that is its margin, where none is given."""
_SHARE: Final = 3
"""A lease is renewed when one part in so many has passed."""
_PATIENCE: Final = 5.0
"""Seconds for an answer of the store at most."""
_SOON: Final = 0.02
"""Seconds after the end of another's lease at which it is asked for."""
_RETRY: Final = 1.0
"""Seconds after a request that failed, at most."""


class LeaseState(Enum):
    """Where one engine stands with its lease."""

    RELEASED = "released"
    """It does not want the lease."""
    CANDIDATE = "candidate"
    """It asks for the lease, and has no connection."""
    HOLDER = "holder"
    """It has the lease, and may have a connection."""
    LOST = "lost"
    """It had the lease; its connection is about to end."""


class Instant(NamedTuple):
    """A moment on both clocks, in seconds.

    The monotonic clock may stand still while the machine sleeps; the wall clock can be set. A
    lease is over when either says so.
    """

    monotonic: float
    wall: float

    def since(self, earlier: "Instant") -> float:
        """Return the seconds since an earlier moment, by the clock that says more."""
        return max(self.monotonic - earlier.monotonic, self.wall - earlier.wall)


class LeaseTimes(NamedTuple):
    """The times of a lease, in seconds."""

    ttl: float
    """The time for which the store grants the lease."""
    margin: float
    """Its connection ends so long before that; in the second half of it nothing is written."""

    @property
    def validity(self) -> float:
        """Return how long after the request a holder may use the lease."""
        return self.ttl - self.margin

    @property
    def writable(self) -> float:
        """Return how long after the request a holder may write a byte, a close frame say."""
        return self.ttl - self.margin / 2

    @property
    def patience(self) -> float:
        """Return how long an answer of the store is waited for."""
        return min(self.ttl / 4, _PATIENCE)

    @property
    def retry(self) -> float:
        """Return the pause after a request that failed."""
        return min(self.ttl / 20, _RETRY)

    @property
    def deference(self) -> float:
        """Return the pause of a candidate that was not answered: the others go first.

        Its requests may arrive. One that hears no answer would get the lease again and again.
        """
        return self.ttl + self.patience


def times_of(ttl: float, margin: float | None) -> LeaseTimes:
    """Check the times of a lease; raises `TypeError` or `ValueError`."""
    check_seconds("ttl", ttl, positive=True)
    if margin is None:
        return LeaseTimes(ttl, ttl * _MARGIN)
    check_seconds("margin", margin, positive=True)
    check_order("margin", margin, "a third of ttl", ttl / _SHARE)
    return LeaseTimes(ttl, margin)


class Campaign(NamedTuple):
    """The engine wants to dial."""


class Quit(NamedTuple):
    """The engine wants no connection any more."""


class Ended(NamedTuple):
    """The connection of a lost lease has ended."""


class News(NamedTuple):
    """The store says that the lease may be free."""


class Passed(NamedTuple):
    """Time has passed."""


class Answered(NamedTuple):
    """The answer to a request; None where it failed."""

    number: int
    answer: Grant | Refusal | bool | None


class Unheard(NamedTuple):
    """No answer came in time. The request may have been carried out, or may yet be."""

    number: int


Event: TypeAlias = Campaign | Quit | Ended | News | Passed | Answered | Unheard


class Acquire(NamedTuple):
    """Ask the store for the lease."""

    number: int
    floor: int
    """The highest fencing number that is known: the next one is higher."""


class Renew(NamedTuple):
    """Ask the store to prolong the lease."""

    number: int
    token: int


class Won(NamedTuple):
    """The lease is held from now on."""

    token: int


class Lose(NamedTuple):
    """End the connection."""

    token: int
    foreign: bool
    """The store says that the lease is another's; else its time is over."""


Effect: TypeAlias = Acquire | Renew | Won | Lose


class LeaseCore:
    """One lease, as one engine sees it."""

    __slots__ = (
        "_again",
        "_deaf",
        "_next",
        "_number",
        "_pending",
        "_sent",
        "floor",
        "owed",
        "state",
        "times",
    )

    def __init__(self, times: LeaseTimes) -> None:
        self.times: LeaseTimes = times
        self.state: LeaseState = LeaseState.RELEASED
        self.floor: int = 0
        """The highest fencing number so far: that of the holder, in that state."""
        self.owed: bool = False
        """Whether the store may believe that this engine holds the lease."""
        self._sent: Instant | None = None
        """When the request was sent by which the lease is held."""
        self._number = 0
        self._pending: Instant | None = None
        """When the request was sent whose answer is awaited."""
        self._next: float | None = None
        """When to ask next, on the monotonic clock."""
        self._again = False
        """Whether there was news while an answer was awaited."""
        self._deaf = False
        """Whether the latest answer did not come."""

    @property
    def token(self) -> int | None:
        """Return the fencing number; None unless held."""
        return self.floor if self.state is LeaseState.HOLDER else None

    @property
    def asking(self) -> bool:
        """Return whether an answer is awaited."""
        return self._pending is not None

    @property
    def deadline(self) -> float | None:
        """Return when `Passed` is to be handled, on the monotonic clock."""
        due = [] if self._next is None or self.asking else [self._next]
        if self.state is LeaseState.HOLDER and self._sent is not None:
            due.append(self._sent.monotonic + self.times.validity)
        return min(due, default=None)

    def valid(self, now: Instant) -> bool:
        """Return whether the lease is held, and certainly nobody else's."""
        return self.state is LeaseState.HOLDER and self._within(self.times.validity, now)

    def writable(self, now: Instant) -> bool:
        """Return whether a connection of the last lease may still write: a close frame, say."""
        return self._within(self.times.writable, now)

    def _within(self, seconds: float, now: Instant) -> bool:
        return self._sent is not None and now.since(self._sent) < seconds

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Handle one event completely; return the effects to perform, in order."""
        found: list[Effect] = []
        if self.state is LeaseState.HOLDER and not self.valid(now):
            found = self._lose(foreign=False)
        match event:
            case Campaign() if self.state is LeaseState.RELEASED:
                self.state = LeaseState.CANDIDATE
                found += self._ask(now)
            case Ended() if self.state is LeaseState.LOST:
                self.state = LeaseState.CANDIDATE
                if self._deaf:
                    self._next = now.monotonic + self.times.deference
                else:
                    found += self._ask(now)
            case Campaign() | News() if self.state is LeaseState.CANDIDATE:
                self._again = self.asking
                found += self._ask(now)
            case Quit():
                self.state = LeaseState.RELEASED
                self._pending = self._next = None
                self._again = False
            case Passed() if self._next is not None and now.monotonic >= self._next:
                found += self._ask(now)
            case Answered(number, answer) if self.asking and number == self._number:
                self._deaf = False
                found += self._answered(answer, now)
            case Unheard(number) if self.asking and number == self._number:
                self._pending, self._deaf = None, True
                held = self.state is LeaseState.HOLDER
                self._next = now.monotonic + (self.times.retry if held else self.times.deference)
        return found

    def _ask(self, now: Instant) -> list[Effect]:
        if self.asking:
            return []
        self._number += 1
        self._pending, self._next = now, None
        if self.state is LeaseState.HOLDER:
            return [Renew(self._number, self.floor)]
        self.owed = True
        return [Acquire(self._number, self.floor)]

    def _answered(self, answer: Grant | Refusal | bool | None, now: Instant) -> list[Effect]:
        sent, self._pending = self._pending, None
        again, self._again = self._again, False
        if answer is None:
            self._next = now.monotonic + self.times.retry
        elif isinstance(answer, Refusal):
            self.owed = False
            wait = min(max(answer.remaining, 0.0), self.times.ttl) + _SOON
            # From the request on: the answer of a store that waits for its replicas is late.
            self._next = now.monotonic if again else (sent or now).monotonic + wait
        elif isinstance(answer, Grant):
            self.floor = max(self.floor, answer.token)
            return self._granted(sent, now)
        elif self.state is not LeaseState.HOLDER:
            self._next = now.monotonic  # a renewal of a lease that is lost by now
        elif answer:
            self._hold(sent)
        else:
            self.owed = False
            return self._lose(foreign=True)
        return []

    def _granted(self, sent: Instant | None, now: Instant) -> list[Effect]:
        if self.state is not LeaseState.CANDIDATE or sent is None:
            return []
        if now.since(sent) >= self.times.validity:
            self._next = now.monotonic  # the answer came too late: ask for another
            return []
        self.state = LeaseState.HOLDER
        self._hold(sent)
        return [Won(self.floor)]

    def _hold(self, sent: Instant | None) -> None:
        if sent is not None:
            self._sent = sent
            self._next = sent.monotonic + self.times.ttl / _SHARE

    def _lose(self, *, foreign: bool) -> list[Effect]:
        self.state, self._next = LeaseState.LOST, None
        return [Lose(self.floor, foreign)]
