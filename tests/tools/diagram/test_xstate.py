"""The JSON for XState: every row and every ignored pair once; `make prove` runs it there."""

import json
from typing import Any

import pytest
from hypothesis import given

from recloser.diagram.picture import Picture
from recloser.diagram.xstate import xstate
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, TABLE, Row
from tests.tools.diagram.pictures import BARE, NOTED, pictures


def read(text: str) -> list[tuple[Row, dict[str, Any]]]:
    """Every transition as a row, with the transition itself."""
    found = []
    for source, state in json.loads(text)["states"].items():
        for trigger, transitions in state["on"].items():
            for each in transitions:
                guard = each.get("guard", {"type": "given", "params": {"guard": None}})
                assert guard["type"] == "given"
                name = guard["params"]["guard"]
                row = Row(
                    State(source),
                    Trigger(trigger),
                    None if name is None else Guard(name),
                    State(each["target"]) if "target" in each else None,
                )
                found.append((row, each))
    return found


@pytest.mark.spec("L1.8")
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_every_row_and_every_ignored_pair_is_there_once(picture: Picture) -> None:
    found = read(xstate(picture))
    effects = [each.get("meta", {}).get("effect") for _, each in found]
    rows = [row for (row, _), effect in zip(found, effects, strict=True) if effect != "ignored"]
    assert sorted(rows, key=TABLE.index) == list(TABLE)
    for (row, _), effect in zip(found, effects, strict=True):
        assert (row.target is None) is (effect in ("stays", "ignored"))
    ignored = {
        (row.source, row.trigger, row.guard, each["description"])
        for (row, each), effect in zip(found, effects, strict=True)
        if effect == "ignored"
    }
    assert ignored == {(*each[:3], each.why) for each in IGNORED}


@given(pictures)
def test_it_is_drawn_from_what_it_is_given(picture: Picture) -> None:
    found = {
        row: each.get("meta", {})
        for row, each in read(xstate(picture))
        if each.get("meta", {}).get("effect") != "ignored"
    }
    assert sorted(found, key=TABLE.index) == picture.rows
    for row, meta in found.items():
        assert meta.get("rules") == (list(picture.rules[row]) if row in picture.rules else None)
        assert meta.get("count") == picture.counts.get(row)
        assert meta.get("highlighted", False) is ((row.source, row.target) in picture.path)


def test_the_start_the_rest_and_what_is_highlighted_have_tags() -> None:
    machine = json.loads(xstate(NOTED))
    assert machine["initial"] == "closed"
    tags = {name: set(state.get("tags", ())) for name, state in machine["states"].items()}
    assert tags["closed"] >= {"start", "end"}
    assert tags["passive"] >= {"rest"}
    assert {State(name) for name, each in tags.items() if "highlighted" in each} == NOTED.marked
    assert NOTED.caption in machine["description"]
