"""A count beside what was usual: the thresholds, and how often chance alone passes them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.statistics.baseline import HISTORY, LONG, SHORT, bursts, compare, rare_count
from tests.engine.statistics.traffic import poisson


@pytest.mark.spec("I5.3")
@given(st.lists(st.integers(0, 1000), max_size=HISTORY), st.sampled_from([SHORT, LONG]))
def test_it_is_never_unusual_and_calm_at_once(minutes: list[int], scale: object) -> None:
    found = compare(minutes, scale, 1.0)
    assert not (found.unusual and found.calm)
    assert found.ends == sum(minutes[-scale.window :])


@pytest.mark.spec("I5.3")
@pytest.mark.parametrize("scale", [SHORT, LONG])
def test_nothing_is_said_before_the_past_is_known(scale: object) -> None:
    short = [0] * (scale.span - 1 - scale.window) + [50] * scale.window
    assert not compare(short, scale, 1.0).unusual
    assert compare([0, *short], scale, 1.0).unusual


@pytest.mark.spec("I5.4")
def test_chance_alone_is_not_unusual() -> None:
    source = random.Random(7)
    for mean in (0.02, 0.5, 3.0, 50.0):
        minutes = [poisson(source, mean) for _ in range(2000)]
        found = [
            compare(minutes[: at + 1], scale, 1.0).unusual
            for at in range(LONG.span, len(minutes), 5)
            for scale in (SHORT, LONG)
        ]
        assert not any(found)


@pytest.mark.spec("I5.5")
def test_a_burst_is_no_raised_rate_and_a_raised_rate_no_burst() -> None:
    calm, more = [6] * 90, [6] * 8 + [400, 300]
    assert bursts(calm + more, 1.0)
    assert not compare(calm + more, SHORT, 1.0).unusual
    assert compare(calm + [18] * 10, SHORT, 1.0).unusual
    assert not bursts(calm + [18] * 10, 1.0)


@pytest.mark.spec("I5.5")
def test_a_wave_does_not_hide_the_next_rate() -> None:
    past = [10] * 40 + [150] * 20 + [10] * 30
    assert compare(past + [30] * 10, SHORT, 1.0).unusual


def test_a_rare_count_is_rare() -> None:
    assert [rare_count(mean) for mean in (0.01, 0.1, 1.0, 5.0)] == [2, 4, 7, 16]
