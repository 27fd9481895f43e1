"""The content of a picture: the rows of the live machine, and the notes on them.

Notes are the rules of a policy that take a row, how often a row was taken, and highlighted
states and paths.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from recloser.fsm.machine import GUARDS, MACHINE
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import Row

if TYPE_CHECKING:
    from recloser.fsm.change import StateChange

_GUARDS: Final[dict[object, Guard]] = {test: guard for guard, test in GUARDS.items()}
Arrow = tuple[State, State]
"""From one state to another; all rows with this source and target share the arrow."""
START: Final = State.CLOSED
"""The state in which an engine starts and ends."""
REST: Final = State.PASSIVE
"""The resting state: only a call of the application or a hint leads out of it."""
TIMES: Final = "\N{MULTIPLICATION SIGN}"
_MORE: Final = "..."


def live_rows() -> list[Row]:
    """Read every transition of the machine that engines run on, as rows.

    They are read from the machine and not from the table, so a picture shows what happens.
    """
    found = []
    for trigger in Trigger:
        for each in MACHINE.get_transitions(trigger.value):
            guards = [_GUARDS[condition.func] for condition in each.conditions]
            guard = guards[0] if guards else None
            target = None if each.dest is None else State[each.dest]
            found.append(Row(State[each.source], trigger, guard, target))
    return sorted(found, key=_order)


def _order(row: Row) -> tuple[int, int, int]:
    guard = -1 if row.guard is None else list(Guard).index(row.guard)
    return list(State).index(row.source), list(Trigger).index(row.trigger), guard


def in_order(*first: State) -> tuple[State, ...]:
    """Return all states: these first, then the others."""
    return (*first, *(state for state in State if state not in first))


class LegendMark(Enum):
    """What a sign in a picture means; a legend explains the marks that a picture has."""

    START = "start and end"
    REST = "rest"
    STAYS = "internal, the state stays"
    HIGHLIGHT = "highlighted"
    COUNT = "how often taken"
    RULES = "the rules of the policy that lead there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The rows, and the notes on them; the renderers are pure functions of this."""

    rows: Sequence[Row] = field(default_factory=live_rows)
    rules: Mapping[Row, Sequence[str]] = field(default_factory=dict)
    """The rules of a policy that take a row, in the policy's order."""
    counts: Mapping[Row, int] = field(default_factory=dict)
    """The count of each row: how often it was taken."""
    marked: frozenset[State] = frozenset()
    """States that are highlighted."""
    path: frozenset[Arrow] = frozenset()
    """Arrows that are highlighted."""
    caption: str = ""
    """The sources of the notes."""

    def arrows(self) -> dict[Arrow, list[Row]]:
        """Return the rows that change the state, by arrow, in the order of the rows."""
        found: defaultdict[Arrow, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row.target is not None:
                found[row.source, row.target].append(row)
        return dict(found)

    def inside(self, state: State) -> list[Row]:
        """Return the internal rows of a state."""
        return [row for row in self.rows if row.source is state and row.target is None]

    def marks(self) -> list[LegendMark]:
        """Return the marks that this picture has, in the order of a legend."""
        used = {
            LegendMark.START: True,
            LegendMark.REST: True,
            LegendMark.STAYS: any(row.target is None for row in self.rows),
            LegendMark.HIGHLIGHT: bool(self.marked or self.path),
            LegendMark.COUNT: bool(self.counts),
            LegendMark.RULES: bool(self.rules),
        }
        return [mark for mark in LegendMark if used[mark]]


def row_name(row: Row) -> str:
    """Return the trigger, with the guard in brackets: `lost [retry]`."""
    return row.trigger.value if row.guard is None else f"{row.trigger.value} [{row.guard.value}]"


def count_changes(
    rows: Iterable[Row], changes: "Iterable[StateChange]"
) -> tuple[dict[Row, int], int]:
    """Return the count of each row that changes the state, and how many changes fit no row.

    A change has no guard; its states and trigger tell the row. Internal rows are not counted,
    because the state does not change and no change is announced.
    """
    moves = {(row.source, row.trigger, row.target): row for row in rows if row.target is not None}
    found = Counter((each.previous, each.trigger, each.current) for each in changes)
    strange = sum(times for move, times in found.items() if move not in moves)
    return {row: found[move] for move, row in moves.items()}, strange


def parse_highlight(text: str, rows: Iterable[Row]) -> tuple[frozenset[State], frozenset[Arrow]]:
    """Return the states and arrows of `open` or of `open,backoff,connecting`.

    Raises `ValueError` for a name that is no state, and for a step that the rows do not have.
    """
    states = [_state(name.strip()) for name in text.split(",")]
    arrows = frozenset((row.source, row.target) for row in rows if row.target is not None)
    path = list(pairwise(states))
    for source, target in path:
        if (source, target) not in arrows:
            ways = ", ".join(s.value for s in State if (source, s) in arrows)
            raise ValueError(
                f"nothing leads from {source.value} to {target.value}: "
                f"{source.value} leads to {ways}"
            )
    return frozenset(states), frozenset(path)


def _state(name: str) -> State:
    try:
        return State(name)
    except ValueError:
        known = ", ".join(state.value for state in State)
        raise ValueError(f"{name!r} is no state: give {known}") from None


def count_text(picture: Picture, row: Row, sign: str = TIMES) -> str:
    """Return how often a row was taken, behind `sign`; an empty text if it was not counted."""
    return f"{sign}{picture.counts[row]}" if row in picture.counts else ""


def rules_text(rules: Sequence[str], width: int, lines: int = 1) -> list[str]:
    """Return `12 rules: going-away, restart, ...` in so many lines of this width.

    There are as many names as fit, and at least one, even if its line is longer then.
    """
    if not rules:
        return ["no rule"]
    head = f"{len(rules)} rule{'s' if len(rules) > 1 else ''}: "
    for shown in range(len(rules), 0, -1):
        names = [*rules[:shown], *([_MORE] if shown < len(rules) else [])]
        found = wrap(head + ", ".join(names), width, break_long_words=False, break_on_hyphens=False)
        if len(found) <= lines:
            break
    return found
