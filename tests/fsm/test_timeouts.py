"""The three deadlines: their defaults, and what is refused."""

from dataclasses import fields

import pytest

from recloser.fsm.timeouts import Timeouts

NAMES = [each.name for each in fields(Timeouts)]


def test_defaults() -> None:
    assert Timeouts() == Timeouts(connect=20.0, close=5.0, stable=10.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, -0.0, float("nan"), float("inf")])
def test_numbers_that_are_no_deadline(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"timeouts.{name} must be finite and above 0"):
        Timeouts(**{name: value})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["5", None, True, 1j])
def test_what_is_no_number(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"timeouts.{name} must be a number of seconds"):
        Timeouts(**{name: value})  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("value", [1, 0.001, 1e9])
def test_whatever_is_finite_and_above_zero_serves(value: float) -> None:
    for name in NAMES:
        assert getattr(Timeouts(**{name: value}), name) == value
