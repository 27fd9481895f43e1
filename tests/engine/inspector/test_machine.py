"""The drawing of the machine: every state, every arrow of the table, and nothing through a box."""

import re
from xml.etree import ElementTree as ET

import pytest

from recloser.fsm.states import State
from recloser.fsm.table import TABLE
from recloser.inspector.machine import BOX, PLACES, edges, svg

NAME = "{http://www.w3.org/2000/svg}"


@pytest.mark.spec("I9.3")
def test_the_drawing_is_that_of_the_table() -> None:
    root = ET.fromstring(svg())
    states = {group.get("data-state") for group in root.iter(f"{NAME}g")}
    assert states == {state.value for state in State}
    drawn = {
        (path.get("data-from"), path.get("data-to"))
        for path in root.iter(f"{NAME}path")
        if path.get("class") == "edge"
    }
    rows = {(row.source.value, row.target.value) for row in TABLE if row.target is not None}
    assert drawn == rows
    assert len(edges()) == len(rows)


@pytest.mark.spec("I9.3")
def test_no_arrow_goes_through_a_box() -> None:
    root = ET.fromstring(svg())
    for path in root.iter(f"{NAME}path"):
        if path.get("class") != "edge":
            continue
        way = path.get("d", "")
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", way)]
        (x1, y1), (x2, y2) = numbers[:2], numbers[-2:]
        bend = numbers[2:4] if "Q" in way else [(x1 + x2) / 2, (y1 + y2) / 2]
        for step in range(2, 99):
            t = step / 100
            x = (1 - t) ** 2 * x1 + 2 * t * (1 - t) * bend[0] + t**2 * x2
            y = (1 - t) ** 2 * y1 + 2 * t * (1 - t) * bend[1] + t**2 * y2
            for left, top in PLACES.values():
                inside = left + 1 < x < left + BOX[0] - 1 and top + 1 < y < top + BOX[1] - 1
                assert not inside, way
