"""Counts over sliding windows of minutes."""

import pytest

from recloser.statistics import CloseKind
from recloser.statistics.counts import CloseCounts

A = CloseKind(1000, None, "peer", False, "a:443", "normal")
B = CloseKind(1006, None, "network", False, "b:443", "lost")


@pytest.mark.spec("I5.1")
def test_a_window_slides() -> None:
    counts = CloseCounts()
    for minute in range(100):
        counts.add(A, minute * 60.0)
    counts.add(B, 99 * 60.0 + 30)
    now = 99 * 60.0 + 59
    assert counts.total == {A: 100, B: 1}
    assert counts.within(60, now) == {A: 1, B: 1}
    assert counts.within(600, now) == {A: 10, B: 1}
    assert counts.within(3600, now) == {A: 60, B: 1}
    assert counts.within(600, now + 300) == {A: 5, B: 1}
    assert counts.within(3600, now + 1e6) == {}
    assert counts.total[A] == 100


@pytest.mark.spec("I5.1")
def test_a_clock_that_stands_or_goes_back_loses_no_close() -> None:
    counts = CloseCounts()
    for now in (1e9, 1e9, 1e9 - 500):
        counts.add(A, now)
    assert counts.within(60, 1e9) == {A: 3}
    assert counts.within(1, 0.0) == {A: 3}
