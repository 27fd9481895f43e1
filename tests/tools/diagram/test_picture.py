"""The rows of the live machine, and what is written on a picture of it."""

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.diagram.picture import count_changes, live_rows, parse_highlight, rules_text
from recloser.fsm.change import StateChange
from recloser.fsm.machine import GUARDS, MACHINE
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import TABLE, Row
from tests.tools.diagram.pictures import rule_lists


def test_edges_are_sorted_by_the_enums() -> None:
    def place(row: Row) -> tuple[int, int, int]:
        guard = -1 if row.guard is None else list(Guard).index(row.guard)
        return list(State).index(row.source), list(Trigger).index(row.trigger), guard

    assert live_rows() == sorted(TABLE, key=place)


def test_they_are_read_from_the_machine_and_not_from_the_table() -> None:
    extra = Row(State.CLOSED, Trigger.RETRY, Guard.STOP, State.PASSIVE)
    MACHINE.add_transition("retry", State.CLOSED, State.PASSIVE, conditions=GUARDS[Guard.STOP])
    try:
        assert set(live_rows()) - set(TABLE) == {extra}
    finally:
        del MACHINE.events["retry"].transitions[State.CLOSED.name]
    assert extra not in live_rows()


@given(rule_lists.filter(bool), st.integers(20, 80), st.integers(1, 4))
def test_a_folded_list_gives_its_length_and_as_many_names_as_fit(
    rules: list[str], width: int, lines: int
) -> None:
    found = rules_text(rules, width, lines)
    text = " ".join(found)
    parts = re.fullmatch(r"(\d+) rules?: (.*)", text)
    assert parts is not None
    shown = parts[2].split(", ")
    assert int(parts[1]) == len(rules)
    if shown[-1] == "...":
        shown.pop()
        assert len(shown) < len(rules)
        longer = ", ".join([*rules[: len(shown) + 1], "..."])
        assert len(f"{parts[1]} rules: {longer}") > width
    assert shown == rules[: len(shown)]
    assert shown
    if len(shown) > 1:
        assert len(found) <= lines
        assert max(map(len, found)) <= max(width, *map(len, [f"{each}," for each in shown]))


def test_a_list_that_fits_is_whole() -> None:
    assert rules_text(["a", "b"], 80) == ["2 rules: a, b"]
    assert rules_text(["a"], 80) == ["1 rule: a"]
    assert rules_text([], 80) == ["no rule"]


@pytest.mark.parametrize("state", State)
def test_a_state_is_highlighted_alone(state: State) -> None:
    assert parse_highlight(state.value, TABLE) == ({state}, frozenset())


@pytest.mark.parametrize("source", State)
@pytest.mark.parametrize("target", State)
def test_a_step_is_taken_if_the_table_has_it(source: State, target: State) -> None:
    text = f"{source.value}, {target.value}"
    if any((row.source, row.target) == (source, target) for row in TABLE):
        assert parse_highlight(text, TABLE) == ({source, target}, {(source, target)})
    else:
        with pytest.raises(ValueError, match=f"nothing leads from {source.value} to"):
            parse_highlight(text, TABLE)


@pytest.mark.parametrize("text", ["", "nonsense", "open,", "OPEN", "open;backoff"])
def test_an_unknown_state_is_named_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no state: give closed, connecting, .*, passive"):
        parse_highlight(text, TABLE)


changes = st.builds(
    partial(StateChange, close=None, context=None, decision=None, error=None),
    previous=st.sampled_from(State),
    current=st.sampled_from(State),
    trigger=st.sampled_from(Trigger),
    at=st.just(0.0),
    generation=st.just(1),
    attempt=st.just(0),
)


@given(st.lists(changes))
def test_every_change_is_counted_on_one_row_or_as_strange(found: list[StateChange]) -> None:
    counts, strange = count_changes(TABLE, found)
    assert set(counts) == {row for row in TABLE if row.target is not None}
    assert sum(counts.values()) + strange == len(found)
    for row, count in counts.items():
        move = (row.source, row.trigger, row.target)
        assert count == sum((each.previous, each.trigger, each.current) == move for each in found)
