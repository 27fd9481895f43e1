"""The table is complete, free of contradictions, and says what the design promises."""

from collections import defaultdict

import pytest

from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import IGNORED, TABLE, BrokenTableError, Ignored, Row, check

S, T, G = State, Trigger, Guard


@pytest.mark.parametrize(
    ("rows", "ignored", "problem"),
    [
        pytest.param(
            [Row(S.OPEN, T.CLOSE, None, S.CLOSING), Row(S.OPEN, T.CLOSE, None, S.CLOSED)],
            [],
            "two entries with one guard",
            id="two rows of one pair",
        ),
        pytest.param(
            [Row(S.OPEN, T.LOST, G.STOP, S.CLOSED), Row(S.OPEN, T.LOST, G.STOP, S.PASSIVE)],
            [],
            "two entries with one guard",
            id="two rows of one guard",
        ),
        pytest.param(
            [Row(S.OPEN, T.CLOSE, None, S.CLOSING)],
            [Ignored(S.OPEN, T.CLOSE, None, "")],
            "two entries with one guard",
            id="a row that is ignored",
        ),
        pytest.param(
            [],
            [Ignored(S.OPEN, T.WAKE, None, ""), Ignored(S.OPEN, T.WAKE, None, "")],
            "two entries with one guard",
            id="ignored twice",
        ),
        pytest.param(
            [Row(S.OPEN, T.LOST, None, S.CLOSED), Row(S.OPEN, T.LOST, G.STOP, S.PASSIVE)],
            [],
            "unguarded entry beside a guarded one",
            id="guarded beside unguarded",
        ),
        pytest.param(
            [Row(S.PASSIVE, T.WAKE, G.HELD, S.CONNECTING)],
            [Ignored(S.PASSIVE, T.WAKE, None, "")],
            "unguarded entry beside a guarded one",
            id="guarded row, ignored without guard",
        ),
        pytest.param(
            [Row(S.CLOSING, T.LOST, G.RETRY, S.BACKOFF)],
            [],
            "an own close would loop",
            id="closing to backoff",
        ),
        pytest.param(
            [Row(S.CLOSED, T.WAKE, None, S.CONNECTING)],
            [],
            "left by connect alone",
            id="closed left by a hint",
        ),
    ],
)
def test_check_catches_each_contradiction(
    rows: list[Row], ignored: list[Ignored], problem: str
) -> None:
    with pytest.raises(BrokenTableError, match=problem):
        check(rows, ignored)


def test_the_table_itself_is_sound() -> None:
    check()


@pytest.mark.parametrize("position", range(len(TABLE)))
def test_check_catches_any_row_written_twice(position: int) -> None:
    with pytest.raises(BrokenTableError):
        check([*TABLE, TABLE[position]])


@pytest.mark.spec("A1", "K5.1")
def test_closed_is_left_by_connect_alone() -> None:
    assert [row for row in TABLE if row.source is S.CLOSED] == [
        Row(S.CLOSED, T.CONNECT, None, S.CONNECTING)
    ]


@pytest.mark.spec("A1", "A3.1", "K5.1")
def test_closing_is_left_by_the_last_wish_alone() -> None:
    ways = [row for row in TABLE if row.source is S.CLOSING and row.target is not None]
    assert {(row.trigger, row.guard, row.target) for row in ways} == {
        (T.LOST, G.CLOSE, S.CLOSED),
        (T.LOST, G.SUSPEND, S.PASSIVE),
        (T.LOST, G.CONNECT, S.CONNECTING),
    }


@pytest.mark.spec("K5.1")
@pytest.mark.parametrize("state", State)
def test_every_state_can_be_closed(state: State) -> None:
    """By `close` and by the end of the generation that it leads to, and by nothing else."""
    ways: defaultdict[State, set[State]] = defaultdict(set)
    for row in TABLE:
        closes = row.trigger is T.CLOSE or (row.trigger is T.LOST and row.guard is G.CLOSE)
        if closes and row.target is not None:
            ways[row.source].add(row.target)
    steps = 0
    while state is not S.CLOSED:
        [state] = ways[state]
        steps += 1
    assert steps <= 2


@pytest.mark.spec("H2")
def test_passive_is_never_left_by_itself() -> None:
    ways = {(row.trigger, row.guard) for row in TABLE if row.source is S.PASSIVE and row.target}
    assert ways == {(T.CONNECT, None), (T.WAKE, G.HELD), (T.CLOSE, None)}


def test_every_state_is_reached_and_left() -> None:
    assert {row.target for row in TABLE} - {None} == set(State)
    assert {row.source for row in TABLE} == set(State)


def test_every_ignored_pair_says_why() -> None:
    assert all(each.why for each in IGNORED)
