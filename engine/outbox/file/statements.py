"""The statements that write a batch of changes into the outbox file, few for many messages."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeVar

from recloser.outbox.file.stored_message import COLUMNS, StoredMessage

_MARK_RANGE: Final = "UPDATE message SET deliveries = ? WHERE number BETWEEN ? AND ?"
_REMOVE_RANGE: Final = "DELETE FROM message WHERE number BETWEEN ? AND ?"
_NUMBERS: Final = "UPDATE numbers SET removed = max(removed, ?), low = ?, high = ?, deliveries = ?"
_GROUP: Final = 64
"""Rows of one statement at most that are no range: the interpreter's lock is taken anew for each
statement, which can take 5 ms while the event loop is busy."""
_RANGE: Final = 8
"""Numbers from which on an unbroken range is a statement of its own."""

T = TypeVar("T")


class MarkedRange(NamedTuple):
    """Numbers whose messages were handed over so often, whatever their rows say.

    It stands in one row of the file, in place of a mark in each of many.
    """

    low: int = 0
    high: int = -1
    deliveries: int = 0

    def __contains__(self, number: object) -> bool:
        """Whether the deliveries of this number are those of the range."""
        return isinstance(number, int) and self.low <= number <= self.high

    @classmethod
    def of(cls, marked: Mapping[int, int]) -> "MarkedRange | None":
        """Return the range that says all of these marks; None if there is none, or of few."""
        if len(marked) < _RANGE:
            return None
        low, high, times = min(marked), max(marked), set(marked.values())
        unbroken = high - low + 1 == len(marked) and len(times) == 1
        return cls(low, high, times.pop()) if unbroken else None


NO_RANGE: Final = MarkedRange()


class Statements:
    """The statements of one transaction, and the range that is marked behind it.

    They remove numbers, write rows, and set deliveries by number. `before` is the range that is
    marked now: its rows get their deliveries before one of them is written anew, and before other
    messages are marked.
    """

    __slots__ = ("_before", "_folds", "_marked", "_removed", "_rows", "range")

    def __init__(
        self,
        rows: Sequence[StoredMessage],
        marked: Mapping[int, int],
        removed: Collection[int],
        before: MarkedRange = NO_RANGE,
    ) -> None:
        found = MarkedRange.of(marked)
        self._rows, self._removed, self._before = rows, removed, before
        self._marked: Mapping[int, int] = marked if found is None else {}
        changed = bool(marked) or any(row.number in before for row in rows)
        self._folds = changed and before != NO_RANGE
        self.range: MarkedRange = found or (NO_RANGE if changed else before)

    def __iter__(self) -> Iterator[tuple[str, Sequence[object]]]:
        ranges, others = _ranges(self._removed)
        for low, high in ranges:
            yield _REMOVE_RANGE, (low, high)
        for numbers in _groups(others):
            yield _remove(len(numbers)), numbers
        if self._folds:
            low, high, deliveries = self._before
            yield _MARK_RANGE, (deliveries, low, high)
        for group in _groups(self._rows):
            yield put(len(group)), [value for row in group for value in row.sealed()]
        yield from self._marks()
        if self._removed or self.range != self._before:
            yield _NUMBERS, (max(self._removed, default=0), *self.range)

    def _marks(self) -> Iterator[tuple[str, Sequence[object]]]:
        """Give the statements that set deliveries row by row."""
        for deliveries in sorted(set(self._marked.values())):
            numbers = [n for n, times in self._marked.items() if times == deliveries]
            ranges, others = _ranges(numbers)
            for low, high in ranges:
                yield _MARK_RANGE, (deliveries, low, high)
            for group in _groups(others):
                yield _mark(len(group)), (deliveries, *group)


@cache
def put(count: int) -> str:
    """Return the statement that writes so many rows, of `StoredMessage.sealed` values each."""
    row = f"({', '.join('?' * len(COLUMNS.split(',')))})"
    return (
        f"INSERT INTO message ({COLUMNS}) VALUES {', '.join([row] * count)}"  # noqa: S608 - of constants
        # All that the checksum is of and may differ: the wall clock may be set, and an id given.
        " ON CONFLICT (number) DO UPDATE SET id = excluded.id, checksum = excluded.checksum,"
        " expires_at = excluded.expires_at, deliveries = excluded.deliveries,"
        " suspect = excluded.suspect"
    )


@cache
def _mark(count: int) -> str:
    """Return the statement that sets the deliveries, its first value, of so many numbers."""
    return f"UPDATE message SET deliveries = ? WHERE number IN ({', '.join('?' * count)})"  # noqa: S608 - of constants


@cache
def _remove(count: int) -> str:
    """Return the statement that removes so many numbers."""
    return f"DELETE FROM message WHERE number IN ({', '.join('?' * count)})"  # noqa: S608 - of constants


def _groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut into groups of few lengths, so that SQLite knows each statement from before."""
    at, length = 0, _GROUP
    while at < len(items):
        while length > len(items) - at:
            length //= 2
        yield items[at : at + length]
        at += length


def _ranges(numbers: Iterable[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Find the long unbroken ranges of some numbers: first and last of each, and the others."""
    ordered = sorted(numbers)
    if len(ordered) >= _RANGE and ordered[-1] - ordered[0] == len(ordered) - 1:
        return [(ordered[0], ordered[-1])], []  # as nearly always, of many
    ranges: list[tuple[int, int]] = []
    others: list[int] = []
    first = 0
    for at, number in enumerate(ordered):
        if at + 1 < len(ordered) and ordered[at + 1] == number + 1:
            continue
        if at - first >= _RANGE:
            ranges.append((ordered[first], number))
        else:
            others += ordered[first : at + 1]
        first = at + 1
    return ranges, others
