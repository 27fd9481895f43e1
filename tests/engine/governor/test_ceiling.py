"""The ceiling of a return is what the host took, steady, and then it rises."""

import pytest

from recloser.governor.ceiling import Ceiling
from recloser.governor.intake import Intake

DAY = 86_400.0


def ceiling(found_at: float = 0.0, now: float = 0.0, crowd: int = 100) -> Ceiling:
    """Of a host that took 50 a second of a crowd of a hundred."""
    return Ceiling(Intake(50.0, 100, found_at), crowd, now)


@pytest.mark.spec("M3.16")
@pytest.mark.parametrize(("crowd", "rate"), [(50, 50.0), (100, 50.0), (300, 150.0)])
def test_it_begins_with_what_the_host_took(crowd: int, rate: float) -> None:
    assert ceiling(crowd=crowd).at(0.0) == pytest.approx(rate)
    assert ceiling(crowd=crowd).known == pytest.approx(rate)


@pytest.mark.spec("M3.16")
@pytest.mark.parametrize(
    ("age", "steady"), [(0.0, 90.0), (DAY - 1, 90.0), (DAY, 10.0), (9 * DAY, 10.0)]
)
def test_it_rises_by_a_twentieth_in_a_second_later_if_what_is_known_is_fresh(
    age: float, steady: float
) -> None:
    found = ceiling(now=age)
    assert found.at(age + steady) == pytest.approx(50.0)
    assert found.at(age + steady + 1) == pytest.approx(50.0 * 1.05)
    assert found.at(age + steady + 10) == pytest.approx(50.0 * 1.05**10)


@pytest.mark.spec("M3.16")
def test_a_refusal_or_a_queue_takes_back_its_rise_and_holds_it() -> None:
    found = ceiling()
    found.reached(100.0)
    assert found.at(190.0) == pytest.approx(50.0)
    assert found.at(191.0) == pytest.approx(50.0 * 1.05)


@pytest.mark.spec("M3.16")
def test_after_that_it_is_at_least_what_the_host_has_been_seen_to_take() -> None:
    found = ceiling()
    found.reached(100.0, 80.0)
    assert found.at(100.0) == 80.0
    found.reached(101.0, 20.0)
    assert found.at(101.0) == 80.0
    assert found.known == pytest.approx(50.0)


@pytest.mark.spec("M3.16", "M1.1")
def test_dials_are_even_but_for_what_a_late_loop_makes_up() -> None:
    found = ceiling()
    assert found.next_at == 0.0
    found.granted(0.0)
    assert found.next_at == pytest.approx(1 / 50)
    found.granted(5.0)
    assert found.next_at == pytest.approx(4.9 + 1 / 50)
