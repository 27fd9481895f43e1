"""SVG and PNG as Graphviz draws them: the same content, nothing on top of anything else."""

import os
import re
import struct
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO
from itertools import combinations, product
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from recloser import policies
from recloser.diagram.close_event import close_event_dot
from recloser.diagram.dot import dot
from recloser.diagram.picture import LegendMark, Picture
from recloser.diagram.theme import COLOURS, THEMES, Theme, follow_reader
from recloser.explain.transitions import rules_by_transition
from recloser.fsm.table import TABLE
from tests.tools.diagram.pictures import BARE, NOTED
from tests.tools.diagram.reading import SVG, dot_groups, read_groups, svg_groups

pytest.importorskip("pygraphviz")
pytest.importorskip("matplotlib")
from matplotlib.font_manager import FontProperties
from matplotlib.image import imread
from matplotlib.textpath import TextPath

from recloser.diagram.graphviz import draw

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


def measure(words: str, size: float, weight: str) -> float:
    """The width in points, in the widest of the usual fonts; matplotlib brings it along."""
    font = FontProperties(family="DejaVu Sans", weight=weight)
    return float(TextPath((0, 0), words, size=size, prop=font).get_extents().width) if words else 0


def texts(picture: bytes) -> list[Text]:
    """The boxes of all texts."""
    found = []
    for each in ET.fromstring(picture).iter(f"{SVG}text"):
        words, size = "".join(each.itertext()).strip(), float(each.get("font-size", "14"))
        width = measure(words, size, each.get("font-weight", "normal"))
        x, y = float(each.get("x", "")), float(each.get("y", ""))
        left = x if each.get("text-anchor") == "start" else x - width / 2
        found.append(Text(words, left, left + width, y - 0.7 * size, y + 0.1 * size))
    return [text for text in found if text.words]


SOURCES = {"bare": dot(BARE), "noted": dot(NOTED), "close-event": close_event_dot()}


@pytest.mark.spec("L1.6")
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_no_text_overlaps_another(source: str) -> None:
    pairs = combinations(texts(draw(source, "svg")), 2)
    assert not [(one.words, other.words) for one, other in pairs if one.hits(other)]


ALONE = """
import sys
from recloser.diagram.graphviz import draw
sys.stdout.buffer.write(draw(sys.stdin.read(), "svg"))
"""


@pytest.mark.spec("L1.6")
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_layout_is_the_same_without_any_font(source: str, tmp_path: Path) -> None:
    (tmp_path / "fonts.conf").write_text(f"<fontconfig><dir>{tmp_path}</dir></fontconfig>")

    def shapes(**environment: str) -> list[tuple[str | None, ...]]:
        done = subprocess.run(
            [sys.executable, "-c", ALONE],
            input=source.encode(),
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
        )
        drawn = ET.fromstring(done.stdout).iter()
        return [tuple(map(each.get, ("d", "points", "viewBox", "cx", "cy"))) for each in drawn]

    assert shapes(FONTCONFIG_FILE=str(tmp_path / "fonts.conf")) == shapes()


@pytest.mark.spec("L1.1")
def test_the_machine_is_legible_at_the_width_of_a_readme() -> None:
    picture = draw(dot(BARE), "svg")
    width = float(ET.fromstring(picture).get("width", "").removesuffix("pt"))
    sizes = [
        float(text.get("font-size", "14")) for text in ET.fromstring(picture).iter(f"{SVG}text")
    ]
    assert min(sizes) * min(1, README / width) >= 8.5


@pytest.mark.spec("L1.7")
@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
@pytest.mark.parametrize("kind", ["bare", "noted", "standard", "close-event"])
def test_png_is_sharp_small_and_has_no_ground(kind: str, theme: Theme) -> None:
    rules = rules_by_transition(policies.standard(), TABLE)
    source = {
        "bare": lambda: dot(BARE, theme),
        "noted": lambda: dot(NOTED, theme),
        "standard": lambda: dot(Picture(rules=rules), theme),
        "close-event": lambda: close_event_dot(theme),
    }[kind]()
    picture = draw(source, "png", theme.ground)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) <= 120_000
    width, height = struct.unpack(">II", picture[16:24])
    assert 900 <= width <= 2400
    assert height <= width * 1.7
    pixels = imread(BytesIO(picture))
    assert pixels.shape == (height, width, 4)
    for x, y in product((0, -1), repeat=2):
        assert pixels[y][x][3] == 0  # each corner is transparent
    assert (pixels[..., 3] == 1).mean() > 0.01
    assert set(pixels[..., 3].flat) == {0, 1}


@pytest.mark.spec("L1.7")
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_svg_has_no_ground(source: str) -> None:
    picture = draw(source, "svg")
    [graph] = ET.fromstring(picture).findall(f"{SVG}g")
    assert not graph.findall(f"{SVG}polygon")
    assert THEMES["light"].ground.encode() not in picture


@pytest.mark.spec("L1.7")
@pytest.mark.parametrize("name", SOURCES)
def test_an_svg_that_follows_its_reader_has_every_dark_colour(name: str) -> None:
    light, dark = THEMES["light"], THEMES["dark"]
    sources = {
        "bare": dot(BARE, dark),
        "noted": dot(NOTED, dark),
        "close-event": close_event_dot(dark),
    }
    picture = follow_reader(draw(SOURCES[name], "svg"))
    assert svg_groups(picture) == dot_groups(SOURCES[name])
    [style] = ET.fromstring(picture).iter(f"{SVG}style")
    rules = re.findall(r'\[(fill|stroke)="(#\w+)"\]\{(\w+):(#\w+)\}', style.text or "")
    assert style.text is not None
    assert style.text.startswith("@media (prefers-color-scheme: dark){")
    assert all(use == name for use, _, name, _ in rules)
    turned = {(use, old): new for use, old, _, new in rules}

    def colours(svg: bytes) -> list[tuple[str, str]]:
        return [
            (use, each.get(use, ""))
            for each in ET.fromstring(svg).iter()
            if not each.tag.endswith("style")
            for use in ("fill", "stroke")
            if each.get(use, "none").startswith("#")
        ]

    drawn = colours(draw(sources[name], "svg"))
    assert [(use, turned[use, old]) for use, old in colours(picture)] == drawn
    assert light.ink != dark.ink


@pytest.mark.spec("L1.5")
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_the_legend_explains_every_colour_and_mark(picture: Picture) -> None:
    root = ET.fromstring(draw(dot(picture), "svg"))
    words = " ".join("".join(each.itertext()) for each in root.findall(f"{SVG}g/{SVG}text"))
    legend = " ".join(words.split())
    for text, trigger in COLOURS:
        assert text in legend
        assert f'fill="{THEMES["light"].of(trigger)}"'.encode() in draw(dot(picture), "svg")
    for mark in LegendMark:
        assert (f": {mark.value}" in legend) is (mark in picture.marks())


def test_it_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    draw(dot(BARE), "svg")
    assert capfd.readouterr() == ("", "")


def test_what_graphviz_complains_about_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    draw("digraph { a [label=<<nonsense/>>] }", "svg")
    assert "nonsense" in capfd.readouterr().err
