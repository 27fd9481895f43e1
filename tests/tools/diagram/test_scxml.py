"""The SCXML: every row and every ignored pair once; `make prove` runs it in an engine."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from recloser.diagram.picture import Picture
from recloser.diagram.scxml import NAMESPACE, scxml
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, TABLE, Row
from tests.tools.diagram.pictures import BARE, NOTED, pictures

SCXML = "{http://www.w3.org/2005/07/scxml}"
OURS = f"{{{NAMESPACE}}}"


def read(text: str) -> list[tuple[Row, ET.Element]]:
    """Every transition as a row, with its element."""
    found = []
    for state in ET.fromstring(text).findall(f"{SCXML}state"):
        for each in state.findall(f"{SCXML}transition"):
            condition = re.fullmatch(r"_event\.data == '(.*)'", each.get("cond", ""))
            assert (condition is None) is (each.get("cond") is None)
            target = each.get("target")
            row = Row(
                State(state.get("id")),
                Trigger(each.get("event")),
                None if condition is None else Guard(condition[1]),
                None if target is None else State(target),
            )
            found.append((row, each))
    return found


@pytest.mark.spec("L1.8")
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_every_row_and_every_ignored_pair_is_there_once(picture: Picture) -> None:
    found = read(scxml(picture))
    rows = [row for row, each in found if each.get(f"{OURS}effect") != "ignored"]
    assert sorted(rows, key=TABLE.index) == list(TABLE)
    for row, each in found:
        assert (row.target is None) is (each.get(f"{OURS}effect") in ("stays", "ignored"))
    ignored = {
        (row.source, row.trigger, row.guard, each.get(f"{OURS}why"))
        for row, each in found
        if each.get(f"{OURS}effect") == "ignored"
    }
    assert ignored == {(*each[:3], each.why) for each in IGNORED}


@given(pictures)
def test_it_is_drawn_from_what_it_is_given(picture: Picture) -> None:
    found = {
        row: each for row, each in read(scxml(picture)) if each.get(f"{OURS}effect") != "ignored"
    }
    assert sorted(found, key=TABLE.index) == picture.rows
    for row, each in found.items():
        rules = " ".join(picture.rules[row]) if row in picture.rules else None
        assert each.get(f"{OURS}rules") == rules
        count = str(picture.counts[row]) if row in picture.counts else None
        assert each.get(f"{OURS}count") == count
        lit = each.get(f"{OURS}highlighted") is not None
        assert lit is ((row.source, row.target) in picture.path)


def test_it_starts_in_closed_and_marks_what_is_highlighted() -> None:
    root = ET.fromstring(scxml(NOTED))
    assert root.get("initial") == "closed"
    assert root.get("datamodel") == "ecmascript"
    states = root.findall(f"{SCXML}state")
    assert [each.get("id") for each in states] == [state.value for state in State]
    lit = {State(each.get("id")) for each in states if each.get(f"{OURS}highlighted")}
    assert lit == NOTED.marked
