"""The DOT source: every row once, whatever stands on it, and the marks."""

import re

import pytest
from hypothesis import given

from recloser.diagram.dot import HINTS, ORDER, dot
from recloser.diagram.picture import Picture
from recloser.diagram.theme import THEMES, Theme
from recloser.fsm.states import State, Trigger
from recloser.fsm.table import TABLE
from tests.tools.diagram.pictures import BARE, NOTED, pictures
from tests.tools.diagram.reading import dot_groups, read_groups


@pytest.mark.spec("L1.1")
def test_every_row_of_the_table_is_drawn_once() -> None:
    found = read_groups(dot_groups(dot(BARE)))
    assert len(found.rows) == len(TABLE)
    assert set(found.rows) == set(TABLE)


@given(pictures)
def test_it_is_drawn_from_what_it_is_given(picture: Picture) -> None:
    found = read_groups(dot_groups(dot(picture)))
    assert sorted(found.rows, key=TABLE.index) == picture.rows
    assert found.counts == {row: n for row, n in picture.counts.items() if row in picture.rows}
    assert set(found.notes) == set(picture.rules) & set(picture.rows)


def statement(source: str, subject: str) -> str:
    [line] = re.findall(rf"^  {subject} \[.*\]$", source, re.MULTILINE)
    return str(line)


def test_start_end_rest_and_highlights_are_marked() -> None:
    source = dot(NOTED)
    assert statement(source, "start -> closed")
    assert 'peripheries="2"' in statement(source, "closed")
    assert "dashed" in statement(source, "passive")
    for state in State:
        lit = f'fillcolor="{THEMES["light"].lit}"' in statement(source, state.value)
        assert lit is (state in NOTED.marked)
    heavy = set(re.findall(r"^  (\w+) -> (\w+) \[.*penwidth", source, re.MULTILINE))
    assert heavy == {("open", "backoff"), ("backoff", "connecting")}


def test_hints_name_every_state_and_only_arrows_that_exist() -> None:
    assert set(ORDER) == set(State)
    assert set(HINTS) <= set(BARE.arrows())


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_every_text_can_be_read_on_its_ground(theme: Theme) -> None:
    """Contrast 4.5 at least (WCAG 2.2, 1.4.3)."""

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    colours = {theme.of(trigger) for trigger in Trigger}
    for colour in {*colours, theme.ink, theme.quiet, theme.accent}:
        assert contrast(colour, theme.ground) >= 4.5
    for ground in (theme.node, theme.lit):
        for colour in {*colours, theme.ink}:
            assert contrast(colour, ground) >= 4.5
