"""The first dial after a restart: soon for a lone client, spread for a fleet (D4.9, D4.10)."""

from typing import Any

import pytest

from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Close
from recloser.policies.backoff import Uniform
from recloser.policies.restart import AfterRestart

RESTART = Close.frame(1012)


def ends(backoff: AfterRestart, **facts: Any) -> tuple[float, float]:
    """The first and the last moment of the window."""
    first, last = (
        backoff.delay(RESTART, Context(phase=Phase.OPEN, attempt=1, roll=roll, **facts))
        for roll in (0.0, 1.0)
    )
    return first, last


@pytest.mark.spec("D4.9")
@pytest.mark.parametrize(
    ("engines", "window"), [(1, (1.0, 5.0)), (500, (5.0, 30.0)), (10**6, (5.0, 30.0))]
)
def test_the_window_of_a_lone_client_and_of_a_fleet(
    engines: int, window: tuple[float, float]
) -> None:
    assert ends(AfterRestart(), engines=engines) == window


@pytest.mark.spec("D4.9")
def test_the_window_lies_in_between_for_a_number_in_between() -> None:
    few = AfterRestart(many=5)
    assert ends(few, engines=2) == (2.0, 11.25)
    assert ends(few, engines=3) == (3.0, 17.5)
    assert ends(few, engines=4) == (4.0, 23.75)
    assert ends(AfterRestart(), engines=499)[1] < 30.0


@pytest.mark.spec("D4.10")
def test_a_host_that_had_no_room_gets_the_window_of_a_fleet() -> None:
    assert ends(AfterRestart(), engines=1, crowded=True) == (5.0, 30.0)


@pytest.mark.spec("D4.10")
@pytest.mark.parametrize(
    ("outage", "window"), [(0.5, (1.0, 5.0)), (12.0, (12.0, 16.0)), (99.0, (30.0, 34.0))]
)
def test_the_window_does_not_begin_before_the_host_was_back_the_last_time(
    outage: float, window: tuple[float, float]
) -> None:
    assert ends(AfterRestart(), engines=1, outage=outage) == window


@pytest.mark.spec("D4.9")
def test_without_an_outage_the_window_begins_where_it_was_given() -> None:
    assert ends(AfterRestart(lone=Uniform(0.0, 4.0)), engines=1) == (0.0, 4.0)


def test_the_bound_is_the_longest_delay() -> None:
    assert AfterRestart().bound() == 55.0
    assert AfterRestart(lone=Uniform(0.0, 40.0)).bound() == 70.0
    assert AfterRestart(lone=Uniform(20.0, 40.0)).bound() == 55.0
    assert AfterRestart().bound() == ends(AfterRestart(), engines=500, outage=99.0)[1]


def test_it_says_what_it_does() -> None:
    text = "after 1-5 s alone, 5-30 s with 500 engines at the host"
    assert str(AfterRestart()) == text


def test_a_fleet_has_two_engines_at_least() -> None:
    assert ends(AfterRestart(many=2), engines=2) == (5.0, 30.0)
    with pytest.raises(ValueError, match="many"):
        AfterRestart(many=1)
