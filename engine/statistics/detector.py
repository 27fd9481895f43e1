"""Finds rates of closes that are out of the ordinary: times and kinds go in, alarms come out.

It has no clock and no I/O, and its memory has a bound. Every kind of end (code, status, origin,
intent) has a series of counts, one a minute. A *burst* is many ends within two minutes; an
*excursion* is a raised rate over ten minutes or an hour. Both are *episodes*. What is
out of the ordinary:

- an excursion of a kind that has few episodes;
- more episodes in a day than the days before let one expect: "the server restarts often";
- an excursion of 45 minutes of a kind that has episodes by itself, such as the waves of a
  daily deployment.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from recloser.statistics.baseline import (
    HISTORY,
    LONG,
    SHORT,
    Comparison,
    bursts,
    compare,
    rare_count,
)
from recloser.statistics.kinds import OTHER, OTHER_CODE, EndKind
from recloser.statistics.readings import NOTICES, reading_of

MINUTE: Final = 60.0
DAY: Final = 86400.0
MEMORY: Final = 14 * DAY
"""Seconds for which an episode is remembered."""

_MOST: Final = 24
"""Kinds of ends with a series of their own; the others share one."""
_REST: Final = EndKind(OTHER_CODE, None, OTHER, intentional=False)
_WAVES: Final = 4
"""Episodes on so many days make waves usual."""
_LONG_WAVE: Final = 45
"""Minutes after which a wave is longer than a deployment."""
_APART: Final = 30
"""Minutes without burst and excursion that end an episode."""
_CALM: Final = 5
"""Minutes in a row that must be usual before an alarm ends."""
_EPISODES: Final = 256
_MEMORY_OF_DISPERSION: Final = 1 / 1440
_LARGEST_TERM: Final = 16.0
_LEARNS: Final = 1 / 10
"""The weight of one end in the share of ends that ask for a new credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAlarm:
    """A rate of closes that is out of the ordinary, against the service's own past."""

    kind: EndKind
    """The ends that it is about."""
    reading: str
    """Their likely meaning."""
    since: float
    """When it was raised, in seconds of the given clock."""
    count: int
    """Ends in the window; for "often", bursts and excursions in the last day."""
    usual: float
    """The usual count in such a window."""
    window: float
    """The length of the window in seconds."""
    cleared: float | None = None
    """When the rate was usual again; None while the alarm lasts."""


def facts_of(alarm: CloseAlarm) -> dict[str, object]:
    """Return what a log line or JSON says of an alarm: its kind of end and its figures."""
    return {
        **alarm.kind._asdict(),
        "reading": alarm.reading,
        "count": alarm.count,
        "usual": round(alarm.usual, 1),
        "window": alarm.window,
    }


class _Series:
    """The minutes of one kind of end, its episodes and its alarm."""

    __slots__ = (
        "_calm",
        "_dispersion",
        "_episodes",
        "_excursion",
        "_last_upset",
        "_mean_term",
        "_minutes",
        "_terms",
        "_told",
        "alarm",
        "count",
        "kind",
        "refreshed",
    )

    def __init__(self, kind: EndKind, seen: int) -> None:
        self.kind = kind
        self.count = 0
        """Ends in the running minute."""
        self.refreshed = 0.0
        self.alarm: CloseAlarm | None = None
        self._minutes: deque[int] = deque([0] * min(seen, HISTORY), maxlen=HISTORY)
        self._dispersion = self._mean_term = 1.0
        self._terms = 0
        self._episodes: deque[float] = deque(maxlen=_EPISODES)
        self._last_upset: float | None = None
        self._excursion = 0
        """Minutes in a row with an excursion of the short window."""
        self._calm = 0
        self._told = False
        """There was an alarm in this episode; a rate that becomes usual raises no second one."""

    def end_minute(self, now: float, started: float) -> CloseAlarm | None:
        """Close the running minute; return an alarm that was raised or cleared by it."""
        before = self._minutes[-1] if self._minutes else 0
        self._minutes.append(self.count)
        self.count = 0
        minutes = list(self._minutes)
        if not any(minutes[-LONG.window :]) and self.alarm is None:
            self._excursion = 0
            return None
        self._learn_dispersion(minutes, before)
        short = compare(minutes, SHORT, self._dispersion)
        long = compare(minutes, LONG, self._dispersion)
        self._excursion = self._excursion + 1 if short.unusual else 0
        upset = short.unusual or long.unusual or bursts(minutes, self._dispersion)
        usual = self._usual_episodes(now, started)
        if upset:
            if self._last_upset is None or now - self._last_upset > _APART * MINUTE:
                self._episodes.append(now)
                self._told = False
            self._last_upset = now
        if self.alarm is not None:
            return self._clear(now, short, long, usual)
        return self._raise(now, short, long, usual)

    def _learn_dispersion(self, minutes: list[int], before: int) -> None:
        mean = max(sum(minutes[-SHORT.span :]) / SHORT.span, 0.1)
        term = min((minutes[-1] - before) ** 2 / (2 * mean), _LARGEST_TERM)
        self._terms += 1
        weight = max(_MEMORY_OF_DISPERSION, 1 / self._terms)  # at first, the plain mean
        self._mean_term += weight * (term - self._mean_term)
        self._dispersion = max(1.0, self._mean_term)

    def _usual_episodes(self, now: float, started: float) -> float:
        """Return the usual number of episodes in a day, by the days before the last one."""
        while self._episodes and self._episodes[0] < now - MEMORY:
            self._episodes.popleft()
        days = max(1.0, (min(now - started, MEMORY) - DAY) / DAY)
        return (sum(each < now - DAY for each in self._episodes) + 1) / days

    def _raise(
        self, now: float, short: Comparison, long: Comparison, usual: float
    ) -> CloseAlarm | None:
        if self._told:
            return None
        found, scale = (short, SHORT) if short.unusual else (long, LONG)
        if found.unusual:
            waves = self.kind.code in NOTICES or self._comes_in_waves()
            if not waves or self._excursion >= _LONG_WAVE:
                return self._alarm(now, found.ends, found.usual, scale.window * MINUTE)
        today = self._today(now)
        if today >= rare_count(usual) and self._episodes[-1] == now:
            return self._alarm(now, today, usual, DAY)
        return None

    def _comes_in_waves(self) -> bool:
        """Whether episodes are usual; the present one is not counted."""
        return len({int(each // DAY) for each in list(self._episodes)[:-1]}) >= _WAVES

    def _today(self, now: float) -> int:
        return sum(each >= now - DAY for each in self._episodes)

    def _alarm(self, now: float, count: int, usual: float, window: float) -> CloseAlarm:
        self._calm, self._told = 0, True
        self.alarm = CloseAlarm(
            kind=self.kind,
            reading=reading_of(self.kind, self.refreshed),
            since=now,
            count=count,
            usual=usual,
            window=window,
        )
        return self.alarm

    def _clear(
        self, now: float, short: Comparison, long: Comparison, usual: float
    ) -> CloseAlarm | None:
        alarm = self.alarm
        if alarm is None:
            return None
        if alarm.window == DAY:
            over = self._today(now) < rare_count(usual)
        else:
            found = short if alarm.window == SHORT.window * MINUTE else long
            self._calm = self._calm + 1 if found.calm else 0
            over = self._calm >= _CALM
        if not over:
            return None
        self.alarm = None
        return replace(alarm, cleared=now)


class Detector:
    """Watches the ends of one group of engines; times in seconds of one clock."""

    __slots__ = ("_minute", "_series", "_started")

    def __init__(self) -> None:
        self._series: dict[EndKind, _Series] = {}
        self._started = 0.0
        self._minute: int | None = None

    @property
    def alarms(self) -> list[CloseAlarm]:
        """The alarms that last, as of the latest `advance`."""
        return [each.alarm for each in self._series.values() if each.alarm is not None]

    def add(self, kind: EndKind, now: float, *, refresh: bool = False, count: int = 1) -> None:
        """Count ends of one kind; call `advance(now)` first.

        refresh: the policy asked for a new credential.
        """
        series = self._series.get(kind)
        if series is None:
            if len(self._series) >= _MOST:
                kind = _REST
            started = self._minute if self._minute is not None else int(now // MINUTE)
            seen = started - int(self._started // MINUTE)
            series = self._series.setdefault(kind, _Series(kind, seen))
        series.count += count
        series.refreshed += _LEARNS * (refresh - series.refreshed)

    def advance(self, now: float) -> list[CloseAlarm]:
        """Let time pass; return the alarms that were raised or cleared meanwhile, in order."""
        minute = int(now // MINUTE)
        if self._minute is None:
            self._minute, self._started = minute, now
        found: list[CloseAlarm] = []
        # A machine that slept for a day has no closes to tell of: the rest would be zeros.
        first = max(self._minute, minute - HISTORY - _APART)
        for each in range(first, minute):
            at = (each + 1) * MINUTE
            for series in self._series.values():
                alarm = series.end_minute(at, self._started)
                if alarm is not None:
                    found.append(alarm)
        self._minute = max(self._minute, minute)
        return found
