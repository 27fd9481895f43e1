"""Turns: no more than the capacity, and everybody's own (M4.2, M4.3)."""

from heapq import heapify, heappop, heappush
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.admission.turns import Turns


@pytest.mark.spec("M4.2")
@given(
    st.floats(0.1, 50.0),
    st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 1.0, exclude_max=True)), max_size=200),
)
def test_no_more_than_the_capacity_is_ever_admitted(
    capacity: float, arrivals: list[tuple[float, float]]
) -> None:
    turns, now = Turns(capacity, longest=300.0), 100.0
    admitted: list[float] = []
    for gap, roll in arrivals:
        now += gap
        seconds = turns.ask(now, roll)
        if seconds is None:
            admitted.append(now)
        else:
            assert 1 <= seconds <= 301
    for first, begin in enumerate(admitted):
        for last in range(first, len(admitted)):
            span = admitted[last] - begin
            assert last - first + 1 <= max(1.0, capacity) + span * capacity + 1e-6


@pytest.mark.spec("M4.3")
@pytest.mark.parametrize("capacity", [5.0, 40.0, 200.0])
def test_a_fleet_that_does_as_it_is_told_is_back_as_fast_as_the_server_can(
    capacity: float,
) -> None:
    rng, engines = Random(7), 4000
    turns = Turns(capacity, longest=2000.0)
    coming = [(rng.random(), number) for number in range(engines)]
    heapify(coming)
    asked, last = 0, 0.0
    while coming:
        now, number = heappop(coming)
        asked += 1
        seconds = turns.ask(now, rng.random())
        if seconds is None:
            last = now
        else:
            heappush(coming, (now + seconds, number))
    assert last <= 1.1 * engines / capacity + 5.0
    assert asked <= 3.5 * engines


def test_a_turn_far_away_is_drawn_from_the_upper_half_of_the_longest() -> None:
    turns = Turns(1.0, longest=60.0)
    told = [turns.ask(0.0, 0.5) for _ in range(200)]
    assert told[0] is None
    assert told[1:60] == list(range(1, 60))
    assert set(told[62:]) == {45}
    assert turns.ask(0.0, 0.0) == 30


def test_a_clock_that_goes_back_admits_nobody_more() -> None:
    turns = Turns(1.0, longest=60.0)
    assert turns.ask(10.0, 0.0) is None
    assert turns.ask(5.0, 0.0) is not None
