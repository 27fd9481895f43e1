"""What `--highlight` names: one state, or a path from state to state."""

from collections.abc import Iterable
from itertools import pairwise

from recloser.diagram.picture import Arrow
from recloser.fsm.states import State
from recloser.fsm.table import Row


def highlighted(text: str, rows: Iterable[Row]) -> tuple[frozenset[State], frozenset[Arrow]]:
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
