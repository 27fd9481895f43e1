"""The HTML picture: one file, nothing from elsewhere, and the data that it is clicked through."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from recloser.diagram.dot import dot
from recloser.diagram.graphviz import draw
from recloser.diagram.html import Play, Step, html, journal_plays, story_plays
from recloser.diagram.listing import machine_listing
from recloser.diagram.picture import Picture
from recloser.diagram.theme import follow_reader
from recloser.fsm.states import State
from recloser.journal.reader import Reader
from recloser.testing import examine
from recloser.testing.gallery import RedialsAfterLogout
from tests.tools.diagram.pictures import BARE, NOTED

FEED = Path(__file__).parents[3] / "examples" / "feed.jsonl"
MARKUP = "</script><script>alert(1)</script>"


def page(picture: Picture, *plays: Play) -> str:
    return html(picture, follow_reader(draw(dot(picture), "svg")).decode(), plays)


def data(text: str) -> Any:
    [found] = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text)
    return json.loads(found)


def told() -> dict[str, object]:
    report = examine(RedialsAfterLogout, laws=["intentional-stops"], quick=True)
    return {"laws": [each.figures() for each in report.verdicts]}


@pytest.mark.spec("L1.10")
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_it_has_the_rows_and_everything_that_its_script_looks_for(picture: Picture) -> None:
    text = page(picture)
    assert data(text) == {**machine_listing(picture), "plays": []}
    titles = {each.replace("&#45;&gt;", "->") for each in re.findall(r"<title>(.*?)</title>", text)}
    wanted = {f"{source.value}->{target.value}" for source, target in picture.arrows()}
    assert {each.value for each in State} | wanted <= titles
    for name in re.findall(r'\bat\("(\w+)"\)', text):
        assert f'id="{name}"' in text


@pytest.mark.spec("L1.10")
def test_nothing_in_it_comes_from_elsewhere() -> None:
    text = page(NOTED)
    assert set(re.findall(r"https?://[^\"' >]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"\b(src|href)\s*=|@import|url\(|fetch\(|XMLHttpRequest", text)
    assert "default-src 'none'" in text


@pytest.mark.spec("L1.10")
def test_the_same_call_gives_the_same_bytes() -> None:
    assert page(NOTED) == page(NOTED)


@pytest.mark.spec("L1.10")
def test_a_journal_becomes_the_life_of_each_engine() -> None:
    entries = [*Reader(BytesIO(FEED.read_bytes()))]
    plays = journal_plays(entries)
    assert sum(len(each.steps) for each in plays) == len(entries)
    for play in plays:
        assert play.title
        for step, after in zip(play.steps, play.steps[1:], strict=False):
            assert step.to_state is after.from_state
    assert any("again in" in step.text and "rule" in step.text for step in plays[0].steps)


@pytest.mark.spec("L1.10")
def test_a_story_of_the_check_becomes_a_play() -> None:
    [play] = story_plays(json.loads(json.dumps(told())))
    assert play.title.startswith("intentional-stops: it says Retry")
    assert play.steps[0].from_state is State.CLOSED
    assert "POLICY ERROR" in play.steps[-1].text


@pytest.mark.parametrize(
    "broken",
    [
        [],
        {},
        {"laws": [{}]},
        {"laws": [{"name": "x", "problem": "y", "moments": [{"at": "soon"}]}]},
        {"laws": 3},
    ],
)
def test_what_is_no_report_is_refused(broken: object) -> None:
    with pytest.raises(ValueError, match="recloser check --json"):
        story_plays(broken)


@pytest.mark.spec("L1.10")
def test_markup_is_inert() -> None:
    step = Step("0 s", MARKUP, State.CLOSED, State.CONNECTING)
    text = page(BARE, Play(MARKUP, [step]))
    assert MARKUP not in text
    [play] = data(text)["plays"]
    assert play["title"] == play["steps"][0]["text"] == MARKUP
    assert "innerHTML" not in text
