"""The PlantUML picture: every row once, in the colours of its trigger; `make prove` draws it."""

import re

import pytest
from hypothesis import given

from recloser.diagram.picture import LegendMark, Picture
from recloser.diagram.plantuml import plantuml
from recloser.diagram.theme import COLOURS, THEMES, Theme
from recloser.fsm.states import State, Trigger
from recloser.fsm.table import TABLE
from tests.tools.diagram.pictures import BARE, NOTED, pictures
from tests.tools.diagram.reading import Read

STATES = "|".join(state.value for state in State)


def read(text: str) -> Read:
    """Read the picture back."""
    found = Read()
    for line in text.splitlines():
        plain = re.sub(r"</?color[^>]*>", "", line)
        if arrow := re.fullmatch(rf"({STATES}) -\[.*\]-> ({STATES}) : (.*)", plain):
            found.arrow(State(arrow[1]), State(arrow[2]), arrow[3].split(r"\n"))
        elif inside := re.fullmatch(rf"({STATES}) : (.*)", plain):
            found.row(State(inside[1]), None, inside[2])
    return found


@pytest.mark.spec("L1.8")
def test_every_row_of_the_table_is_drawn_once() -> None:
    found = read(plantuml(BARE))
    assert len(found.rows) == len(TABLE)
    assert set(found.rows) == set(TABLE)


@given(pictures)
def test_it_is_drawn_from_what_it_is_given(picture: Picture) -> None:
    found = read(plantuml(picture))
    assert sorted(found.rows, key=TABLE.index) == picture.rows
    assert found.counts == {row: n for row, n in picture.counts.items() if row in picture.rows}
    assert set(found.notes) == set(picture.rules) & set(picture.rows)


@pytest.mark.spec("L1.5")
@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_every_label_has_the_colour_of_its_trigger(theme: Theme) -> None:
    text = plantuml(NOTED, theme)
    for trigger in Trigger:
        colours = set(re.findall(rf"<color:(#\w+)>{trigger.value}\b", text))
        assert colours == {theme.of(trigger)}
    assert f"BackgroundColor {theme.node}" in text


@pytest.mark.spec("L1.5")
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_the_legend_explains_every_colour_and_mark(picture: Picture) -> None:
    legend = plantuml(picture).partition("\nlegend\n")[2].partition("end legend")[0]
    for words, trigger in COLOURS:
        assert f"<color:{THEMES['light'].of(trigger)}>{words}</color>" in legend
    for mark in LegendMark:
        assert (f"= {mark.value}\n" in legend) is (mark in picture.marks())


def test_start_rest_and_highlights_are_marked() -> None:
    light = THEMES["light"]
    bare, noted = plantuml(BARE), plantuml(NOTED)
    frame, accent = light.frame.removeprefix("#"), light.accent.removeprefix("#")
    assert f"state closed ##[bold]{frame}\n" in bare
    assert f"state passive ##[dashed]{frame}\n" in bare
    assert "[*] --> closed\n" in bare
    assert accent not in bare
    lit = re.findall(rf"^state (\w+) {light.lit} ##\[bold\]{accent}$", noted, re.MULTILINE)
    assert {State(each) for each in lit} == NOTED.marked
    heavy = re.findall(rf"^(\w+) -\[{light.accent},bold\]-> (\w+) :", noted, re.MULTILINE)
    assert {(State(one), State(other)) for one, other in heavy} == NOTED.path
