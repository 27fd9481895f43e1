"""`CloseStatistics`: an observer that counts closes and raises an alarm when a rate is unusual."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from recloser import log
from recloser.checks import check_plain_function, refuse_coroutine
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Retry
from recloser.statistics.counts import LONGEST, CloseCounts
from recloser.statistics.detector import CloseAlarm, Detector, facts_of
from recloser.statistics.kinds import CloseKind, KindBound, is_first_end

_NO_FIELDS: Final[Mapping[str, object]] = {}


class CloseStatistics:
    """Counts the closes of the engines that it is given to, and watches their rates.

        closes = CloseStatistics()
        ada = recloser.connect(url, observers=[closes])
        bob = recloser.connect(url, observers=[closes])

    The engines that share one are a *group*: their closes are compared with the group's own
    past. A rate out of the ordinary writes one warning into the log, calls `on_alarm`, and does
    both again when it has ended. The counters are bounded: see `KindBound`. It belongs to one
    event loop.

    on_alarm: a function that is called with each `CloseAlarm`, raised or cleared; an exception
        is logged.
    fields: names and values for the log lines of alarms; read at each line.
    clock: gives seconds that never go back.
    """

    __slots__ = ("_bound", "_clock", "_counts", "_detector", "_fields", "_on_alarm")

    def __init__(
        self,
        *,
        on_alarm: Callable[[CloseAlarm], object] | None = None,
        fields: Mapping[str, object] = _NO_FIELDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if on_alarm is not None:
            check_plain_function("on_alarm", "one CloseAlarm", on_alarm)
        self._on_alarm = on_alarm
        self._fields = fields
        self._clock = clock
        self._bound = KindBound()
        self._counts = CloseCounts()
        self._detector = Detector()

    def __call__(self, change: StateChange) -> None:
        """Take one change into account."""
        now = self._clock()
        self._advance(now)
        close = change.close
        if close is None:
            return
        kind = self._bound.kind_of(change, close)
        self._counts.add(kind, now)
        if is_first_end(change):
            refresh = isinstance(change.decision, Retry) and change.decision.refresh
            self._detector.add(kind.end, now, refresh=refresh)

    def counts(self, within: float | None = None) -> Mapping[CloseKind, int]:
        """Return how many closes there were of each kind.

        within: seconds up to now, at most an hour, in steps of a minute; None for all since
            the start. Raises `ValueError` for another number.
        """
        if within is None:
            return Counter(self._counts.total)
        if not 0 < within <= LONGEST:
            raise ValueError(f"within must be seconds up to {LONGEST:g}, or None, not {within!r}")
        return self._counts.within(within, self._clock())

    def minutes(self) -> list[Counter[int]]:
        """Return the closes of the last hour by code, or status, for each minute, oldest first."""
        return self._counts.minutes(self._clock())

    @property
    def alarms(self) -> list[CloseAlarm]:
        """The alarms that last, as of now."""
        self._advance(self._clock())
        return self._detector.alarms

    def _advance(self, now: float) -> None:
        for alarm in self._detector.advance(now):
            if alarm.cleared is None:
                log.close_rate_unusual(self._fields, facts_of(alarm))
            else:
                log.close_rate_usual(self._fields, facts_of(alarm))
            if self._on_alarm is None:
                continue
            try:
                refuse_coroutine(self._on_alarm(alarm))
            except Exception as error:  # noqa: BLE001 - it must not stop the counting
                log.failure(log.LISTENER_FAILED, self._fields, self._on_alarm, error)
