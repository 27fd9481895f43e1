"""The pace of a return: it searches as TCP does, follows the host, and never stands still."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.governor.intake import Intake
from recloser.governor.pace import Pace

GAPS = st.floats(0.0, 20.0)
TRIP = 0.05


def searching(first: float, ramp: float = 2.0) -> Pace:
    """Begin with so many dials a second."""
    return Pace.search(round(first * 180), 0.0, ramp)


def followed(rate: float) -> Pace:
    """A pace that the host has refused once."""
    pace = Pace(rate, 0.0)
    pace.refused(-1.0, -1.0, pace.rate)
    pace.rate = rate
    return pace


@pytest.mark.spec("M3.9")
@given(st.integers(2, 100), st.floats(1.0, 4.0), st.lists(GAPS, max_size=500))
def test_the_rate_grows_by_the_ramp_in_a_second_at_most(
    first: int, ramp: float, gaps: list[float]
) -> None:
    """However the dials that open are spread."""
    pace, now = searching(first, ramp), 0.0
    for gap in gaps:
        now += gap
        pace.opened(now, now - TRIP, 1)
        assert log(pace.rate) <= log(first) + now * log(ramp) + 1e-9


@pytest.mark.spec("M3.9")
@pytest.mark.parametrize(("crowd", "window"), [(2, 1.0), (1000, 1.0), (10_000, 10.0)])
def test_the_window_begins_with_a_thousandth_of_the_crowd(crowd: int, window: float) -> None:
    assert Pace.search(crowd, 0.0).window == pytest.approx(window)


@pytest.mark.spec("M3.9")
def test_a_window_of_dials_that_open_widens_it_by_a_fifth() -> None:
    pace, now = Pace.search(10_000, 0.0), 0.0
    for _ in range(12):
        before, now = pace.window, now + TRIP
        for _ in range(round(before)):
            pace.opened(now, now - TRIP, round(before))
        assert pace.window == pytest.approx(1.2 * before, rel=0.02)


def full(dials: int, takes: float, ramp: float = 2.0) -> Pace:
    """Of a crowd of 18,000: after a second of fast dials so many have opened at a host that queues,
    each later than the one before, and takes so many in a second."""
    pace, now = Pace.search(18_000, 0.0, ramp), 0.0
    for number in range(100):
        now = number / 100
        pace.opened(now, now - TRIP, 5)
    for number in range(1, dials + 1):
        now = 1.0 + number / takes
        pace.opened(now, now - TRIP - number / takes, 5)
    return pace


@pytest.mark.spec("M3.14")
def test_dials_in_a_queue_bring_the_pace_below_what_the_host_takes_and_the_window_shrinks() -> None:
    """A dial longer by a tenth of a second each second is not seen at once."""
    before, pace = full(0, 50.0), full(100, 50.0)
    assert before.rate == pytest.approx(100 * 2**0.99)
    assert pace.rate == pytest.approx(0.8 * 50)
    assert 1.0 < pace.window < before.window
    assert full(101, 50.0).window == pytest.approx(pace.window - 0.05)


@pytest.mark.spec("M3.14")
def test_a_queue_raises_no_pace() -> None:
    """The host takes 400 a second, and the pace was 200."""
    assert 200.0 < full(100, 400.0).rate < 300.0
    assert full(200, 400.0).rate == full(100, 400.0).rate


@pytest.mark.spec("M3.14")
def test_a_window_of_one_dial_is_left_however_long_the_queue_is() -> None:
    """And a dial in four seconds."""
    assert full(600, 200.0).window == 1.0
    assert full(8, 0.25).rate == 0.25


@pytest.mark.spec("M3.11")
def test_without_a_window_a_queue_changes_nothing() -> None:
    pace = full(100, 50.0, ramp=1.08)
    assert pace.rate == pytest.approx(100 * 1.08**3.0)
    assert pace.window == 0.0


@pytest.mark.spec("M3.9")
def test_a_window_that_is_not_half_used_does_not_grow() -> None:
    pace = Pace.search(10_000, 0.0)
    pace.opened(1.0, 1.0 - TRIP, 4)
    assert pace.window == pytest.approx(10.0)
    pace.opened(1.0, 1.0 - TRIP, 5)
    assert pace.window > 10.0


@pytest.mark.spec("M3.9")
def test_a_ramp_of_one_does_not_search() -> None:
    pace = Pace.search(18_000, 0.0, 1.0)
    for number in range(1, 2000):
        pace.opened(number / 100, number / 100 - TRIP, 200)
    assert pace.rate == pytest.approx(100.0)
    assert pace.window == 0.0


@pytest.mark.spec("M3.11")
@given(st.floats(1.0, 1.99), st.lists(GAPS, max_size=50))
def test_a_ramp_below_two_has_no_window(ramp: float, gaps: list[float]) -> None:
    pace, now = Pace.search(10_000, 0.0, ramp), 0.0
    assert pace.window == 0.0
    for gap in gaps:
        now += gap
        pace.opened(now, now - TRIP, 200)
        assert pace.window == 0.0


@pytest.mark.spec("M3.11")
@given(st.floats(1.0, 1.99), st.floats(0.3, 1000.0), st.lists(GAPS, max_size=200))
def test_below_two_a_pace_that_follows_grows_by_the_ramp_in_a_second_at_most(
    ramp: float, rate: float, gaps: list[float]
) -> None:
    """However the dials that open are spread, and however many do in a row."""
    pace, now = Pace(rate, 0.0, ramp), 0.0
    pace.refused(now, now - TRIP, rate)
    lowered = pace.rate
    for gap in gaps:
        now += gap
        pace.opened(now, now - TRIP, 1)
        assert log(pace.rate) <= log(lowered) + now * log(max(ramp, 1.05)) + 1e-9


@pytest.mark.spec("M3.10")
@given(
    st.floats(5.0, 1000.0),
    st.integers(1, 20_000),
    st.lists(st.tuples(st.floats(0.0, 0.5), st.integers(1, 300)), max_size=60),
)
def test_the_search_ends_with_no_more_than_a_host_takes_that_held_a_second_of_its_work(
    capacity: float, crowd: int, bursts: list[tuple[float, int]]
) -> None:
    """Whatever was dialled when: what such a host has opened shows no more than it can take."""
    pace, now, room = Pace.search(crowd, 0.0), 0.0, capacity - 1
    for gap, dials in bursts:
        now += gap
        room = min(capacity, room + gap * capacity)
        opened = min(dials, int(room))
        room -= opened
        for _ in range(opened):
            pace.opened(now, now - TRIP, dials)
    pace.refused(now, now - TRIP, pace.rate)
    assert pace.rate <= max(capacity, crowd / 180, 0.25) + 1e-6
    assert pace.window == 0.0


@pytest.mark.spec("M3.10")
def test_the_search_ends_near_what_the_host_takes() -> None:
    """A hundred a second, and a second's work is held: dials follow each other twice as fast."""
    pace, now, room = Pace.search(2000, 0.0), 0.0, 100.0
    while room >= 1:
        now += 0.005
        room += 0.005 * 100 - 1
        pace.opened(now, now - TRIP, 10)
    pace.refused(now, now - TRIP, pace.rate)
    assert 90.0 <= pace.rate <= 101.0


@pytest.mark.spec("M3.10")
def test_the_search_ends_with_all_of_them_over_three_minutes_at_least() -> None:
    """One refusal of a large crowd may be chance."""
    pace = Pace.search(18_000, 0.0)
    pace.refused(TRIP, 0.0, pace.rate)
    assert pace.rate == pytest.approx(100.0)


@pytest.mark.spec("M3.10")
def test_what_the_search_had_let_begin_lowers_the_pace_once() -> None:
    pace = Pace.search(18_000, 0.0)
    pace.refused(1.0, 0.0, pace.rate)
    pace.refused(1.0, 0.5, pace.rate)
    pace.refused(9.0, 1.0, pace.rate)
    assert pace.rate == pytest.approx(100.0)
    pace.refused(9.0, 1.5, pace.rate)
    assert pace.rate < 100.0


@pytest.mark.spec("M3.3")
def test_a_host_that_has_asked_for_a_pace_gets_it_until_it_refuses_a_dial() -> None:
    pace = Pace(4.0, 0.0)
    pace.at_least(40.0)
    assert pace.rate == 40.0
    pace.at_least(10.0)
    assert pace.rate == 40.0
    pace.refused(1.0, 0.9, pace.rate)
    lowered = pace.rate
    pace.at_least(40.0)
    assert pace.rate == lowered


@pytest.mark.spec("M3.3")
def test_it_doubles_in_a_second_until_a_dial_is_refused() -> None:
    pace = searching(4.0)
    for step in range(1, 31):
        pace.opened(step / 10, step / 10 - TRIP, 1)
    assert pace.rate == pytest.approx(32.0)
    pace.refused(3.0, 3.0 - TRIP, pace.rate)
    before = pace.rate
    assert before < 32.0
    pace.opened(4.0, 4.0 - TRIP, 1)
    assert before < pace.rate < 1.1 * before


@pytest.mark.spec("M3.3")
def test_a_slow_pace_changes_by_the_shares_that_the_page_gives() -> None:
    pace = followed(2.0)
    pace.refused(0.0, -0.5, pace.rate)
    assert pace.rate == pytest.approx(2.0 * 0.7)
    pace.opened(1.0, 0.9, 1)
    assert pace.rate == pytest.approx(2.0 * 0.7 * 1.1)
    pace.opened(6.0, 5.9, 1)
    assert pace.rate == pytest.approx(2.0 * 0.7 * 1.1**6)


@pytest.mark.spec("M3.3")
def test_a_hundred_times_the_pace_falls_by_a_tenth_of_the_share() -> None:
    pace = followed(250.0)
    pace.refused(0.0, -0.5, pace.rate)
    assert pace.rate == pytest.approx(250.0 * 0.97)


@pytest.mark.spec("M3.3")
@given(st.floats(2.5, 1000.0))
def test_a_fast_pace_changes_by_less(rate: float) -> None:
    pace = followed(rate)
    pace.refused(0.0, -0.5, pace.rate)
    assert rate * 0.7 - 1e-9 <= pace.rate < rate
    lowered = pace.rate
    pace.opened(1.0, 0.9, 1)
    assert lowered < pace.rate <= lowered * 1.1 + 1e-9


@pytest.mark.spec("M3.3")
def test_it_grows_faster_once_a_host_refuses_nothing_any_more() -> None:
    pace, growth = followed(1.0), []
    pace.refused(0.0, -0.5, pace.rate)
    for second in range(1, 20):
        before = pace.rate
        pace.opened(float(second), second - TRIP, 1)
        growth.append(pace.rate / before)
    assert growth[5] == pytest.approx(1.1)
    assert max(growth[6:]) > 1.12


@pytest.mark.spec("M3.3")
def test_dials_that_fail_late_lower_the_pace_to_what_is_left_of_theirs() -> None:
    """A hundred hung since the pace was 600; it has come down since, and falls no further."""
    pace = followed(600.0)
    for _ in range(100):
        pace.refused(1.0, 0.5, 600.0)
    assert pace.rate == pytest.approx(0.7 * 600)
    for _ in range(100):
        pace.refused(10.0, 0.9, 600.0)
    assert pace.rate == pytest.approx(0.7 * 600)
    pace.refused(11.0, 10.5, pace.rate)
    assert 400.0 < pace.rate < 0.7 * 600


@pytest.mark.spec("M3.3")
def test_it_never_stands_still() -> None:
    pace = Pace(2.0, 0.0)
    for second in range(100):
        pace.refused(float(second), second - TRIP, pace.rate)
    assert pace.rate == 0.25


@pytest.mark.spec("M3.3")
@given(st.lists(GAPS, max_size=30))
def test_a_pace_that_somebody_has_set_stays_until_a_dial_is_refused(gaps: list[float]) -> None:
    pace, now = Pace(50.0, 0.0), 0.0
    for gap in gaps:
        now += gap
        pace.opened(now, now - TRIP, 1)
    assert pace.rate == 50.0
    pace.refused(now, now - TRIP, pace.rate)
    assert pace.rate < 50.0


KNOWN = Intake(50.0, 18_000, 0.0)


@pytest.mark.spec("M3.16")
@pytest.mark.parametrize("ramp", [1.08, 2.0])
def test_what_is_known_of_a_host_bounds_the_pace_before_and_after_a_refusal(ramp: float) -> None:
    pace, now = Pace.search(1800, 0.0, ramp, KNOWN), 0.0
    for _ in range(2000):
        now += 1 / pace.rate
        pace.opened(now, now - TRIP, 200)
        assert pace.rate <= 50.0
    assert pace.rate == 50.0
    pace.refused(now, now - TRIP, pace.rate)
    pace.refused(now + 0.1, now + 0.05, pace.rate)
    assert pace.rate < 50.0
    for _ in range(2000):
        now += 1 / pace.rate
        pace.opened(now, now - TRIP, 200)
    assert pace.rate == 50.0


@pytest.mark.spec("M3.16")
def test_a_host_that_is_known_to_be_slow_is_slow_from_the_beginning() -> None:
    """Otherwise the return begins with all of them over three minutes, and falls to no less."""
    pace = Pace.search(18_000, 0.0, known=KNOWN)
    assert pace.rate == 50.0
    pace.refused(1.0, 0.9, pace.rate)
    assert pace.rate == 50.0
    assert Pace.search(1800, 0.0, known=KNOWN).rate == 10.0


@pytest.mark.spec("M3.16")
def test_a_host_that_refuses_more_than_it_was_known_to_take_is_bounded_by_what_it_took() -> None:
    pace, now = Pace.search(1800, 0.0, known=KNOWN), 0.0
    for _ in range(10_000):
        now += 1 / pace.rate
        pace.opened(now, now - TRIP, 200)
    pace.refused(now, now - TRIP, pace.rate)
    seen = pace.rate
    assert seen > 60.0
    for _ in range(100):
        now += 1 / pace.rate
        pace.opened(now, now - TRIP, 200)
        assert pace.rate == pytest.approx(seen)


@pytest.mark.spec("M3.3", "M3.16")
def test_what_a_host_asks_for_counts_for_more_than_what_is_known_of_it() -> None:
    pace, now = Pace.search(18_000, 0.0, known=KNOWN), 0.0
    pace.at_least(200.0)
    assert pace.rate == 200.0
    for _ in range(100):
        now += 1 / pace.rate
        pace.opened(now, now - TRIP, 200)
    assert pace.rate > 200.0


@pytest.mark.spec("M3.15")
def test_a_dial_that_hangs_until_all_are_back_does_not_make_the_host_slower() -> None:
    """A thousand open in five seconds, and others fail ten seconds after they began."""
    pace = Pace.search(1000, 0.0)
    for number in range(1000):
        pace.opened(number / 200, number / 200 - TRIP, 50)
    for _ in range(40):
        pace.refused(12.0, 2.0, pace.rate)
    intake = pace.intake()
    assert intake is not None
    assert intake.rate == pytest.approx(200 * 5 / 6, rel=0.02)
    assert intake.crowd == 1001


@pytest.mark.spec("M3.10")
def test_a_pace_grows_after_the_search_by_the_seconds_since_its_end() -> None:
    pace = searching(2)
    pace.opened(1.0, 1.0 - TRIP, 1)
    pace.refused(10.0, 9.9, pace.rate)
    before = pace.rate
    pace.opened(10.05, 10.0, 1)
    assert before < pace.rate <= 1.1 * before


@pytest.mark.spec("M3.15")
def test_a_pace_that_was_given_finds_nothing() -> None:
    pace = Pace(50.0, 0.0)
    for number in range(1000):
        pace.refused(number / 50, number / 50 - TRIP, 50.0)
        pace.opened(number / 50, number / 50 - TRIP, 5)
    assert pace.intake() is None
