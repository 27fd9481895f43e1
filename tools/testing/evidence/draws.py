"""Draws at random: records, contexts and stories, whatever the numbers come from.

The search draws from `Dice`, and `recloser.testing.strategies` from Hypothesis, by the same rules.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol, TypeVar

from recloser.fsm.closecodes import MAX_REASON_BYTES
from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import Wish
from recloser.fsm.timeouts import STABLE
from recloser.testing.evidence.contexts import LAST_ROLL, REASONS, ROLLS, SECONDS
from recloser.testing.evidence.ends import BREAKS, DIALS, asked, refused
from recloser.testing.evidence.literals import Literals
from recloser.testing.evidence.stories import (
    Act,
    Call,
    Invoke,
    Lose,
    Open,
    Question,
    Story,
    Tell,
    Wait,
)

T = TypeVar("T")

ADVICE: Final = ("stop", "hold", "retry", "refresh")
"""Words of `advise()` that the shipped policies know."""
NO_LITERALS: Final = Literals()

_CODES: Final[tuple[int, ...]] = (
    *range(1000, 1016),
    3000,
    3003,
    3008,
    4000,
    4001,
    4401,
    4999,
    0,
    999,
    5000,
    65535,
)
_ALL_CODES: Final = (-1, 70000)
_PRIVATE: Final = range(3000, 5000)
_STATUSES: Final = (100, 599)
_BROKEN: Final = (*DIALS, *BREAKS)
_MANY: Final = 10**9
_LONGEST: Final = 30
"""The most characters of a text that nobody has written."""
_ROOMY: Final = 1000
"""Where numbers are drawn from more room than this, half of them are small."""
_EVEN: Final = 0.5
_ASCII: Final = 0x7F
_UNICODE: Final = 0x110000
_SURROGATES: Final = range(0xD800, 0xE000)
_UPTIMES: Final = (None, 0.05, 60.0)
_OFTEN: Final = 4
"""So many of eight acts of a story are ends."""


class Source(Protocol):
    """What is drawn from: whole numbers, numbers, texts, and lists of what is made of these."""

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number, `low` and `high` among them."""
        ...

    def number(self, low: float, high: float) -> float:
        """Draw a number from `low` to `high`."""
        ...

    def text(self, most: int) -> str:
        """Draw a text of up to `most` characters, each of which UTF-8 can write."""
        ...

    def several(self, make: Callable[["Source"], T], least: int, most: int) -> list[T]:
        """Draw from `least` to `most` of what `make` draws."""
        ...


class Dice:
    """A source that repeats itself: the same seed draws the same.

    Where there is much room, half of the numbers are small.
    """

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)  # noqa: S311 - it repeats itself

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number, `low` and `high` among them."""
        return low + int((high - low + 1) * self._share(high - low))

    def number(self, low: float, high: float) -> float:
        """Draw a number from `low` to `high`."""
        return low + (high - low) * self._share(high - low)

    def text(self, most: int) -> str:
        """Draw a text of up to `most` characters, half of them ASCII."""
        return "".join(self._character() for _ in range(self.whole(0, most)))

    def several(self, make: Callable[[Source], T], least: int, most: int) -> list[T]:
        """Draw from `least` to `most` of what `make` draws."""
        return [make(self) for _ in range(self.whole(least, most))]

    def _share(self, room: float) -> float:
        """Draw from [0, 1)."""
        share = self._random.random()
        return share**8 if room > _ROOMY and self._random.random() < _EVEN else share

    def _character(self) -> str:
        found = self._random.randrange(_UNICODE if self._random.random() < _EVEN else _ASCII)
        return chr(found - len(_SURROGATES) if found in _SURROGATES else found)


def of(source: Source, values: Sequence[T]) -> T:
    """Draw one of the values."""
    return values[source.whole(0, len(values) - 1)]


class Draws:
    """Draws records, contexts and stories; a policy's own numbers and texts are among the usual."""

    def __init__(self, known: Literals = NO_LITERALS) -> None:
        near = {
            int(each) + by for each in known.numbers if isinstance(each, int) for by in (-1, 0, 1)
        }
        self._codes = _within(near, _ALL_CODES)
        self._statuses = _within(near, _STATUSES)
        self._counts = _within(near, (1, _MANY))
        self._times = tuple(float(each) for each in known.numbers if 0 <= each <= _MANY)
        self._rolls = tuple(each for each in self._times if each < 1)
        self._reasons = tuple(
            each for each in known.texts if len(each.encode(errors="replace")) <= MAX_REASON_BYTES
        )
        self._advice = (*ADVICE, *known.texts)

    def roll(self, source: Source) -> float:
        """Draw a number in [0, 1), the smallest and the largest among them."""
        return _mixed(source, lambda: source.number(0.0, LAST_ROLL), ROLLS, self._rolls)

    def seconds(self, source: Source, most: float = 1e9) -> float:
        """Draw a time up to `most`, round ones among them."""
        return min(most, _mixed(source, lambda: source.number(0.0, most), SECONDS, self._times))

    def reason(self, source: Source) -> str:
        """Draw a text that a close frame can carry."""
        return _mixed(source, lambda: source.text(_LONGEST), ("",), REASONS, self._reasons)

    def code(self, source: Source) -> int:
        """Draw a close code: a registered one, a private one, or one that no registry knows."""
        return _mixed(source, lambda: source.whole(*_ALL_CODES), _CODES, _PRIVATE, self._codes)

    def end(self, source: Source) -> Close:
        """Draw the record of an end that is not intentional, as the transport would make it."""
        kinds = (self._framed, self._framed, self._refused, self._broken)
        return of(source, kinds)(source)

    def _framed(self, source: Source) -> Close:
        return Close.frame(self.code(source), self.reason(source))

    def _refused(self, source: Source) -> Close:
        status = _mixed(source, lambda: source.whole(*_STATUSES), self._statuses)
        return refused(status, self._perhaps(source, 1e6))

    def _broken(self, source: Source) -> Close:
        return of(source, _BROKEN)

    def close(self, source: Source) -> Close:
        """Draw a record of any kind, also one that no known transport makes."""
        return of(source, (self.end, self._asked, self._odd))(source)

    def _asked(self, source: Source) -> Close:
        return asked(of(source, tuple(Wish)), self.code(source), of(source, tuple(Cause)))

    def _odd(self, source: Source) -> Close:
        return Close(
            code=self.code(source),
            origin=of(source, tuple(Origin)),
            cause=of(source, tuple(Cause)),
            reason=self.reason(source),
            clean=_yes(source),
            sent_code=self.code(source) if _yes(source) else None,
            status=source.whole(*_STATUSES) if _yes(source) else None,
            retry_after=self._perhaps(source),
            spread=self._perhaps(source),
            advice=of(source, self._advice) if _yes(source) else None,
            unsent=source.whole(0, 1000),
        )

    def context(self, source: Source, phase: Phase | None = None) -> Context:
        """Draw a context whose facts do not contradict each other."""
        where = of(source, tuple(Phase)) if phase is None else phase
        attempt = _mixed(source, lambda: source.whole(1, _MANY), range(1, 13), self._counts)
        since = self.seconds(source, 1e6)
        flags = source.whole(0, 2**7 - 1)
        yes = [bool(flags >> place & 1) for place in range(7)]
        retried = attempt > 1 and yes[0]
        counts = min(attempt, 100) + 1
        return Context(
            phase=where,
            attempt=attempt,
            streak=1 + of(source, (0, attempt - 1, source.whole(0, _MANY))) % attempt,
            uptime=None if where is Phase.DIAL else since * of(source, (1.0, source.number(0, 1))),
            since_dial=since,
            elapsed=since + self.seconds(source, 1e6),
            last_delay=self.seconds(source, 1e5) if retried else None,
            last_roll=self.roll(source) if retried else None,
            previous_immediate=retried and yes[1],
            busy=source.whole(0, 100) % counts,
            spread=self.seconds(source, 1e5) if yes[2] else None,
            refusals=source.whole(0, 100) % counts,
            been_open=yes[5],
            denied_for=self.seconds(source, 1e6) if yes[5] else 0.0,
            engines=of(source, (1, source.whole(1, 10**5))),
            outage=self.seconds(source, 1e6) if yes[6] else None,
            crowded=yes[6] and yes[0],
            refreshed=retried and yes[3],
            can_refresh=yes[4],
            roll=self.roll(source),
            stable_after=of(source, (STABLE, 0.5, 120.0)),
        )

    def question(self, source: Source) -> Question:
        """Draw any record with any context."""
        return Question(self.close(source), self.context(source))

    def act(self, source: Source) -> Act:
        """Draw an act of a story; every second one is the end of a dial or of a connection."""
        kinds = (*_OFTEN * (self._lose,), self._open, self._invoke, self._tell, self._wait)
        return of(source, kinds)(source)

    def _lose(self, source: Source) -> Act:
        up = of(source, (*_UPTIMES, self.seconds(source, 1e5)))
        return Lose(self.end(source), up, of(source, (1, 1, 1, 2, 3, 8)))

    def _open(self, _: Source) -> Act:
        return Open()

    def _invoke(self, source: Source) -> Act:
        return Invoke(of(source, tuple(Call)))

    def _tell(self, source: Source) -> Act:
        return Tell(of(source, self._advice))

    def _wait(self, source: Source) -> Act:
        return Wait(of(source, (0.0, source.number(0.0, 60.0), source.number(0.0, 900.0))))

    def story(self, source: Source, most: int = 12) -> Story:
        """Draw a story of up to `most` acts."""
        acts = tuple(source.several(self.act, 1, most))
        return Story(acts, _yes(source), self.roll(source) if _yes(source) else None)

    def _perhaps(self, source: Source, most: float = 1e9) -> float | None:
        return self.seconds(source, most) if _yes(source) else None


def _within(numbers: set[int], bounds: tuple[int, int]) -> tuple[int, ...]:
    low, high = bounds
    return tuple(sorted(each for each in numbers if low <= each <= high))


def _mixed(source: Source, fresh: Callable[[], T], *usual: Sequence[T]) -> T:
    """Draw a fresh value, or one of a list, each list as likely; an empty one is left out."""
    lists = [each for each in usual if each]
    kind = source.whole(0, len(lists))
    return of(source, lists[kind - 1]) if kind else fresh()


def _yes(source: Source) -> bool:
    return source.whole(0, 1) == 1
