"""Rendezvous hashing: whatever joins or dies, nothing else moves, and about a fair share does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fleet import rendezvous
from recloser.fleet.rendezvous import Assignment

KEYS = [f"symbol {number}" for number in range(300)]
names = st.text(min_size=1, max_size=8)
groups = st.lists(names, min_size=1, max_size=12, unique=True)


@pytest.mark.spec("O6.1")
@given(groups, groups, groups)
def test_an_assignment_is_what_each_finds_by_itself(
    first: list[str], second: list[str], third: list[str]
) -> None:
    assignment = Assignment(KEYS[:40])
    for members in (first, second, [], third):
        assignment.change(members)
        found = {key: name for name in members for key in assignment.of(name)}
        assert found == {key: rendezvous(key, members) for key in KEYS[:40] if members}
        assert assignment.members == frozenset(members)


@pytest.mark.spec("O6.2")
@given(groups, names)
def test_nothing_moves_but_from_the_dead_and_to_who_joins(members: list[str], other: str) -> None:
    without = [member for member in members if member != other]
    if not without:
        return
    for key in KEYS[:60]:
        before, after = rendezvous(key, without), rendezvous(key, [*without, other])
        assert after in (before, other)


@pytest.mark.spec("O6.2")
@pytest.mark.parametrize("count", [2, 5, 12])
def test_a_join_or_a_death_moves_no_more_than_a_fifth_above_the_share(count: int) -> None:
    keys = [f"subscription/{number}" for number in range(10_000)]
    assignment = Assignment(keys)
    members = [f"worker-{number}" for number in range(count)]
    assignment.change(members)
    before = {name: assignment.of(name) for name in members}
    assignment.change([*members, "new"])
    assert len(assignment.of("new")) <= 1.2 / (count + 1) * len(keys)
    assignment.change(members)
    assert {name: assignment.of(name) for name in members} == before
    assignment.change(members[1:])
    moved = sum(len(assignment.of(name) - before[name]) for name in members[1:])
    assert moved == len(before[members[0]]) <= 1.2 / count * len(keys)


@pytest.mark.spec("O6.1")
def test_nobody_has_nothing() -> None:
    with pytest.raises(ValueError, match="wait until one has joined"):
        rendezvous("key", [])
