"""The rows of one run against those of the run before: what a new version does otherwise."""

from collections.abc import Iterable, Iterator

from recloser.policies.field import EVENTS, FieldRow

Key = tuple[str, str, str, str]

_FACTS = ("wire", "should", "rule")
_SLACK, _FACTOR = 1.5, 3.0
"""Seconds, and the factor, by which a time may differ on a busy machine."""


def key(row: FieldRow) -> Key:
    """A row is about one event of one piece of software, made in one way."""
    return row.software, row.variant, row.event, row.how


def differences(
    before: Iterable[FieldRow], after: Iterable[FieldRow], *, timed: bool = True
) -> Iterator[str]:
    """A line for each row that is new, or says something else than before.

    Times are compared if `timed`. FIN and RST are not compared: it depends on chance which one
    ends a connection that still has unread bytes.
    """
    known = {key(row): row for row in before}
    for row in after:
        old = known.get(key(row))
        name = f"{row.name} {row.version}, {row.event} ({row.how})"
        if old is None:
            yield f"{name}: a new row: {row.wire}"
            continue
        for fact in _FACTS:
            was, is_now = getattr(old, fact), getattr(row, fact)
            if was != is_now:
                yield f"{name}: {fact} was {was} ({old.version}), and is {is_now}"
        slow, quick = max(old.seconds, row.seconds), min(old.seconds, row.seconds)
        if timed and slow - quick > _SLACK and slow > quick * _FACTOR:
            yield f"{name}: it ended after {old.seconds:g} s ({old.version}), now {row.seconds:g} s"


def merged(before: Iterable[FieldRow], after: Iterable[FieldRow]) -> list[FieldRow]:
    """All rows in order, each as it was seen last."""
    found = {key(row): row for row in (*before, *after)}
    events = list(EVENTS)
    return sorted(
        found.values(),
        key=lambda row: (row.software.lower(), row.variant, events.index(row.event), row.how),
    )
