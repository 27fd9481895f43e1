"""The lengths of the windows, and what a spread that the server gave earlier means for them."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Close
from recloser.policies.pace import WINDOWS, pace
from recloser.policies.windows import Windows

SPREAD = 100.0
"""Longer than every window, so that it alone decides."""
SILENT = Close.by_engine(Cause.CONNECT_TIMEOUT)
NOBODY = Close.cut(Cause.TCP)
BUSY = Close.refused(503)
TOLD = Context(phase=Phase.DIAL, attempt=2, spread=SPREAD, since_dial=20.0, roll=0.5)


@pytest.mark.parametrize("first", [5, 5.0])
def test_windows_that_do_not_grow_are_one(first: float) -> None:
    assert str(Windows(first=first, longest=5.0)) == "windows 5 .. 5 s (busy: to 300 s)"


def test_the_first_window_is_that_of_no_failure_and_of_one() -> None:
    lengths = [WINDOWS.length(attempt, 0) for attempt in range(9)]
    assert lengths == [5.0, 5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0, 30.0]


def test_windows_that_grow_at_once_are_two() -> None:
    assert str(Windows(factor=10.0)) == "windows 5, 30 .. 30 s (busy: to 300 s)"


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_windows_grow(factor: float) -> None:
    with pytest.raises(ValueError, match="factor must be above 1, not"):
        Windows(factor=factor)


def test_windows_show_what_they_are_made_of() -> None:
    assert repr(Windows()) == "Windows(first=5.0, factor=1.5, longest=30.0, longest_busy=300.0)"


def test_a_factor_near_one_makes_two_hundred_windows_and_no_more() -> None:
    windows = Windows(factor=1.001)
    assert windows.length(199, 0) == pytest.approx(5.0 * 1.001**198)
    assert windows.length(200, 0) == windows.length(10**9, 0) == 30.0


@pytest.mark.spec("D3.1", "D5")
@pytest.mark.parametrize(("streak", "share"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 1.0), (50, 1.0)])
@pytest.mark.parametrize("floor", [0.0, 7.0])
def test_a_dial_without_an_answer_comes_again_sooner_at_first(
    streak: int, share: float, floor: float
) -> None:
    context = TOLD._replace(attempt=streak + 1, streak=streak)
    assert pace(WINDOWS, floor, SILENT, context) == floor + 0.5 * SPREAD * share


@pytest.mark.spec("D5")
def test_any_other_dial_comes_once_in_each_window() -> None:
    assert pace(WINDOWS, 0.0, NOBODY, TOLD) == SPREAD - 20.0
    assert pace(WINDOWS, 3.0, NOBODY, TOLD) == 3.0 + SPREAD - 20.0
    assert pace(WINDOWS, 3.0, NOBODY, TOLD._replace(since_dial=500.0)) == 3.0


@pytest.mark.spec("D5")
def test_the_first_failure_of_a_run_has_been_told_nothing_earlier() -> None:
    """The run began with it: what a policy is shown at its attempt 1 is its own, or stale."""
    first = TOLD._replace(attempt=1)
    assert pace(WINDOWS, 3.0, NOBODY, first) == pace(
        WINDOWS, 3.0, NOBODY, first._replace(spread=None)
    )
    assert pace(WINDOWS, 3.0, NOBODY, first) != 3.0 + SPREAD - 20.0


@pytest.mark.spec("D5")
def test_after_an_answer_or_an_immediate_dial_the_window_is_drawn_anew() -> None:
    assert pace(WINDOWS, 0.0, BUSY, TOLD._replace(busy=1)) == 0.5 * SPREAD
    assert pace(WINDOWS, 0.0, NOBODY, TOLD._replace(previous_immediate=True)) == 0.5 * SPREAD


@pytest.mark.spec("D3.3")
@pytest.mark.parametrize("spread", [0.0, -1.0, float("inf"), float("nan")])
def test_garbage_told_earlier_is_ignored(spread: float) -> None:
    context = TOLD._replace(spread=None)
    assert pace(WINDOWS, 0.0, NOBODY, TOLD._replace(spread=spread)) == pace(
        WINDOWS, 0.0, NOBODY, context
    )


def expected(attempt: int, busy: int) -> float:
    """The window of the default ones: each silent failure a length, each two busy ones a factor."""
    length = min(30.0, 5.0 * 1.5 ** max(0, attempt - busy - 1))
    return min(300.0, length * min(60.0, 1.5 ** (busy // 2)))


@pytest.mark.spec("D2.1", "D2.2")
def test_each_silent_failure_takes_the_next_length_and_two_busy_ones_grow_it() -> None:
    for attempt in range(40):
        for busy in range(attempt + 1):
            assert WINDOWS.length(attempt, busy) == pytest.approx(expected(attempt, busy))
    assert WINDOWS.length(10**9, 0) == 30.0
    assert WINDOWS.length(10**9, 10**9) == 300.0
    assert WINDOWS.bound() == 600.0


@pytest.mark.spec("D2.3")
def test_windows_that_hardly_grow_are_two_hundred_at_most_and_the_last_is_the_longest() -> None:
    slow = Windows(first=1.0, factor=1.0001, longest=30.0)
    lengths = [slow.length(attempt, 0) for attempt in range(1, 203)]
    assert lengths[:3] == [1.0, 1.0001, pytest.approx(1.0001**2)]
    assert lengths[198] == pytest.approx(1.0001**198)
    assert lengths[199:] == [30.0] * 3


@pytest.mark.spec("D5")
@pytest.mark.parametrize(
    ("close", "facts", "delay"),
    [
        (NOBODY, {"attempt": 1, "last_roll": 0.25}, 0.0 + 2.5),
        (NOBODY, {"attempt": 2, "last_roll": None}, 0.0 + 3.75),
        (NOBODY, {"attempt": 2, "last_roll": 0.25}, 2.75 + 3.75),
        (NOBODY, {"attempt": 2, "last_roll": 0.25, "since_dial": 100.0}, 0.0 + 3.75),
        (NOBODY, {"attempt": 2, "last_roll": 0.25, "previous_immediate": True}, 1.0 + 3.75),
        (BUSY, {"attempt": 3, "last_roll": 0.25, "busy": 1}, 4.625 + 3.75),
        (NOBODY, {"attempt": 3, "last_roll": 0.25, "busy": 1}, 2.75 + 3.75),
        (BUSY, {"attempt": 3, "last_roll": 0.25, "busy": 0}, 4.625 + 5.625),
        (BUSY, {"attempt": 6, "last_roll": 0.25, "busy": 2}, 11.65625 + 12.65625),
    ],
)
def test_a_dial_waits_for_the_end_of_its_window_and_for_its_moment_of_the_next(
    close: Close, facts: dict[str, Any], delay: float
) -> None:
    known = {"since_dial": 1.0, "roll": 0.5} | facts
    assert WINDOWS.delay(close, Context(phase=Phase.DIAL, **known)) == delay


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_a_copy_has_the_same_windows(again: Callable[[Windows], Windows]) -> None:
    one = Windows(first=2.0, longest=50.0)
    other = again(one)
    assert other == one != Windows()
    lengths = [[each.length(attempt, 3) for attempt in range(1, 20)] for each in (one, other)]
    assert lengths[0] == lengths[1]
    assert str(other) == str(one)
