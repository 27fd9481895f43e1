"""What a server asks for, and the gap between dials, on top of any backoff."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import policies
from recloser.fsm import Cause, Close, Context, Phase, Retry
from recloser.policies.backoff import Uniform
from recloser.policies.pace import LIMIT, pace, told
from tests.policies.rig import ALMOST_ONE, ROLLS, Line, after, broken, received, refused

STANDARD = policies.standard()


def retries(close: object, **facts: object) -> list[float]:
    found = [
        STANDARD.decide(close, after(1, phase=Phase.DIAL, roll=roll, **facts))  # type: ignore[arg-type] # bad input is the point
        for roll in ROLLS
    ]
    return [each.delay for each in found if isinstance(each, Retry)]


@pytest.mark.spec("D3.1", "D3.4")
@pytest.mark.parametrize("asked", [1.0, 1.5, 5.0, 12.0, 30.0, 120.0, 300.0])
def test_retry_after_is_a_lower_bound_with_spread_on_top(asked: float) -> None:
    found = retries(refused(503, retry_after=asked))
    assert found[0] == asked
    assert found[-1] == pytest.approx(asked + max(min(asked, 5.0), asked / 4))
    assert len(set(found)) == len(ROLLS)


@pytest.mark.spec("D3.4")
@given(st.floats(1.0, LIMIT))
def test_the_spread_of_a_retry_after_follows_the_figure(asked: float) -> None:
    found = retries(refused(503, retry_after=asked))
    assert found[-1] - found[0] <= asked
    again = after(4, phase=Phase.DIAL, streak=4, busy=4, roll=ALMOST_ONE)
    later = STANDARD.decide(refused(503, retry_after=asked), again)
    assert isinstance(later, Retry)
    assert later.delay >= found[-1]


@pytest.mark.spec("D3.2")
@pytest.mark.parametrize("asked", [1e4, 1e300, 10**400])
def test_retry_after_is_clamped(asked: float) -> None:
    assert retries(refused(503, retry_after=asked)) == retries(refused(503, retry_after=LIMIT))


@pytest.mark.spec("D3.3")
@pytest.mark.parametrize("garbage", [-1.0, 0.0, float("nan"), float("inf"), float("-inf")])
def test_garbage_is_ignored(garbage: float) -> None:
    assert retries(refused(503, retry_after=garbage)) == retries(refused(503))
    assert retries(refused(503, spread=garbage)) == retries(refused(503))


@pytest.mark.spec("D3.4", "D3.5")
@pytest.mark.parametrize("asked", [1.0, 3.0, 5.0, 30.0, 300.0])
def test_what_is_told_replaces_the_floor_that_stands_for_it(asked: float) -> None:
    """A 429, and a 1013 whose server told the time in-band, wait as a 503 does."""
    quiet = retries(refused(429))
    assert (quiet[0], received(1013).retry_after) == (6.0, None)
    assert retries(refused(429, retry_after=asked)) == retries(refused(503, retry_after=asked))
    lost = [
        STANDARD.decide(received(1013, retry_after=asked), after(1, roll=roll)) for roll in ROLLS
    ]
    assert [each.delay for each in lost if isinstance(each, Retry)] == retries(
        refused(503, retry_after=asked)
    )


@pytest.mark.spec("D3.3", "D3.5")
@pytest.mark.parametrize("garbage", [-1.0, 0.0, float("nan"), float("inf")])
def test_garbage_replaces_no_floor(garbage: float) -> None:
    assert retries(refused(429, retry_after=garbage)) == retries(refused(429))


@pytest.mark.spec("D3.5")
def test_the_floor_of_a_service_outlasts_what_the_server_asks() -> None:
    kraken = policies.for_service("kraken")
    found = kraken.decide(refused(429, retry_after=5.0), after(1, phase=Phase.DIAL, roll=0.0))
    assert isinstance(found, Retry)
    assert found.delay == 600.0


@pytest.mark.spec("D4.4")
def test_the_first_redial_uses_the_whole_spread_that_the_server_asks_for() -> None:
    for close in (received(1001, spread=60.0), received(1012, spread=60.0)):
        found = [STANDARD.decide(close, after(1, roll=roll)) for roll in ROLLS]
        assert [each.delay for each in found if isinstance(each, Retry)] == [
            pytest.approx(60 * roll) for roll in ROLLS
        ]


@pytest.mark.spec("D4.1", "D5")
def test_while_the_server_is_away_the_fleet_keeps_the_order_of_its_spread() -> None:
    """Each engine dials once in every spread, at its own moment of it."""
    fleet = []
    for seed in range(300):
        ends = (received(1001, spread=60.0), *[broken(Cause.TCP)] * 3)
        line = Line(STANDARD, lambda dial, ends=ends: ends[dial - 1], uptime=0.0, seed=seed)  # type: ignore[misc] # a default binds the loop variable
        fleet.append(line.run(4).dials)
    for engine in fleet:
        assert engine[2] - engine[1] == pytest.approx(60.0, abs=1.0)
        assert engine[3] - engine[2] == pytest.approx(60.0, abs=1.0)
    for dial in (1, 2, 3):
        seconds = [int(engine[dial]) for engine in fleet]
        assert max(seconds.count(second) for second in set(seconds)) <= 3 * 300 / 60


def test_a_dial_that_fails_while_a_spread_is_known_comes_again_one_spread_later() -> None:
    context = after(3, phase=Phase.DIAL, spread=60.0, since_dial=0.25, last_roll=0.2)
    decision = STANDARD.decide(broken(Cause.TCP), context)
    assert isinstance(decision, Retry)
    assert decision.delay == 59.75


def test_a_spread_that_is_too_short_is_outgrown() -> None:
    """A server that under-promises: busy answers and silence widen what it asked for."""
    low, high = (
        STANDARD.decide(broken(Cause.TCP), after(8, phase=Phase.DIAL, spread=2.0, roll=roll))
        for roll in (0.0, ALMOST_ONE)
    )
    assert isinstance(low, Retry)
    assert isinstance(high, Retry)
    assert high.delay - low.delay == pytest.approx(15.0)
    busy = after(8, phase=Phase.DIAL, spread=2.0, busy=6, roll=ALMOST_ONE)
    decision = STANDARD.decide(refused(503), busy)
    assert isinstance(decision, Retry)
    assert decision.delay > 16.0
    again = after(9, phase=Phase.DIAL, streak=9, roll=ALMOST_ONE)
    decision = STANDARD.decide(refused(503, spread=0.1), again)
    assert isinstance(decision, Retry)
    assert decision.delay == pytest.approx(1.5**8)


@pytest.mark.spec("D4.3", "D4.4")
@given(st.floats(0, 5), st.floats(0, 3), st.booleans())
def test_a_dial_starts_a_second_after_the_one_before(
    draw: float, since_dial: float, immediate: bool
) -> None:
    context = after(2, since_dial=since_dial, previous_immediate=immediate)
    delay = pace(Uniform(draw, draw), 0.0, broken(), context)
    assert delay >= draw
    assert since_dial + delay >= 1.0 - 1e-12
    assert delay >= 1.0 or not immediate


@pytest.mark.spec("D5")
def test_moments_before_the_gap_are_moved_behind_it_and_stay_apart() -> None:
    rng = Random(3)
    backoff = Uniform(0.0, 2.0)
    delays = [
        pace(backoff, 0.0, broken(), after(2, since_dial=0.0, roll=rng.random()))
        for _ in range(1000)
    ]
    tenths = [int(delay * 10) for delay in delays]
    assert min(delays) >= 1.0
    assert max(tenths.count(tenth) for tenth in set(tenths)) < 2 * 1000 / 10


@pytest.mark.spec("D4.3", "D4.6", "E3.1")
def test_a_refresh_dial_is_immediate_but_never_the_second_in_a_row() -> None:
    fresh = after(1, phase=Phase.DIAL, can_refresh=True)
    assert STANDARD.decide(refused(401), fresh) == Retry(0.0, True, "unauthorized-refresh")
    again = after(2, phase=Phase.DIAL, can_refresh=True, previous_immediate=True)
    assert STANDARD.decide(refused(401), again) == Retry(1.0, True, "unauthorized-refresh")


@pytest.mark.spec("D4.4", "D4.6")
def test_two_refusals_in_turn_do_not_refresh_in_a_hot_loop() -> None:
    ends = (refused(401), received(3000))
    line = Line(STANDARD, lambda dial: ends[dial % 2], uptime=0.01).run(30)
    dials = line.dials
    assert len(dials) == 30
    assert all(third - at >= 1.0 for at, third in zip(dials, dials[2:], strict=False))


@pytest.mark.spec("D3.1", "D3.2", "D3.4")
@pytest.mark.parametrize(
    ("asked", "facts", "delay"),
    [
        ({"retry_after": 40.0}, {}, 40.0 + 5.0),  # a quarter of the figure on top
        ({"retry_after": 10.0}, {}, 10.0 + 2.5),  # the first window
        ({"retry_after": 3.0}, {}, 3.0 + 1.5),  # as wide as the figure
        ({"retry_after": 40.0}, {"busy": 10}, 40.0 + 0.5 * 5.0 * 1.5**5),
        ({"retry_after": 1000.0}, {}, 300.0 + 37.5),
        ({"retry_after": 40.0, "spread": 8.0}, {}, 40.0 + 4.0),
        ({"retry_after": 0.5}, {"streak": 5}, 0.5 + 0.5 * 1.5**4),
        ({"retry_after": 0.5}, {"streak": 10**9}, 0.5 + 150.0),
        ({"spread": 60.0}, {}, 30.0),
        ({"spread": 1000.0}, {}, 150.0),
        ({"spread": 0.5}, {"streak": 1}, 0.5),
    ],
)
@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_what_the_server_asks_for_in_figures(
    asked: dict[str, float], facts: dict[str, Any], delay: float, floor: float
) -> None:
    context = after(2, phase=Phase.DIAL, roll=0.5, since_dial=60.0, **facts)
    expected = delay if "retry_after" in asked else delay + floor
    assert pace(Uniform(9.0, 9.0), floor, refused(500, **asked), context) == pytest.approx(expected)


@pytest.mark.spec("D3.1")
def test_a_floor_above_the_figure_takes_its_place() -> None:
    context = after(2, phase=Phase.DIAL, roll=0.5, since_dial=60.0)
    assert pace(Uniform(9.0, 9.0), 50.0, refused(500, retry_after=40.0), context) == 55.0


@pytest.mark.spec("D5")
@pytest.mark.parametrize(("spread", "delay"), [(4.999, 0.5 * 7.5), (5.0, 5.625), (6.0, 5.625)])
def test_a_spread_below_the_first_window_leaves_the_dials_to_the_windows(
    spread: float, delay: float
) -> None:
    """A window from the start of the dial before, or else a moment of the next window."""
    context = after(2, phase=Phase.DIAL, spread=spread, since_dial=1.875, roll=0.5)
    assert pace(Uniform(9.0, 9.0), 0.0, broken(), context) == delay


@pytest.mark.spec("D3.3")
@pytest.mark.parametrize(
    ("figure", "said"), [(None, False), (0.0, False), (float("inf"), False), (0.1, True)]
)
def test_whether_the_server_has_said_when(figure: float | None, said: bool) -> None:
    assert told(refused(503, retry_after=figure)) is said


@pytest.mark.spec("D3.5")
def test_a_figure_below_a_second_replaces_the_floor_as_well() -> None:
    context = after(1, phase=Phase.DIAL, roll=0.0, since_dial=60.0)
    found = STANDARD.decide(refused(429, retry_after=0.5), context)
    assert isinstance(found, Retry)
    assert found.delay == 0.5


@pytest.mark.spec("D4.4")
@pytest.mark.parametrize(("since", "delay"), [(-5.0, 8.0), (-1.5, 4.5), (0.0, 2.0), (9.0, 2.0)])
def test_a_dial_that_has_not_begun_counts_for_the_gap(since: float, delay: float) -> None:
    """It ended while it waited for its moment: the next one keeps the distance from there."""
    context = after(2, phase=Phase.DIAL, since_dial=since, roll=0.0)
    assert pace(Uniform(2.0, 3.0), 0.0, broken(), context) == delay


@pytest.mark.spec("D4.3")
@pytest.mark.parametrize(
    ("since_dial", "drawn", "delay"),
    [
        (0.5, 0.25, 0.75),
        (0.5, 0.5, 0.5),
        (0.5, 0.75, 0.75),
        (0.0, 1.0, 1.0),
        (-0.5, 1.25, 2.75),
        (-0.5, 1.5, 1.5),
        (-0.5, 1.75, 1.75),
    ],
)
def test_a_draw_before_the_earliest_moment_is_put_behind_it(
    since_dial: float, drawn: float, delay: float
) -> None:
    context = Context(phase=Phase.DIAL, attempt=1, since_dial=since_dial)
    assert pace(Uniform(drawn, drawn), 0.0, Close.cut(Cause.TCP), context) == delay
