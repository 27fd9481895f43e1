"""What a picture of the machine shows: its rows, and what was asked to be written on them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from recloser.diagram.edges import edges
from recloser.fsm.states import State
from recloser.fsm.table import Row

Arrow = tuple[State, State]
"""From one state to another; all rows that lead there share it."""

START: Final = State.CLOSED
"""Where an engine starts and ends."""
REST: Final = State.PASSIVE
"""What is left only when somebody asks or hints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The rows, and the notes on them; the renderers are pure functions of this."""

    rows: Sequence[Row] = field(default_factory=edges)
    rules: Mapping[Row, Sequence[str]] = field(default_factory=dict)
    """The rules of a policy that take a row, in the policy's order."""
    counts: Mapping[Row, int] = field(default_factory=dict)
    """How often a row was taken."""
    marked: frozenset[State] = frozenset()
    """States that are highlighted."""
    path: frozenset[Arrow] = frozenset()
    """Arrows that are highlighted."""
    caption: str = ""
    """Where the notes come from."""

    def arrows(self) -> dict[Arrow, list[Row]]:
        """Return the rows that lead elsewhere, by arrow, in the order of the rows."""
        found: defaultdict[Arrow, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row.target is not None:
                found[row.source, row.target].append(row)
        return dict(found)

    def inside(self, state: State) -> list[Row]:
        """Return the internal rows of a state."""
        return [row for row in self.rows if row.source is state and row.target is None]


def name(row: Row) -> str:
    """Return the trigger, with the guard in brackets: `lost [retry]`."""
    return row.trigger.value if row.guard is None else f"{row.trigger.value} [{row.guard.value}]"
