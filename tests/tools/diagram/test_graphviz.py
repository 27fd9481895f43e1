"""SVG and PNG as Graphviz draws them: the same content, nothing on top of anything else."""

import struct
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from recloser.diagram.close_event import close_event_dot
from recloser.diagram.dot import dot
from recloser.diagram.picture import Picture
from recloser.diagram.theme import THEMES
from recloser.fsm.table import TABLE
from tests.tools.diagram.pictures import BARE, NOTED
from tests.tools.diagram.reading import SVG, dot_groups, read_groups, svg_groups

pytest.importorskip("pygraphviz")
from recloser.diagram.graphviz import draw

TIMES = "\N{MULTIPLICATION SIGN}"
README = 830 * 0.75
"""Points: how wide a README shows a picture (830 px, CSS pixels of 1/96 inch)."""


@pytest.mark.spec("L1.1")
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_svg_shows_every_row_of_the_table_once(picture: Picture, theme: str) -> None:
    source = dot(picture, THEMES[theme])
    groups = svg_groups(draw(source, "svg"))
    assert groups == dot_groups(source)
    found = read_groups(groups)
    assert len(found.rows) == len(TABLE)
    assert set(found.rows) == set(TABLE)
    assert found.counts == picture.counts
    assert set(found.notes) == set(picture.rules)


def test_svg_shows_every_hop() -> None:
    assert svg_groups(draw(close_event_dot(), "svg")) == dot_groups(close_event_dot())


@dataclass(frozen=True)
class Text:
    words: str
    left: float
    right: float
    top: float
    bottom: float

    def hits(self, other: "Text") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def texts(picture: bytes) -> list[Text]:
    """The boxes of all texts, with letters as wide as they are in the usual fonts."""
    found = []
    for each in ET.fromstring(picture).iter(f"{SVG}text"):
        words, size = "".join(each.itertext()).strip(), float(each.get("font-size", "14"))
        width = 0.5 * size * len(words)
        x, y = float(each.get("x", "")), float(each.get("y", ""))
        left = x if each.get("text-anchor") == "start" else x - width / 2
        found.append(Text(words, left, left + width, y - 0.7 * size, y + 0.1 * size))
    # A count stands on the line of its label, where Graphviz itself measured.
    return [text for text in found if text.words and not text.words.startswith(TIMES)]


@pytest.mark.spec("L1.1")
@pytest.mark.parametrize(
    "source", [dot(BARE), dot(NOTED), close_event_dot()], ids=["bare", "noted", "close-event"]
)
def test_no_text_overlaps_another(source: str) -> None:
    pairs = combinations(texts(draw(source, "svg")), 2)
    assert not [(one.words, other.words) for one, other in pairs if one.hits(other)]


@pytest.mark.spec("L1.1")
def test_the_machine_is_legible_at_the_width_of_a_readme() -> None:
    picture = draw(dot(BARE), "svg")
    width = float(ET.fromstring(picture).get("width", "").removesuffix("pt"))
    sizes = [
        float(text.get("font-size", "14")) for text in ET.fromstring(picture).iter(f"{SVG}text")
    ]
    assert min(sizes) * min(1, README / width) >= 8.5


def test_png_is_sharp() -> None:
    picture = draw(dot(BARE), "png")
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert 1200 <= width <= 2400
    assert height <= width * 1.3


def test_it_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    draw(dot(BARE), "svg")
    assert capfd.readouterr() == ("", "")


def test_what_graphviz_complains_about_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    draw("digraph { a [label=<<nonsense/>>] }", "svg")
    assert "nonsense" in capfd.readouterr().err
