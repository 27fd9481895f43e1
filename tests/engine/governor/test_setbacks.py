"""What an engine has met by itself: how often in a row, and since when it fails."""

from math import inf

import pytest

from recloser.governor.setbacks import Setbacks


@pytest.mark.spec("M3.20")
def test_they_count_until_a_connection_was_stable_or_the_engine_goes() -> None:
    for end in (Setbacks.stable, Setbacks.forget):
        setbacks = Setbacks()
        for number in range(1, 4):
            setbacks.add(1, 10.0 * number)
            setbacks.opened(1)
            assert setbacks.count(1) == number
        assert setbacks.count(2) == 0
        end(setbacks, 1)
        assert setbacks.count(1) == 0


@pytest.mark.spec("M3.22")
def test_an_engine_fails_from_its_first_failure_until_it_opens_or_goes() -> None:
    for end in (Setbacks.opened, Setbacks.forget):
        setbacks = Setbacks()
        assert setbacks.since(1) == inf
        setbacks.fails(1, 5.0)
        setbacks.fails(1, 9.0)
        setbacks.stable(1)
        assert setbacks.since(1) == 5.0
        end(setbacks, 1)
        assert setbacks.since(1) == inf
        setbacks.fails(1, 12.0)
        assert setbacks.since(1) == 12.0


@pytest.mark.spec("M3.20")
def test_those_of_who_is_open_are_kept_for_ten_minutes_and_those_of_who_fails_for_good() -> None:
    setbacks = Setbacks()
    setbacks.fails(0, 0.0)
    setbacks.add(0, 0.0)
    for engine in range(1, 100_001):
        setbacks.add(engine, float(engine))
    assert setbacks.count(0) == 1
    assert setbacks.count(100_000 - 599) == 1
    assert setbacks.count(5000) == 0
    assert len(setbacks._counts) < 1500
