"""What a spread that the server gave earlier in the run means for the dials that fail after it."""

import pytest

from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Close
from recloser.policies.pace import WINDOWS, pace

SPREAD = 100.0
"""Longer than every window, so that it alone decides."""
SILENT = Close.by_engine(Cause.CONNECT_TIMEOUT)
NOBODY = Close.cut(Cause.TCP)
BUSY = Close.refused(503)
TOLD = Context(phase=Phase.DIAL, attempt=2, spread=SPREAD, since_dial=20.0, roll=0.5)


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
