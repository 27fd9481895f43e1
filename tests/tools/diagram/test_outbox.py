"""The states of a message: every picture shows all that the live table has, and nothing else."""

import re

import pytest

from recloser.diagram.canvas import ASCII, UNICODE, Signs
from recloser.diagram.outbox import (
    WIDTH,
    live_moves,
    outbox_dot,
    outbox_listing,
    outbox_mermaid,
    outbox_terminal,
    outbox_text,
)
from recloser.outbox import table
from recloser.outbox.table import (
    FINAL,
    SKIPPED,
    TABLE,
    BrokenMessageTableError,
    Kind,
    MessageState,
    MessageTrigger,
    Skipped,
    Transition,
    check,
)
from tests.tools.diagram.reading import dot_groups

LABELS = sorted(
    row.trigger.value if row.guard is None else f"{row.trigger.value} [{row.guard.value}]"
    for row in TABLE
)


@pytest.mark.spec("L1.1")
def test_the_live_moves_are_the_rows_of_the_table() -> None:
    assert set(live_moves()) == set(TABLE)
    assert len(live_moves()) == len(TABLE)


@pytest.mark.spec("L1.1")
def test_mermaid_has_every_row() -> None:
    found = []
    for line in outbox_mermaid().splitlines():
        parts = re.fullmatch(r" +(\w+) --> (\w+) : (.*)", line)
        if parts is not None:
            source, target = (MessageState(name.replace("_", " ")) for name in parts.groups()[:2])
            found += [
                (source, target, re.sub("<[^>]*>", "", label)) for label in parts[3].split("<br/>")
            ]
    assert sorted(label for _, _, label in found) == LABELS
    assert {each[:2] for each in found} == {(row.source, row.target) for row in TABLE}
    assert {
        state for state in MessageState if f"{state.value} --> [*]" in outbox_mermaid()
    } == FINAL


@pytest.mark.spec("L1.1")
def test_dot_has_every_row() -> None:
    words = [word for group in dot_groups(outbox_dot()).values() for word in group]
    for label in LABELS:
        assert label in words


@pytest.mark.spec("L1.1")
@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_the_terminal_has_every_row_and_keeps_its_width(signs: Signs) -> None:
    picture = outbox_terminal(signs)
    lines = picture.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert picture.isascii() is (signs is ASCII)
    arrows = [line for line in lines if signs.right in line]
    found = [
        part.strip(f" {signs.line}{signs.from_left}")
        for part in ", ".join(line.partition(signs.right)[0] for line in arrows).split(",")
    ]
    assert sorted(found) == LABELS


@pytest.mark.spec("L1.1")
def test_the_matrix_decides_every_pair() -> None:
    body = outbox_text().split("\n\n")[2:]
    assert len(body) == len(MessageState) + 1
    cells = sum(len(re.split(r"  +", block.splitlines()[0].strip())) - 1 for block in body[1:])
    assert cells == len(MessageState) * len(MessageTrigger)
    assert outbox_text().isascii()


@pytest.mark.spec("L1.1")
def test_the_listing_says_the_same() -> None:
    listing = outbox_listing()
    assert [each["name"] for each in listing["states"]] == [state.value for state in MessageState]
    assert {each["name"] for each in listing["states"] if each["end"]} == {
        state.value for state in FINAL
    }
    assert len(listing["rows"]) == len(TABLE)
    assert [each["why"] for each in listing["ignored"]] == [each.why for each in SKIPPED]


S, T = MessageState, MessageTrigger

FLAWS: list[tuple[tuple[Transition, ...], tuple[Skipped, ...], str]] = [
    ((*TABLE, TABLE[0]), SKIPPED, "two entries"),
    (TABLE, (*SKIPPED, Skipped(S.OFFERED, T.ADMIT, "twice")), "two entries"),
    ((*TABLE, Transition(S.WAITING, T.SENT, Kind.PLAIN, S.SETTLED)), SKIPPED, "one for each kind"),
    ((*TABLE, Transition(S.SETTLED, T.OVERDUE, None, S.WAITING)), SKIPPED, "is final"),
    (tuple(r for r in TABLE if r.target is not S.DROPPED), SKIPPED, "nothing leads to dropped"),
    (tuple(r for r in TABLE if r.source is not S.ON_THE_WIRE), SKIPPED, "leads to no final state"),
]


@pytest.mark.spec("G1.2")
@pytest.mark.parametrize(("rows", "skipped", "problem"), FLAWS)
def test_a_table_that_contradicts_itself_is_refused(
    rows: tuple[Transition, ...], skipped: tuple[Skipped, ...], problem: str
) -> None:
    with pytest.raises(BrokenMessageTableError, match=problem):
        check(rows, skipped)
    table.check()
