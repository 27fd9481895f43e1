"""The matrix: every cell says what the machine does there."""

import re
from collections import defaultdict

import pytest

from recloser.diagram.picture import Picture
from recloser.diagram.text import text
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, TABLE, Row
from tests.tools.diagram.pictures import BARE, NOTED


def columns(lines: list[str]) -> list[tuple[int, int | None]]:
    """Where each column of the matrix begins and ends, by its head."""
    starts = [0, *(match.start() for match in re.finditer(r"\S+", lines[0]))]
    return list(zip(starts, [*starts[1:], None], strict=True))


def cells(picture: str) -> dict[tuple[State, Trigger], str]:
    """Read the matrix back: the words of each cell."""
    lines = picture[picture.index("\n\n", picture.index("!  ")) + 2 :].splitlines()
    bounds = columns(lines)
    found: defaultdict[tuple[State, Trigger], list[str]] = defaultdict(list)
    state = None
    for line in lines[2:]:
        words = [line[start:end].strip() for start, end in bounds]
        name = words[0].removeprefix("*")
        state = State(name) if name in {each.value for each in State} else state
        assert state is not None
        for trigger, word in zip(Trigger, words[1:], strict=True):
            found[state, trigger].append(word)
    return {pair: " ".join(" ".join(words).split()) for pair, words in found.items()}


def test_every_cell_says_what_the_machine_does() -> None:
    found = cells(text(BARE))
    assert len(found) == len(State) * len(Trigger)
    for (state, trigger), words in found.items():
        expected = [
            ("(stays)" if row.target is None else row.target.value, row.guard)
            for row in TABLE
            if (row.source, row.trigger) == (state, trigger)
        ] + [
            ("-", each.guard) for each in IGNORED if (each.source, each.trigger) == (state, trigger)
        ]
        entries = [name if guard is None else f"{name} [{guard.value}]" for name, guard in expected]
        assert words == (" ".join(entries) or "!"), (state, trigger)


def test_the_resting_states_are_marked() -> None:
    picture = text(BARE)
    assert picture.count("(start,") == picture.count("(rest)") == 1


def test_it_is_drawn_from_what_it_is_given() -> None:
    one = Row(State.OPEN, Trigger.LOST, Guard.RETRY, State.BACKOFF)
    found = cells(text(Picture(rows=[one])))
    assert found[State.OPEN, Trigger.LOST] == "backoff [retry]"
    assert found[State.CLOSED, Trigger.CONNECT] == "!"


@pytest.mark.spec("L1.1")
def test_it_is_ascii_and_fits_a_wide_terminal() -> None:
    picture = text(BARE)
    assert picture.isascii()
    assert max(len(line) for line in picture.splitlines()) <= 120
    assert not [line for line in picture.splitlines() if line != line.rstrip()]


def test_notes_stand_in_the_cells_and_below() -> None:
    picture = text(NOTED)
    assert picture.isascii()
    found = cells(picture[: picture.index("connecting: lost")])
    rows = {row.target: n for row, n in NOTED.counts.items() if row.source is State.OPEN}
    assert found[State.OPEN, Trigger.LOST] == (
        f"*backoff x{rows[State.BACKOFF]} [retry] passive x{rows[State.PASSIVE]} [hold] "
        f"closed x{rows[State.CLOSED]} [stop]"
    )
    for row, rules in NOTED.rules.items():
        assert row.guard is not None
        text_of_rules = ", ".join(rules) or "no rule"
        assert f"{row.source.value}: lost [{row.guard.value}]\n  {text_of_rules}\n" in picture
    assert picture.endswith(f"\n{NOTED.caption}\n")
