"""What a host takes is counted from the first refusal on, and not where refusals may be chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.governor.intake import Intake, IntakeMeter

TRIP = 0.05
SEEN = 0.5
"""Dials per second that a host has taken in the search."""


def metered(dials: int, takes: float, refused: int, before: int = 0) -> IntakeMeter:
    """So many dials at so many a second, after so many refusals at once."""
    meter = IntakeMeter(before, SEEN, 0.0, -TRIP)
    for _ in range(refused - 1):
        meter.refused(0.0, -TRIP)
    feed(meter, 0.0, dials, takes)
    return meter


def feed(meter: IntakeMeter, since: float, dials: int, takes: float) -> None:
    """The first is one that was left, and so comes at once."""
    for number in range(dials):
        now = since + number / takes + TRIP
        meter.count(now, now - TRIP / 2)


@pytest.mark.spec("M3.15")
@pytest.mark.parametrize(
    ("dials", "takes", "refused", "rate"),
    [
        (100, 10.0, 30, 10.0),
        (100, 10.0, 29, None),
        (2970, 100.0, 30, 100.0),
        (2971, 100.0, 30, None),
        (30, 10.0, 30, SEEN),
        (31, 10.0, 30, 10.0),
        (20, 5.0, 30, SEEN),
        (21, 5.0, 30, 5.0),
    ],
    ids=[
        "enough",
        "29 refused",
        "one in a hundred refused",
        "less than that",
        "2.9 seconds",
        "three seconds",
        "20 dials",
        "21 dials",
    ],
)
def test_it_needs_three_seconds_twenty_dials_and_refusals_that_are_no_chance(
    dials: int, takes: float, refused: int, rate: float | None
) -> None:
    """What the search has seen is all that is known of a shorter time."""
    found = metered(dials, takes, refused).rate
    assert found == (None if rate is None else pytest.approx(rate, rel=0.02))
    assert found is None or found <= takes


@pytest.mark.spec("M3.15")
@pytest.mark.parametrize(
    ("before", "seen", "rate"), [(100, 50.0, 10.0), (101, 50.0, 50.0), (101, 5.0, 10.0)]
)
def test_what_the_search_has_seen_counts_where_most_were_back_before_a_refusal(
    before: int, seen: float, rate: float
) -> None:
    """Otherwise the host may have held more than a second of its work."""
    meter = IntakeMeter(before, seen, 0.0, -TRIP)
    for _ in range(40):
        meter.refused(0.0, -TRIP)
    feed(meter, 0.0, 100, 10.0)
    assert meter.rate == pytest.approx(rate, rel=0.02)


@pytest.mark.spec("M3.15")
def test_a_slow_host_is_counted_until_there_are_twenty_dials() -> None:
    """Though a refusal after ten seconds begins a new count."""
    meter = IntakeMeter(0, SEEN, 0.0, -TRIP)
    for number in range(60):
        meter.refused(number + TRIP, number)
        meter.count(number + 2 * TRIP, number + TRIP / 2)
    assert meter.rate == pytest.approx(1.0, rel=0.02)


@pytest.mark.spec("M3.15")
def test_a_dial_that_began_before_the_refusal_does_not_count() -> None:
    """It drew from what the host held."""
    meter = metered(50, 10.0, 30, before=7)
    for _ in range(100):
        meter.count(5.0, 0.0)
    assert meter.rate == pytest.approx(10.0, rel=0.02)
    assert meter.opened == 157


@pytest.mark.spec("M3.15")
def test_it_is_the_greatest_mean_and_the_last_ones_do_not_lower_it() -> None:
    """The last dials of a return come late: those that were refused, and wait."""
    meter = metered(100, 10.0, 30)
    meter.count(60.0, 59.9)
    assert meter.rate == pytest.approx(10.0, rel=0.02)
    assert meter.found_at == pytest.approx(9.9 + TRIP)


@pytest.mark.spec("M3.15")
@pytest.mark.parametrize(("after", "rate"), [(9.9, 20.0), (10.0, 50.0)])
def test_a_refusal_after_ten_seconds_begins_a_new_count(after: float, rate: float) -> None:
    """The pace was low in the first one."""
    meter = metered(50, 10.0, 30)
    meter.refused(after, after - TRIP)
    feed(meter, after, 250, 50.0)
    assert meter.rate == pytest.approx(rate, rel=0.02)


@pytest.mark.spec("M3.15")
@pytest.mark.parametrize("capacity", [2.0, 10.0, 100.0])
@pytest.mark.parametrize("late", [TRIP, 0.99, 1.0, 10.0])
def test_a_host_is_taken_for_no_faster_than_it_is(capacity: float, late: float) -> None:
    """Also if it held a second of its work again by the time at which a refusal was noticed."""
    meter = IntakeMeter(0, SEEN, 0.0, -late)
    held = capacity if late >= 1.0 else 0.99
    for _ in range(40):
        meter.refused(0.0, -late)
    for number in range(round(20 * capacity)):
        now = max(0.0, (number + 1 - held) / capacity) + TRIP
        meter.count(now, now - TRIP / 2)
    assert meter.rate is not None
    assert 0.9 * capacity <= meter.rate <= capacity


@pytest.mark.spec("M3.16")
@given(st.floats(0.1, 1e4), st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_crowd_comes_back_in_no_more_time_than_the_one_before(
    rate: float, before: int, crowd: int
) -> None:
    of = Intake(rate, before, 0.0).of(crowd)
    assert of >= rate
    assert crowd / of <= before / rate * (1 + 1e-9)
    if crowd <= before:
        assert of == rate
