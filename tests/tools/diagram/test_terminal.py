"""The drawing for a terminal: boxes, arrows and labels, read back from the characters."""

from itertools import combinations

import pytest
from hypothesis import given

from recloser.diagram.canvas import ASCII, UNICODE, Signs
from recloser.diagram.picture import Picture
from recloser.diagram.terminal import WIDTH, terminal
from recloser.fsm.states import State
from recloser.fsm.table import TABLE, Row
from tests.tools.diagram.pictures import BARE, LOST, NOTED, RULES, pictures
from tests.tools.diagram.reading import Read

BOTH = pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])


def lanes(picture: str) -> dict[int, State]:
    """The column of each state's line, from the middle of its box."""
    names = picture.splitlines()[1]
    return {names.index(f" {s.value} ") + (len(s.value) + 1) // 2: s for s in State}


def read(picture: str, signs: Signs) -> Read:
    """Read the drawing back: arrows between lanes, loops at a lane, labels on and below them."""
    found, at = Read(), lanes(picture)
    lines = [line.ljust(WIDTH) for line in picture.splitlines()[3:]]
    for number, line in enumerate(lines):
        loops = [c for c in at if lines[number - 1].startswith(signs.out, c)] if number else []
        loops = [c for c in loops if line.startswith(signs.back, c)]
        for column in loops:
            label = line[: column - 1] if "(stays)" in line[:column] else line[column + 4 :]
            label = label[: label.index("(stays)")].strip(f"{signs.life} ")
            for each in label.split(", "):
                found.row(at[column], None, f"{each} (stays)")
        arrow = _arrow(line, at, signs)
        if arrow is None or loops:
            continue
        source, target, left, right = arrow
        label = line[left + 1 : right].strip(
            signs.line + signs.heavy + signs.left + signs.right + " "
        )
        for below in lines[number + 1 :]:
            part = below[left + 1 : right]
            if not part.strip() or signs.life in part or _arrow(below, at, signs):
                break
            if "rule" in part or signs.out in below:
                break
            label += " " + part.strip()
        for each in label.split(", "):
            found.row(source, target, each)
    return found


def _arrow(line: str, at: dict[int, State], signs: Signs) -> tuple[State, State, int, int] | None:
    for (left, one), (right, other) in combinations(
        sorted(at.items(), key=lambda lane: lane[0]), 2
    ):
        inside = line[left + 1 : right]
        if not set(inside[:2] + inside[-2:]) & {signs.line, signs.heavy}:
            continue
        if line[left] == signs.from_left and inside[-1] == signs.right:
            return one, other, left, right
        if line[right] == signs.from_right and inside[0] == signs.left:
            return other, one, left, right
    return None


@pytest.mark.spec("L1.1")
@BOTH
def test_every_row_of_the_table_is_drawn_once(signs: Signs) -> None:
    found = read(terminal(BARE, signs), signs)
    assert len(found.rows) == len(TABLE)
    assert set(found.rows) == set(TABLE)


@BOTH
def test_counts_stand_on_the_arrows(signs: Signs) -> None:
    picture = Picture(rows=TABLE, counts=NOTED.counts)
    assert read(terminal(picture, signs), signs).counts == NOTED.counts


@pytest.mark.spec("L1.1")
@BOTH
@pytest.mark.parametrize("row", LOST)
def test_the_longest_name_of_a_rule_begins_further_left(row: Row, signs: Signs) -> None:
    name = max(RULES, key=len)
    lines = terminal(Picture(rows=TABLE, rules={row: [name, "x"]}), signs).splitlines()
    assert any(name in line for line in lines)
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.spec("L1.1")
@given(pictures)
def test_no_line_is_longer_than_a_terminal_is_wide(picture: Picture) -> None:
    for signs in (UNICODE, ASCII):
        lines = terminal(picture, signs).splitlines()
        assert max(map(len, lines)) <= WIDTH
        assert not [line for line in lines if line != line.rstrip()]


def test_the_rules_stand_below_their_arrow() -> None:
    lines = terminal(NOTED).splitlines()
    [at] = [n for n, line in enumerate(lines) if "lost [retry]" in line and UNICODE.heavy in line]
    rules = NOTED.rules[next(row for row in TABLE if row.source is State.OPEN and row.guard)]
    assert f"{len(rules)} rules: {rules[0]}" in lines[at + 1]


@pytest.mark.spec("L1.1")
def test_ascii_is_ascii_and_both_say_the_same() -> None:
    picture = terminal(NOTED, ASCII)
    assert picture.isascii()
    assert len(picture.splitlines()) == len(terminal(NOTED, UNICODE).splitlines())


@BOTH
def test_start_rest_and_highlights_have_frames_of_their_own(signs: Signs) -> None:
    top = terminal(NOTED, signs).splitlines()[0]
    frames = {
        state: top[column - 1 : column + 1] for column, state in lanes(terminal(NOTED)).items()
    }
    expected = dict.fromkeys(State, signs.plain) | dict.fromkeys(NOTED.marked, signs.lit)
    expected |= {State.CLOSED: signs.final, State.PASSIVE: signs.rest}
    assert frames == {state: box.signs[1] * 2 for state, box in expected.items()}


def test_a_highlighted_path_is_heavy() -> None:
    lines = terminal(NOTED).partition("\n\n")[0].splitlines()  # without the legend
    heavy = [line for line in lines if UNICODE.left in line or UNICODE.right in line]
    assert sum(UNICODE.heavy in line for line in heavy) == len(NOTED.path)
    assert not [line for line in terminal(BARE).splitlines() if UNICODE.heavy in line]


def test_it_is_drawn_from_what_it_is_given() -> None:
    one = Row(State.OPEN, TABLE[3].trigger, TABLE[3].guard, State.PASSIVE)
    assert read(terminal(Picture(rows=[one])), UNICODE).rows == [one]
