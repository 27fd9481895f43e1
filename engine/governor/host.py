"""One host, or another key, as one governor sees it: who waits, who dials, and how it fares."""

from collections import OrderedDict
from collections.abc import Hashable
from math import inf
from typing import Final

from recloser.fsm.record import Close
from recloser.governor.dial import Dial
from recloser.governor.effects import Effect, Grant, Share, Tell, Wake
from recloser.governor.evidence import Evidence
from recloser.governor.initial_window import BEYOND, InitialWindow
from recloser.governor.intake import Intake
from recloser.governor.limits import CATCH_UP, DialLimits
from recloser.governor.news import News, Reading, reading
from recloser.governor.pace import Pace
from recloser.governor.probe_gap import probe_gap
from recloser.governor.setbacks import Setbacks
from recloser.governor.sleepers import Sleepers

_LONGEST_WISH: Final = 300.0
"""Seconds for which a Retry-After at most keeps the probes away, and of a spread at most."""
_STUBBORN: Final = 7
"""No return waits for an engine with so many setbacks, and its refusal says nothing of the host."""
_TROUBLE: Final = (Reading.DOWN, Reading.BUSY)


class Host:
    """The engines at one host, without I/O.

    The host is *clear* as long as nothing speaks against it: limits hold, and an initial window.
    It is *down* when two engines have failed there with no dial that opened in between: one engine
    dials at a time, as a *probe*, and those who wait get the record of a probe that failed. When a
    dial opens, the *return* begins: those who wait, and those in backoff, dial one after the other
    at the pace. It ends when nobody is left who is to come back in it, and the host is clear again.
    """

    __slots__ = (
        *("_ahead", "_at_once", "_dialling", "_down_since", "_earlier", "_evidence"),
        *("_expected_until", "_initial", "_next_at", "_pace", "_probe_at", "_ramp", "_rate"),
        *("_setbacks", "_silent_until", "_sleepers", "_spread", "_waiting"),
        *("due", "idle", "key", "known", "listed"),
    )

    def __init__(
        self,
        key: str,
        limits: DialLimits,
        ramp: float,
        setbacks: Setbacks,
        known: Intake | None,
    ) -> None:
        self.key = key
        self.known = known
        """What the host took in an earlier return."""
        self._at_once: float = inf if limits.at_once is None else limits.at_once
        self._rate: float = inf if limits.rate is None else limits.rate
        self._ramp = ramp
        self._ahead: OrderedDict[int, Hashable] = OrderedDict()
        """Those whose dial the application asked for, with their route: they come first."""
        self._waiting: OrderedDict[int, Hashable] = OrderedDict()
        self._dialling: dict[int, Dial] = {}
        """Those who have a permit."""
        self._earlier: dict[int, Dial] = {}
        """Those of them, in a return, who dial since before it. A dial that began while the host
        was down may hang on, and says nothing of what the host takes now."""
        self._sleepers = Sleepers()
        self._setbacks = setbacks
        self._expected_until = -inf
        """Until when one of those who sleep is to come back in this return."""
        self._evidence = Evidence()
        self._initial = InitialWindow()
        self._down_since: float | None = None
        self._pace: Pace | None = None
        self._next_at = -inf
        """When rate and pace leave the next dial."""
        self._probe_at = -inf
        """When the gap between two probes is over."""
        self._silent_until = -inf
        """Until when the host has asked by a Retry-After to be left alone."""
        self._spread: tuple[float, float] | None = None
        """The spread that the host has asked for last, in seconds, and when it ends."""
        self.due: float = inf
        """When time alone may let the next one dial, not too late; infinity if that takes more."""
        self.listed: float = inf
        """When the core looks at the host by itself: not after `due`."""
        self.idle = False
        """Whether there is nothing to remember any more."""

    # -- what engines say ----------------------------------------------------------------

    def begins(self, engine: int, route: Hashable, now: float) -> bool:
        """Return whether an engine has its permit already: its dial begins now."""
        if self._end_dial(engine) is None:
            return False
        # It was woken, or has another address than it meant to dial.
        self._dialling[engine] = Dial(route, now, self._paced)
        return True

    def ask(self, engine: int, route: Hashable, now: float, *, intentional: bool) -> list[Effect]:
        """Take an engine that wants to dial now, and has no permit."""
        sleepers = self._sleepers
        sleepers.discard(engine)
        others = bool(self._ahead or self._waiting or (self._pace is not None and sleepers.ripe))
        line = self._ahead if intentional else self._waiting
        line[engine] = route
        if others and now < self.due and (self._down_since is None or not intentional):
            return []  # as those who wait, it waits for the end of a dial, or for its turn
        return self.admit(now)

    def sleep(
        self, engine: int, route: Hashable, close: Close, now: float, *, wake: bool, brief: bool
    ) -> list[Effect]:
        """Take an engine that begins a backoff after an end with this record.

        `brief`: it has lost a connection that was not stable yet.
        """
        kind, setbacks = reading(close), self._setbacks
        if not brief and engine not in self._sleepers.undecided:
            setbacks.stable(engine)
        if kind in _TROUBLE:
            setbacks.fails(engine, now)
            if brief:
                setbacks.add(engine, now)
        count, ripe, back = setbacks.count(engine), inf, now
        if close.retry_after is not None or close.spread is not None:
            wish = max(close.retry_after or 0.0, close.spread or 0.0)
            back += min(2 * wish, _LONGEST_WISH)  # a client may come later than it was told to
        elif wake and kind in _TROUBLE:
            own = brief or self._pace is not None  # where the host is down, that counts for all
            ripe = back = now + 2.0 ** min(count - 1, 10) if count and own else -inf
        if count < _STUBBORN:
            self._expected_until = max(self._expected_until, back)
        self._sleepers.add(engine, route, ripe)
        if close.spread is not None:
            self._asks(close.spread, now)
        if self._pace is not None:
            return self.admit(now)
        if self._down_since is not None or kind not in _TROUBLE:
            return []
        found = self._suspects(engine, close, now)
        return found + self.admit(now)

    def dials(self, engine: int) -> bool:
        """Whether the engine dials, or waits for that."""
        places = (self._dialling, self._earlier, self._ahead, self._waiting)
        return any(engine in place for place in places)

    def leave(self, engine: int, now: float) -> list[Effect]:
        """Let an engine go that neither waits nor dials any more."""
        for line in (self._ahead, self._waiting):
            line.pop(engine, None)
        self._sleepers.discard(engine)
        self._end_dial(engine)
        return self.admit(now)

    def defer(self, engine: int, seconds: float, now: float) -> list[Effect]:
        """Let an engine that was to probe wait for the probe of another process, as the first."""
        dial = self._end_dial(engine)
        if dial is None:
            return []
        self._waiting[engine] = dial.route
        self._waiting.move_to_end(engine, last=False)
        self._probe_at = max(self._probe_at, now + seconds)
        return self.admit(now)

    def opened(self, engine: int, now: float) -> list[Effect]:
        """Take a dial that has opened."""
        dial = self._end_dial(engine)
        if dial is None:
            return []
        self._setbacks.opened(engine)
        self._evidence.opened(now)
        if self._down_since is not None:
            self._begin_return(now)
            return [Tell(News(self.key, Reading.UP)), *self.admit(now)]
        if self._is_clear:
            self._initial.grow(len(self._dialling) + 1)
        elif self._pace is not None:
            self._pace.opened(now, dial.began, len(self._dialling) + 1)
        return self.admit(now)

    def failed(self, engine: int, close: Close, now: float) -> list[Effect]:
        """Take a dial that has failed with this record."""
        dial = self._end_dial(engine)
        if dial is None:
            return []
        self._sleepers.undecided.add(engine)
        found: list[Effect] = []
        kind, setbacks = reading(close), self._setbacks
        returns, busy = self._pace is not None, kind is Reading.BUSY
        if busy and not returns and setbacks.count(engine) >= _STUBBORN:
            return self.admit(now)  # it is refused at any time, which says nothing of the host
        if kind in _TROUBLE and (returns or (busy and self._down_since is None)):
            setbacks.add(engine, now)
        if kind in _TROUBLE:
            found = self._troubled(dial, close, now)
            if self._down_since is not None:
                found += self._share(close, dial.route)
        elif kind is Reading.CERTIFICATE:
            found = self._share(close, dial.route)
        else:
            self._probe_at = -inf  # the probe has told nothing: the gap before the next one falls
        return found + self.admit(now)

    def hear(self, news: News, now: float) -> list[Effect]:
        """Take the news of another process."""
        if news.spread is not None:
            self._asks(news.spread, now)
        if news.reading is Reading.UP:
            if self._down_since is not None:
                self._begin_return(now)
        elif self._pace is not None:  # each process answers for its own dials, once all have slowed
            self._pace.refused(now, -inf, self._pace.rate)
        elif news.reading is Reading.DOWN and self._down_since is None:
            self._go_down(now)
            self._probe_at = now + probe_gap(0.0, self._engines)
        if news.retry_after is not None and self._down_since is not None:
            self._stay_away(news.retry_after, now)
        return self.admit(now)

    # -- how the host fares ---------------------------------------------------------------

    def _troubled(self, dial: Dial, close: Close, now: float) -> list[Effect]:
        if self._pace is not None:
            if dial.rate < inf:
                self._pace.refused(now, dial.began, dial.rate)
            if reading(close) is Reading.DOWN and self._evidence.shown_again_by(dial.began):
                self._go_down(now)
                return [self._tell(Reading.DOWN, close)]
            return [self._tell(Reading.BUSY, close)]
        if self._down_since is not None and close.retry_after is not None:
            self._stay_away(close.retry_after, now)
            return [self._tell(Reading.DOWN, close)]
        return []

    def _suspects(self, engine: int, close: Close, now: float) -> list[Effect]:
        if not self._evidence.shown_by(engine, self._setbacks.since(engine), now):
            return []
        self._go_down(now)
        if close.retry_after is not None:
            self._stay_away(close.retry_after, now)
        return [self._tell(Reading.DOWN, close)]

    def _tell(self, found: Reading, close: Close) -> Tell:
        return Tell(News(self.key, found, close.retry_after, close.spread))

    def _go_down(self, now: float) -> None:
        self._down_since, self._pace = now, None
        self._evidence.renew()
        self._dialling, self._earlier = self._earlier | self._dialling, {}
        self._probe_at = self._silent_until = -inf
        if self._spread is not None and self._spread[1] < now:
            self._spread = None  # it was for a restart of before

    def _stay_away(self, seconds: float, now: float) -> None:
        """Send no probe for so long, unless the host has asked for a spread that lasts.

        Then a Retry-After is the turn of one client at a server that drains, and another server
        may stand behind the same address.
        """
        if self._spread is not None and now < self._spread[1]:
            return
        self._silent_until = max(self._silent_until, now + min(seconds, _LONGEST_WISH))

    def _begin_return(self, now: float) -> None:
        self._down_since = None
        self._dialling, self._earlier = {}, self._dialling
        count, spread, self._spread = self._engines, self._spread, None
        if self._rate < inf:
            pace = Pace(self._rate, now, self._ramp)
        elif spread is not None:
            pace = Pace(max(count, 1) / spread[0], now, self._ramp)
        else:
            pace = Pace.search(count, now, self._ramp, self.known, self._initial.opened)
        self._initial = InitialWindow()
        self._pace = pace
        self._next_at = max(self._next_at, now + 1 / pace.rate)

    def _asks(self, spread: float, now: float) -> None:
        """Take the spread that the host asks for, of one engine after the other in a drain.

        The first may be back before the last has been asked: the pace follows their number.
        """
        spread = min(spread, _LONGEST_WISH)
        self._spread = (spread, now + spread) if spread > 0 else None
        if self._spread is not None and self._pace is not None and self._rate == inf:
            self._pace.at_least(self._engines / spread)
            self._next_at = min(self._next_at, now + 1 / self._pace.rate)

    def _share(self, close: Close, route: Hashable) -> list[Effect]:
        """Give those who wait on the same route the record of this dial as their own."""
        found: list[Effect] = []
        for line in (self._ahead, self._waiting):
            for engine in [engine for engine, other in line.items() if other == route]:
                del line[engine]
                self._sleepers.undecided.add(engine)
                found.append(Share(engine, close))
        return found

    # -- whose turn it is -----------------------------------------------------------------

    def admit(self, now: float) -> list[Effect]:
        """Let those dial whose turn it is; set `due`, and `idle` where nobody is left."""
        found: list[Effect] = []
        queued, self.due = self.due == self._next_at, inf
        returns = self._pace is not None
        if returns:
            self._sleepers.pass_time(now)
        ripe = self._sleepers.ripe
        while line := self._ahead or self._waiting or (ripe if returns else None):
            at = self._turn(now)
            if at > now:
                self.due = at
                break
            late = queued and at == self._next_at
            start = max(at, now - CATCH_UP) if late else now
            found.append(self._grant(line, start, now))
        if not line and returns:
            self.due = self._sleepers.due
        dialling = self._dialling or self._earlier
        if dialling or ripe or self._waiting or self._ahead:
            return found
        if self._pace is not None:
            self.known = self._pace.intake() or self.known
            if self._sleepers.undecided:
                return found
            if self._sleepers and now < self._expected_until:
                self.due = min(self.due, self._expected_until)
                return found
            self._pace = None
            self._evidence.renew()
            self.due = inf
            if self._rate == inf:
                self._next_at = -inf
        if not self._sleepers:
            self._down_since = None
            self._evidence.renew()
            self._sleepers.forget()
            limited = self._rate < inf and self._next_at > now
            self.due = self._next_at if limited else inf  # its limit is remembered until then
            self.idle = not limited
        return found

    def _turn(self, now: float) -> float:
        """Return the moment of the next dial; infinity where a dial must end first."""
        under_way, pace = len(self._dialling), self._pace
        if under_way + len(self._earlier) >= self._at_once:
            return inf
        if pace is not None:
            if under_way < pace.window:
                return -inf if pace.ceiling is None else pace.ceiling.next_at
            return inf if pace.is_full(under_way, now) else self._next_at
        if self._down_since is not None and (under_way or not self._ahead):
            return max(self._next_at, self._probe_at, self._silent_until)
        return -inf if self._is_clear and under_way < self._initial.size else self._next_at

    def _grant(self, line: OrderedDict[int, Hashable], start: float, now: float) -> Effect:
        """Give a permit to the first of the line.

        Rate and pace count from `start`, which is before `now` if the event loop was late.
        """
        slowest = min(self._rate, pace := self._paced)
        if self._is_clear and len(self._dialling) + 1 >= self._initial.size:
            slowest = BEYOND
        if slowest < inf:
            self._next_at = start + 1 / slowest
        if self._pace is not None and self._pace.ceiling is not None:
            self._pace.ceiling.granted(now)
        engine, route = line.popitem(last=False)
        self._dialling[engine] = Dial(route, now, pace)
        if line is self._sleepers.ripe:
            return Wake(engine)
        if self._down_since is None:
            return Grant(engine)
        gap = probe_gap(now - self._down_since, self._engines)
        self._probe_at = now + gap
        return Grant(engine, gap)

    def _end_dial(self, engine: int) -> Dial | None:
        """Take back the permit of an engine; None if it has none."""
        return self._dialling.pop(engine, None) or self._earlier.pop(engine, None)

    @property
    def _is_clear(self) -> bool:
        """Whether the initial window holds."""
        return self._pace is None and self._down_since is None and self._rate == inf

    @property
    def _paced(self) -> float:
        """Dials per second at the present pace; infinity if no return is going on."""
        return inf if self._pace is None else self._pace.rate

    @property
    def _engines(self) -> int:
        """How many engines wait, dial or sleep here."""
        asking = len(self._ahead) + len(self._waiting) + len(self._dialling) + len(self._earlier)
        return asking + len(self._sleepers)
