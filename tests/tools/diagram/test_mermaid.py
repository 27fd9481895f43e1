"""The Mermaid picture: every row of the table once, in text that any version reads."""

import re

import pytest
from hypothesis import given

from recloser.diagram.mermaid import mermaid
from recloser.diagram.picture import LegendMark, Picture
from recloser.diagram.theme import COLOURS, THEMES, Theme
from recloser.fsm.states import State, Trigger
from recloser.fsm.table import TABLE
from tests.tools.diagram.pictures import BARE, NOTED, pictures
from tests.tools.diagram.reading import Read


def read(picture: str) -> Read:
    """Read the picture back."""
    found = Read()
    for line in picture.splitlines():
        plain = re.sub("</?font[^>]*>", "", line)
        words, label = plain.split(), plain.partition(" : ")[2]
        match words:
            case ["[*]", "-->", _] | [_, "-->", "[*]"]:
                continue
            case [source, "-->", target, ":", *_]:
                lines = label.removeprefix("\N{BLACK STAR} ").split("<br/>")
                found.arrow(State(source), State(target), lines)
            case [source, ":", *_] if label != source:
                found.row(State(source), None, label)
    return found


@pytest.mark.spec("L1.1")
def test_every_row_of_the_table_is_drawn_once() -> None:
    found = read(mermaid(BARE))
    assert len(found.rows) == len(TABLE)
    assert set(found.rows) == set(TABLE)
    assert not found.counts
    assert not found.notes


@given(pictures)
def test_it_is_drawn_from_what_it_is_given(picture: Picture) -> None:
    found = read(mermaid(picture))
    assert sorted(found.rows, key=TABLE.index) == picture.rows
    assert found.counts == {row: n for row, n in picture.counts.items() if row in picture.rows}
    assert set(found.notes) == set(picture.rules) & set(picture.rows)
    assert mermaid(picture) == mermaid(picture)


def test_start_end_and_rest_are_marked() -> None:
    picture = mermaid(BARE).splitlines()
    for line in ("[*] --> closed", "closed --> [*]", "class closed final", "class passive rest"):
        assert f"    {line}" in picture


def test_one_arrow_for_each_pair_of_states() -> None:
    arrows = re.findall(r"^    (\w+ --> \w+) :", mermaid(BARE), re.MULTILINE)
    assert len(arrows) == len(set(arrows))


@pytest.mark.parametrize("picture", [BARE, NOTED])
def test_labels_have_no_second_colon(picture: Picture) -> None:
    """Mermaid 10 ends a label there."""
    lines = mermaid(picture).splitlines()[1:]
    assert not [line for line in lines if line.count(":") > 1 and not line.startswith("    class")]


def test_what_is_highlighted_is_marked() -> None:
    text = mermaid(NOTED)
    assert "    class connecting, open, backoff marked\n" in text
    starred = re.findall(r"(\w+ --> \w+) : \N{BLACK STAR} ", text)
    assert sorted(starred) == ["backoff --> connecting", "open --> backoff"]
    assert "marked" not in mermaid(BARE)


@pytest.mark.spec("L1.5")
@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_every_label_has_the_colour_of_its_trigger(theme: Theme) -> None:
    text = mermaid(NOTED, theme)
    head, *_ = text.splitlines()
    colours = {theme.of(trigger): set[str]() for trigger in Trigger}
    for colour, words in re.findall('<font color="(#[0-9a-f]{6})">(.*?)</font>', text):
        if colour in colours:
            colours[colour] |= {words.split()[0]} & {trigger.value for trigger in Trigger}
    for trigger in Trigger:
        assert trigger.value in colours[theme.of(trigger)]
    assert sum(map(len, colours.values())) == len(Trigger)  # and in no other
    assert f'"primaryColor": "{theme.node}"' in head
    assert f'"edgeLabelBackground": "{theme.ground}"' in head


@pytest.mark.spec("L1.5")
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_the_legend_explains_every_colour_and_mark(picture: Picture) -> None:
    text = mermaid(picture)
    legend = text.partition("note left of closed\n")[2].partition("end note")[0]
    for words, _ in COLOURS:
        assert words in legend
    for mark in LegendMark:
        assert (f"= {mark.value}\n" in legend) is (mark in picture.marks())
