"""The figures of a storm, against counting by hand."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.simulate.outcome import Group, Outcome, busiest, reached
from recloser.simulate.scenario import Scenario

moments = st.lists(st.integers(0, 400), max_size=60).map(sorted)


@given(moments, st.integers(0, 300))
def test_the_busiest_second(eighths, since):
    # Eighths of a second are exact in binary, so that the edges are.
    found = busiest(array("d", [each / 8 for each in eighths]), since / 8)
    late = [each for each in eighths if each >= since]
    assert found == max((sum(0 <= each - one < 8 for each in late) for one in late), default=0)


@given(st.integers(1, 50), st.integers(0, 50), st.floats(0.01, 1.0))
def test_a_share_is_reached_when_enough_are_open(engines, number, share):
    opened = [float(each) for each in range(min(number, engines))]
    found = reached(opened, engines, share)
    if found is None:
        assert len(opened) < share * engines + 1e-6
    else:
        assert found + 1 >= share * engines - 1e-6
        assert found < share * engines


def outcome(dials, opened, engines=4):
    group = Group(engines=engines, dials=array("d", dials), opened=array("d", opened))
    scenario = Scenario(engines=engines, outage=10.0, capacity=0.5, horizon=100.0)
    return Outcome(scenario=scenario, fleet=group, alone=None, unheard=2, refused=1, hung=0)


def test_all_figures_of_one_small_storm():
    got = outcome([0.1, 0.2, 0.3, 10.0, 12.0, 12.5, 14.0, 16.0], [12.1, 14.1, 16.1])
    assert got.figures() == {
        "engines": 4,
        "recovered": 3,
        "held": 0,
        "stopped": 0,
        "t50": 14.1,
        "t90": None,
        "t99": None,
        "t100": None,
        "dials_per_engine": 2.0,
        "optimum": 18.0,
        "dials_after_return": 1.25,
        "peak": 3,
        "peak_after_return": 2,
        "wait_ratio": None,
        "unheard": 2,
        "refused": 1,
        "hung": 0,
        "horizon": 100.0,
        "alone": None,
    }


def test_the_longest_wait_is_a_multiple_of_the_mean_after_the_return():
    assert outcome([10.0], [11.0, 12.0, 13.0, 18.0]).wait_ratio == pytest.approx(8.0 / 3.5)
    assert outcome([10.0], [11.0, 12.0, 13.0]).wait_ratio is None


def test_excess_is_in_windows_and_never_counts_as_the_horizon():
    got = outcome([10.0], [12.1, 14.1, 16.1])
    assert got.excess(0.5) == pytest.approx((14.1 - 14.0) / 8)
    assert got.excess(1.0) == pytest.approx((100.0 - 18.0) / 8)
