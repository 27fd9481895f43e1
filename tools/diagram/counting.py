"""Counts how often each row was taken, from changes of state."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from recloser.fsm.table import Row

if TYPE_CHECKING:
    from recloser.fsm.change import StateChange


def counted(rows: Iterable[Row], changes: "Iterable[StateChange]") -> tuple[dict[Row, int], int]:
    """Return the count of each row that changes the state, and how many changes fit no row.

    Where a row leads tells its guard. Internal rows are not counted: they are no changes of
    state, so that nothing announces them.
    """
    moves = {(row.source, row.trigger, row.target): row for row in rows if row.target is not None}
    found = Counter((each.previous, each.trigger, each.current) for each in changes)
    strange = sum(times for move, times in found.items() if move not in moves)
    return {row: found[move] for move, row in moves.items()}, strange
