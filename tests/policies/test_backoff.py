"""Backoffs: their formulas, their bounds, and how a fleet comes out of them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm import Context
from recloser.policies import backoff as backoffs
from recloser.policies.backoff import Backoff, Uniform
from recloser.policies.windows import Windows
from tests.policies.rig import ALMOST_ONE, CLOSES, CONTEXTS, after, broken, refused

ALL: tuple[Backoff, ...] = (
    backoffs.Uniform(0, 5),
    backoffs.Steps((1, 2, 5), jitter=0.2),
    backoffs.Exponential(),
    backoffs.FullJitter(0.1, 7, 1.3),
    backoffs.EqualJitter(),
    backoffs.Decorrelated(),
    backoffs.rfc6455(),
    Windows(),
    Windows(first=1, factor=2, longest=60, longest_busy=60),
)


@pytest.mark.spec("D2.2", "D2.3")
@given(st.sampled_from(ALL), CLOSES, CONTEXTS)
def test_no_delay_exceeds_its_bound_at_any_attempt(
    backoff: Backoff, close: object, context: Context
) -> None:
    delay = backoff.delay(close, context)  # type: ignore[arg-type] # any kind of backoff
    assert 0.0 <= delay <= backoff.bound()


@pytest.mark.spec("D2.1")
@pytest.mark.parametrize(
    "backoff", [each for each in ALL if not isinstance(each, Windows)], ids=str
)
def test_jitter_comes_after_the_cap(backoff: Backoff) -> None:
    """At the cap, different rolls still give different delays; nothing is clamped."""
    contexts = [after(10**9, roll=roll / 100, last_delay=1e9) for roll in range(100)]
    found = {backoff.delay(broken(), context) for context in contexts}
    assert len(found) == (1 if type(backoff) is backoffs.Exponential else 100)


def at(backoff: Backoff, attempt: int, roll: float, **facts: float | None) -> float:
    return backoff.delay(broken(), after(attempt, roll=roll, **facts))


def test_the_formulas() -> None:
    full, equal = backoffs.FullJitter(1, 60), backoffs.EqualJitter(1, 60)
    plain = backoffs.Exponential(1, 60)
    assert [at(plain, n, 0.3) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [at(full, n, 0.5) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [at(equal, n, 0.0) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [at(backoffs.Steps((1, 2, 5)), n, 0.5) for n in range(1, 6)] == [1, 2, 5, 5, 5]
    assert at(backoffs.Steps((10,), jitter=0.5), 1, 0.5) == 7.5
    assert at(backoffs.Decorrelated(1, 60), 1, 0.5) == 2.0
    assert at(backoffs.Decorrelated(1, 60), 2, 0.5, last_delay=10.0) == 15.5
    assert at(backoffs.Decorrelated(1, 60), 2, 0.5, last_delay=50.0) == 30.5
    assert at(backoffs.rfc6455(), 1, ALMOST_ONE) == pytest.approx(5.0)
    assert at(Uniform(2, 4), 9, 0.5) == 3.0


@given(st.floats(0.001, 10), st.floats(1.01, 10), st.integers(1, 200))
def test_the_ceiling_is_the_power_until_the_cap(base: float, factor: float, attempt: int) -> None:
    ceiling = backoffs.Exponential(base, 60.0, factor).ceiling(attempt)
    assert ceiling == pytest.approx(min(60.0, base * factor ** (attempt - 1)))


def test_the_power_reaches_the_cap_and_not_before() -> None:
    """Where the cap is no power, where the base is far from 1 s, and where there is no growth."""
    assert [at(backoffs.Exponential(2, 65), n, 0.5) for n in range(1, 8)] == [
        *(2, 4, 8, 16, 32, 64, 65)
    ]
    tiny = backoffs.Exponential(2.0**-10, 60)
    assert [at(tiny, n, 0.5) for n in (1, 11, 16, 17)] == [2.0**-10, 1.0, 32.0, 60.0]
    assert [at(backoffs.Exponential(7, 7), n, 0.5) for n in (1, 2)] == [7, 7]


@pytest.mark.parametrize(
    "backoff", [backoffs.Steps((1, 2, 5)), backoffs.Exponential(1, 60, 3)], ids=str
)
def test_before_the_first_failure_the_first_delay_counts(backoff: Backoff) -> None:
    assert at(backoff, 0, 0.5) == at(backoff, 1, 0.5) == 1


def test_windows_lie_end_to_end() -> None:
    windows = Windows()
    starts = [0.0]
    for attempt in range(1, 9):
        starts.append(starts[-1] + windows.length(attempt, 0))
    assert [windows.length(attempt, 0) for attempt in (1, 2, 3)] == [5.0, 7.5, 11.25]
    assert [windows.length(attempt, 0) for attempt in (6, 7, 10**9)] == [30.0] * 3
    for roll in (0.0, 0.3, 0.9):
        before, now, last = None, 0.0, 0.0
        for attempt in range(1, 9):
            now += at(windows, attempt, roll, last_roll=before, since_dial=10.0 * (before is None))
            assert starts[attempt - 1] <= now + 1e-9
            assert now <= starts[attempt] + 1e-9
            assert now - last >= 1.0 or attempt == 1
            before, last = roll, now


def test_a_busy_answer_holds_the_window_once_then_grows_it_past_the_longest() -> None:
    windows = Windows()
    assert [windows.length(1 + busy, busy) for busy in range(6)] == [5, 5, 7.5, 7.5, 11.25, 11.25]
    grown = [windows.length(10 + busy, busy) for busy in range(40)]
    assert grown[:4] == [30.0, 30.0, 45.0, 45.0]
    assert grown == sorted(grown)
    assert grown[-1] == 300.0


def test_what_a_slow_dial_took_comes_from_its_window_and_not_from_the_jitter() -> None:
    windows = Windows()
    quick = at(windows, 2, 0.5, last_roll=0.0, since_dial=0.0)
    assert quick == 5.0 + 3.75
    assert at(windows, 2, 0.5, last_roll=0.0, since_dial=2.0) == quick - 2.0
    assert at(windows, 2, 0.5, last_roll=0.0, since_dial=20.0) == 3.75


def test_after_an_immediate_dial_the_next_window_begins_a_second_later() -> None:
    context = after(2, roll=0.0, last_roll=0.1, previous_immediate=True, since_dial=0.0)
    assert Windows().delay(broken(), context) == 1.0


def test_the_window_before_is_known_whether_or_not_this_answer_was_busy() -> None:
    windows = Windows()
    context = after(4, roll=0.0, last_roll=0.0, busy=2, since_dial=0.0)
    assert windows.delay(refused(503), context) == windows.length(3, 1)
    assert windows.delay(broken(), context) == windows.length(3, 2)


@pytest.mark.spec("D5")
def test_a_thousand_engines_do_not_dial_together_also_at_the_cap() -> None:
    """The most dials in any second are at most twice those of an even spread."""
    windows, rng = Windows(), Random(7)
    moments: list[float] = []
    for _ in range(1000):
        before, now = None, 0.0
        for attempt in range(1, 30):
            roll = rng.random()
            since = 10.0 if before is None else 0.0
            now += at(windows, attempt, roll, last_roll=before, since_dial=since)
            moments.append(now)
            before = roll
    for low, high, window in ((0.0, 5.0, 5.0), (400.0, 700.0, 30.0)):
        seconds = [int(moment) for moment in moments if low <= moment < high]
        most = max(seconds.count(second) for second in set(seconds))
        assert most <= 2 * 1000 / window


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Windows(first=0), "first must be finite and above 0"),
        (lambda: Windows(factor=1), "factor must be above 1"),
        (lambda: Windows(first=40), "first must not exceed longest"),
        (lambda: Windows(longest=400), "longest must not exceed longest_busy"),
        (lambda: backoffs.FullJitter(-1), "base must be finite and above 0"),
        (lambda: backoffs.FullJitter(factor=0.5), "factor must be above 1"),
        (lambda: backoffs.FullJitter(factor=1), "factor must be above 1"),
        (lambda: backoffs.FullJitter(cap=0), "cap must be finite and above 0"),
        (lambda: backoffs.EqualJitter(cap=float("nan")), "cap must be finite"),
        (lambda: backoffs.Decorrelated(5, 1), "base must not exceed cap"),
        (lambda: backoffs.Decorrelated(base=0), "base must be finite and above 0"),
        (lambda: backoffs.Decorrelated(cap=0), "cap must be finite and above 0"),
        (lambda: backoffs.Steps(()), "at least one delay"),
        (lambda: backoffs.Steps((1, -1)), "each delay of the table must be finite"),
        (lambda: backoffs.Steps((1,), jitter=2), "jitter must not exceed"),
        (lambda: Uniform(3, 2), "low must not exceed cap"),
    ],
)
def test_a_bad_parameter_is_named(make: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make()  # type: ignore[operator] # bad input is the point


def test_a_parameter_that_is_no_number_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="base must be a number of seconds, not '1'"):
        backoffs.FullJitter("1")  # type: ignore[arg-type] # bad input is the point
    with pytest.raises(TypeError, match="not True"):
        Uniform(True, 2)


def test_they_say_what_they_do() -> None:
    assert [str(each) for each in ALL[:4]] == [
        "after 0-5 s",
        "steps of 1, 2, 5 s",
        "exponential 1 s, x2, to 60 s",
        "full jitter 0.1 s, x1.3, to 7 s",
    ]
    assert str(backoffs.Decorrelated()) == "decorrelated jitter 1 to 60 s"
    assert str(backoffs.rfc6455()) == "full jitter 5 s, x2, to 60 s"
    assert str(Uniform(3, 3)) == "after 3 s"
    assert str(Windows()) == "windows 5, 7.5, 11.2 .. 30 s (busy: to 300 s)"
