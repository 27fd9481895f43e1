"""Counts of closes by kind: in all, and over the last minutes."""

from collections import Counter, deque
from typing import Final

from recloser.statistics.kinds import CloseKind

MINUTE: Final = 60.0
LONGEST: Final = 3600.0
"""The longest sliding window, in seconds."""


class CloseCounts:
    """Counts since the start, and in one bucket a minute for the last hour."""

    __slots__ = ("_buckets", "_minute", "total")

    def __init__(self) -> None:
        self.total: Counter[CloseKind] = Counter()
        self._buckets: deque[Counter[CloseKind]] = deque(maxlen=int(LONGEST / MINUTE))
        """The latest minute last; a minute without closes has an empty bucket."""
        self._minute: int | None = None

    def add(self, kind: CloseKind, now: float) -> None:
        """Count one close; `now` in seconds."""
        self._advance(now)
        self.total[kind] += 1
        self._buckets[-1][kind] += 1

    def within(self, seconds: float, now: float) -> Counter[CloseKind]:
        """Return the counts of the last `seconds`, the running minute included.

        The window is rounded up to whole minutes, and is at most an hour.
        """
        self._advance(now)
        minutes = -(-int(min(seconds, LONGEST)) // int(MINUTE))
        found: Counter[CloseKind] = Counter()
        for bucket in list(self._buckets)[-max(1, minutes) :]:
            found.update(bucket)
        return found

    def minutes(self, now: float) -> list[Counter[int]]:
        """Return the counts by code, or by status, of each of the last minutes."""
        self._advance(now)
        found: list[Counter[int]] = []
        for bucket in self._buckets:
            numbers: Counter[int] = Counter()
            for kind, count in bucket.items():
                numbers[kind.code if kind.status is None else kind.status] += count
            found.append(numbers)
        return found

    def _advance(self, now: float) -> None:
        minute = int(now // MINUTE)
        if self._minute is None:
            self._minute = minute - 1
        for _ in range(min(minute - self._minute, int(LONGEST / MINUTE))):
            self._buckets.append(Counter())
        self._minute = max(self._minute, minute)
