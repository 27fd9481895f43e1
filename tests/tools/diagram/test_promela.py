"""The model in Promela: every row of both tables once; `make prove` has Spin verify it."""

import re

import pytest
from hypothesis import given

from recloser.diagram.picture import Picture
from recloser.diagram.promela import promela
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, TABLE, Row
from recloser.outbox.table import SKIPPED, Kind, MessageState, MessageTrigger, Transition
from recloser.outbox.table import TABLE as MESSAGES
from tests.tools.diagram.pictures import BARE, NOTED, pictures

BRANCH = re.compile(
    r"  :: state == S_(\w+) && t == T_(\w+)(?: && guard == G_(\w+))?"
    r" -> (?:state = S_(\w+); )?taken = (true|false)"
)
TURN = re.compile(
    r"  :: message\[m\] == M_(\w+) && u == U_(\w+)(?: && kind\[m\] == K_(\w+))?"
    r"(?: -> message\[m\] = M_(\w+))?"
)


def body(name: str, text: str) -> list[str]:
    [found] = re.findall(rf"\ninline {name}\([^)]*\) {{\n(.*?)\n}}", text, re.DOTALL)
    return [line for line in found.splitlines() if line.startswith("  :: ")]


def read(text: str) -> tuple[list[Row], list[Row]]:
    """Every branch of `fire`: those that are taken, and those that are ignored."""
    *branches, last = body("fire", text)
    assert last.startswith("  :: else -> assert(false)")
    taken, ignored = list[Row](), list[Row]()
    for line in branches:
        match = BRANCH.fullmatch(line)
        assert match is not None, line
        row = Row(
            State[match[1]],
            Trigger[match[2]],
            None if match[3] is None else Guard[match[3]],
            None if match[4] is None else State[match[4]],
        )
        (taken if match[5] == "true" else ignored).append(row)
    return taken, ignored


@pytest.mark.spec("L1.9")
@pytest.mark.parametrize("picture", [BARE, NOTED], ids=["bare", "noted"])
def test_every_row_and_every_ignored_pair_is_there_once(picture: Picture) -> None:
    taken, ignored = read(promela(picture))
    assert sorted(taken, key=TABLE.index) == list(TABLE)
    assert ignored == [Row(*each[:3], None) for each in IGNORED]


@given(pictures)
def test_it_is_drawn_from_what_it_is_given(picture: Picture) -> None:
    assert read(promela(picture))[0] == picture.rows


@pytest.mark.spec("L1.9")
def test_every_move_of_a_message_is_there_once() -> None:
    *branches, last = body("turn", promela(BARE))
    assert last.startswith("  :: else -> assert(false)")
    moves, skipped = list[Transition](), list[tuple[MessageState, MessageTrigger]]()
    for line in branches:
        match = TURN.fullmatch(line)
        assert match is not None, line
        source, trigger = MessageState[match[1]], MessageTrigger[match[2]]
        if match[4] is None:
            assert match[3] is None
            skipped.append((source, trigger))
        else:
            kind = None if match[3] is None else Kind[match[3]]
            moves.append(Transition(source, trigger, kind, MessageState[match[4]]))
    assert moves == list(MESSAGES)
    assert skipped == [each[:2] for each in SKIPPED]


def test_each_word_is_declared_once() -> None:
    text = promela(BARE)
    [declared] = re.findall(r"mtype = { (.*) };", text)
    names = declared.split(", ")
    assert len(set(names)) == len(names)
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert set(re.findall(r"\b[STGMUK]_[A-Z_]+\b", code)) <= set(names)
