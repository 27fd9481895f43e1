"""The Mermaid picture: every row of the table once, in text that any version reads."""

import re

import pytest

from recloser.diagram import edges, mermaid
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import TABLE, Row

LABEL = re.compile(r"(?P<trigger>\w+)(?: \[(?P<guard>[^\]]+)\])?(?P<stays> \(stays\))?")


def rows(picture: str) -> list[Row]:
    """Read the picture back."""
    found = []
    for line in picture.splitlines():
        target: str | None
        match line.split():
            case ["[*]", "-->", _] | [_, "-->", "[*]"]:
                continue
            case [source, "-->", target, ":", *_]:
                labels = line.split(" : ")[1]
            case [source, ":", *_] if "(stays)" in line:
                target, labels = None, line.split(" : ")[1]
            case _:
                continue
        for label in labels.split(", "):
            parts = LABEL.fullmatch(label)
            assert parts is not None, label
            assert (parts["stays"] is not None) is (target is None)
            found.append(
                Row(
                    State(source),
                    Trigger(parts["trigger"]),
                    None if parts["guard"] is None else Guard(parts["guard"]),
                    None if target is None else State(target),
                )
            )
    return found


@pytest.mark.spec("L1")
def test_every_row_of_the_table_is_drawn_once() -> None:
    found = rows(mermaid(edges()))
    assert len(found) == len(TABLE)
    assert set(found) == set(TABLE)


def test_start_end_and_rest_are_marked() -> None:
    picture = mermaid(edges()).splitlines()
    assert "    [*] --> closed" in picture
    assert "    closed --> [*]" in picture
    assert "    class closed, passive rest" in picture


def test_one_arrow_for_each_pair_of_states() -> None:
    arrows = re.findall(r"^    (\w+ --> \w+) :", mermaid(edges()), re.MULTILINE)
    assert len(arrows) == len(set(arrows))


def test_labels_have_no_second_colon() -> None:
    """Mermaid 10 ends a label there."""
    assert not [line for line in mermaid(edges()).splitlines() if line.count(":") > 1]


def test_it_is_drawn_from_what_it_is_given() -> None:
    some = [Row(State.OPEN, Trigger.LOST, Guard.RETRY, State.BACKOFF)]
    assert rows(mermaid(some)) == some
