"""The pace of a return: it doubles in steps, follows the host, and never stands still."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.governor.pace import STEP, Pace

GAPS = st.floats(0.0, 20.0)


@pytest.mark.spec("M3.3")
@given(st.floats(0.25, 100.0), st.floats(1.0, 4.0), st.lists(GAPS, max_size=500))
def test_it_grows_by_the_ramp_in_a_second_and_in_two_hundred_dials_at_most(
    first: float, ramp: float, gaps: list[float]
) -> None:
    """However the dials that open are spread."""
    pace, now = Pace(first, 0.0, ramp=ramp), 0.0
    for number, gap in enumerate(gaps, start=1):
        now += gap
        pace.opened(now)
        steps = now + number // STEP
        assert log(pace.rate) <= log(first) + steps * log(ramp) + 1e-9


@pytest.mark.spec("M3.3")
def test_a_large_crowd_learns_faster_than_once_a_second() -> None:
    """Ten thousand begin at 56 a second, and dial 1,700 a second after 3.3 s instead of 5 s."""
    pace, now = Pace(10_000 / 180, 0.0), 0.0
    while pace.rate < 1700:
        now += 1 / pace.rate
        pace.opened(now)
    assert 2.5 < now < 3.5


@pytest.mark.spec("M3.3")
@given(st.floats(10.0, 1000.0))
def test_dials_that_open_slowly_lead_to_twice_their_own_pace_at_most(taken: float) -> None:
    """A host that holds a queue opens no more than it can take; seconds still count."""
    pace, now = Pace(100.0, 0.0, ramp=2.0), 0.0
    for _ in range(STEP):
        now += 1 / taken
        pace.opened(now)
    assert pace.rate <= max(2 * taken, 100.0 * 2**now) + 1e-6


@pytest.mark.spec("M3.3")
def test_a_ramp_of_one_does_not_grow() -> None:
    pace = Pace(100.0, 0.0, ramp=1.0)
    for number in range(1, 10 * STEP):
        pace.opened(number / 100)
    assert pace.rate == pytest.approx(100.0)


@pytest.mark.spec("M3.3")
def test_a_host_that_has_asked_for_a_pace_gets_it_until_it_refuses_a_dial() -> None:
    pace = Pace(4.0, 0.0)
    pace.at_least(40.0)
    assert pace.rate == 40.0
    pace.at_least(10.0)
    assert pace.rate == 40.0
    pace.refused(1.0)
    lowered = pace.rate
    pace.at_least(40.0)
    assert pace.rate == lowered


@pytest.mark.spec("M3.3")
def test_it_doubles_in_a_second_until_a_dial_is_refused() -> None:
    pace = Pace(4.0, 0.0)
    for step in range(1, 31):
        pace.opened(step / 10)
    assert pace.rate == pytest.approx(32.0)
    pace.refused(3.0)
    before = pace.rate
    assert before < 32.0
    pace.opened(4.0)
    assert before < pace.rate < 1.1 * before


@pytest.mark.spec("M3.3")
def test_a_slow_pace_changes_by_the_shares_that_the_page_gives() -> None:
    pace = Pace(2.0, 0.0)
    pace.refused(0.0)
    assert pace.rate == pytest.approx(2.0 * 0.7)
    pace.opened(1.0)
    assert pace.rate == pytest.approx(2.0 * 0.7 * 1.1)
    pace.opened(6.0)
    assert pace.rate == pytest.approx(2.0 * 0.7 * 1.1**6)


@pytest.mark.spec("M3.3")
def test_a_hundred_times_the_pace_falls_by_a_tenth_of_the_share() -> None:
    pace = Pace(250.0, 0.0)
    pace.refused(0.0)
    assert pace.rate == pytest.approx(250.0 * 0.97)


@pytest.mark.spec("M3.3")
@given(st.floats(2.5, 1000.0))
def test_a_fast_pace_changes_by_less(rate: float) -> None:
    pace = Pace(rate, 0.0)
    pace.refused(0.0)
    assert rate * 0.7 - 1e-9 <= pace.rate < rate
    lowered = pace.rate
    pace.opened(1.0)
    assert lowered < pace.rate <= lowered * 1.1 + 1e-9


@pytest.mark.spec("M3.3")
def test_it_grows_faster_once_a_host_refuses_nothing_any_more() -> None:
    pace, growth = Pace(1.0, 0.0), []
    pace.refused(0.0)
    for second in range(1, 20):
        before = pace.rate
        pace.opened(float(second))
        growth.append(pace.rate / before)
    assert growth[5] == pytest.approx(1.1)
    assert max(growth[6:]) > 1.12


@pytest.mark.spec("M3.3")
def test_it_never_stands_still() -> None:
    pace = Pace(2.0, 0.0)
    for second in range(100):
        pace.refused(float(second))
    assert pace.rate == 0.25


@pytest.mark.spec("M3.3")
@given(st.lists(GAPS, max_size=30))
def test_a_pace_that_somebody_has_set_stays_until_a_dial_is_refused(gaps: list[float]) -> None:
    pace, now = Pace(50.0, 0.0, fixed=True), 0.0
    for gap in gaps:
        now += gap
        pace.opened(now)
    assert pace.rate == 50.0
    pace.refused(now)
    assert pace.rate < 50.0
