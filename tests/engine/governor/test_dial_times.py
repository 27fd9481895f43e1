"""A queue at the host is told from chance by how long dials take."""

from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.governor.dial_times import DialTimes
from tests.engine.governor.rig import TIMES

STEP = 0.02
"""Seconds from one dial to the next: fifty a second."""


def last(times: list[float], step: float = STEP) -> float | None:
    """Return what is said of the last of these dials."""
    dials, said = DialTimes(), None
    for number, took in enumerate(times):
        said = dials.opened(10.0 + number * step, took)
    return said


def queue(dials: int, *, longer: float = STEP / 2) -> list[float]:
    """After a second without a queue each dial takes longer than the one before."""
    return [0.05] * 50 + [0.05 + number * longer for number in range(1, dials + 1)]


@pytest.mark.spec("M3.13")
def test_a_queue_of_a_few_tenths_of_a_second_is_seen_and_counted() -> None:
    said = [last(queue(dials)) for dials in range(1, 60)]
    first = said.index(inf)
    assert said[:first] == [None] * first
    assert 0.1 < queue(first + 1)[-1] - 0.05 < 0.25
    assert said[first : first + 5] == [inf] * 5  # of less than a tenth of a second
    assert said[first + 6 :] == pytest.approx([1 / STEP] * len(said[first + 6 :]))


@pytest.mark.spec("M3.13")
def test_a_queue_that_drains_is_over() -> None:
    times = queue(40)
    assert last(times) is not None
    assert last(times + [0.05] * 20) is None
    again = times + [0.05] * 20 + queue(40)[50:]
    assert last(again) == pytest.approx(1 / STEP)


@pytest.mark.spec("M3.13")
def test_a_dial_here_and_there_is_no_queue() -> None:
    """However long it takes."""
    for slow in (1.0, 30.0):
        assert [last([*[0.05] * 30, slow, *[0.05] * many]) for many in range(40)] == [None] * 40


@pytest.mark.spec("M3.13")
@pytest.mark.parametrize("fast", [0.01, 0.1])
@pytest.mark.parametrize("late", [0.5, 3.0])
def test_a_fast_dial_here_and_there_makes_the_others_not_slow(fast: float, late: float) -> None:
    """But for two dials in a hundred."""
    seen = 0
    for seed in range(20):
        rng, dials = Random(seed), DialTimes()
        times = [late] * 10 + [0.02 if rng.random() < fast else late for _ in range(500)]
        seen += sum(
            dials.opened(number * STEP, took) is not None for number, took in enumerate(times)
        )
    assert seen < 20 * 500 * 0.02


@pytest.mark.spec("M3.13")
@pytest.mark.parametrize("law", TIMES)
@pytest.mark.parametrize("step", [0.1, 0.01, 0.001])
def test_times_that_vary_are_no_queue(law: str, step: float) -> None:
    """Of a hundred returns with three hundred dials all but six see none."""
    seen = 0
    for seed in range(100):
        rng, dials = Random(seed), DialTimes()
        said = [dials.opened(number * step, TIMES[law](rng)) for number in range(300)]
        seen += any(each is not None for each in said)
    assert seen <= 6


@pytest.mark.spec("M3.13")
def test_a_host_that_has_become_slower_is_no_queue_after_five_seconds() -> None:
    times = [0.05] * 50 + [0.5] * 400
    said = [last(times[:dials]) for dials in range(50, 450)]
    first = said.index(inf)
    told = [number for number, each in enumerate(said) if each is not None]
    assert told == list(range(first, first + 250))
    assert last([*times, *[0.5 + number * STEP / 2 for number in range(60)]]) is not None


@pytest.mark.spec("M3.13")
def test_the_first_dial_of_a_return_may_be_a_fast_one() -> None:
    assert last([0.01] + [1.0] * 100) is not None
    assert last([0.01] + [1.0] * 300) is None


@pytest.mark.spec("M3.13")
@given(
    st.lists(
        st.tuples(st.floats(0.0, 10.0), st.floats(-1.0, 1e6) | st.just(inf)),
        max_size=60,
    )
)
def test_whatever_dials_take_the_answer_is_a_rate(dials: list[tuple[float, float]]) -> None:
    times, now = DialTimes(), 0.0
    for gap, took in dials:
        now += gap
        said = times.opened(now, took)
        assert said is None or said >= 0.0
