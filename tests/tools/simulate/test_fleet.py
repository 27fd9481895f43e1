"""The standard policy in a fleet: engines that lose the server together do not dial together."""

from bisect import bisect_left
from math import sqrt

import pytest

from recloser import policies
from recloser.simulate.baselines import BASELINES
from recloser.simulate.outcome import busiest
from recloser.simulate.scenario import Refusal, RetryAfter, Scenario
from recloser.simulate.storm import simulate
from recloser.simulate.sweep import cases, sweep

ENGINES = 1000
OUTAGE = 400.0


@pytest.fixture(scope="module", params=[1006, 1001, 1012, 1013])
def storm(request):
    """Return the code and the dials of a thousand engines during a long outage."""
    scenario = Scenario(
        engines=ENGINES, outage=OUTAGE, capacity=1000.0, close=request.param, horizon=OUTAGE + 1
    )
    return request.param, simulate(policies.standard(), scenario).fleet.dials


@pytest.mark.spec("D5", "D4.1")
def test_the_first_dials_are_spread_over_their_window(storm):
    # A fleet that was told to move takes five seconds; one that sees only a broken line takes
    # the second that counts as at once. See docs/policies.md.
    code, dials = storm
    window = 1.0 if code == 1006 else 5.0
    first = dials[: bisect_left(dials, window + 0.1)]
    assert busiest(first) <= 2 * ENGINES / window


@pytest.mark.spec("D5", "D2.1")
def test_no_second_stands_out_at_the_cap(storm):
    # One dial for each engine in every window of 30 s, wherever in the outage.
    _, dials = storm
    late = dials[bisect_left(dials, OUTAGE / 2) :]
    even = ENGINES / 30
    assert busiest(late, OUTAGE / 2) <= 2 * even
    rate = len(late) / (OUTAGE / 2)
    assert rate == pytest.approx(even, abs=4 * sqrt(even))


@pytest.mark.spec("D5")
def test_a_spread_hint_is_kept_throughout_the_outage():
    scenario = Scenario(
        engines=ENGINES, outage=OUTAGE, capacity=1000.0, close=1012, spread=50.0, horizon=401.0
    )
    dials = simulate(policies.standard(), scenario).fleet.dials
    assert busiest(dials) <= 2 * ENGINES / 50
    assert len(dials) / ENGINES == pytest.approx(OUTAGE / 50, abs=1)


@pytest.mark.spec("D5")
@pytest.mark.parametrize(("spread", "busy_part"), [(2.0, 15.0), (10.0, 10.0)])
def test_a_short_spread_hint_does_not_make_a_fleet_poll(spread, busy_part):
    # Dials come 15 s apart all the same. From 5 s on the phase is kept, so that each such
    # window is quiet after the spread; below it the dials are drawn from the whole window.
    scenario = Scenario(
        engines=ENGINES, outage=OUTAGE, capacity=1000.0, close=1012, spread=spread, horizon=401.0
    )
    dials = simulate(policies.standard(), scenario).fleet.dials
    late = dials[bisect_left(dials, OUTAGE / 2) :]
    assert len(late) / ENGINES == pytest.approx(OUTAGE / 2 / 15, abs=1)
    assert busiest(late, OUTAGE / 2) <= 2 * ENGINES / busy_part


@pytest.mark.spec("L4", "D5")
def test_standard_beats_full_jitter_over_many_cases():
    # A sixth of the sweep of docs/simulate.md, with bounds a little wider than its ratios.
    several = list(
        cases(
            Scenario(engines=150),
            outages=(1.0, 10.0, 60.0),
            windows=(20.0, 60.0),
            refusals=(Refusal.REFUSE, Refusal.MIXED),
        )
    )
    standard, full = (
        sweep(policy, several).figures()
        for policy in (policies.standard(), BASELINES["full-jitter"]())
    )
    assert standard["excess_t99"] <= 1.0 * full["excess_t99"]
    assert standard["excess_t100"] <= 0.95 * full["excess_t100"]
    assert standard["dials_per_engine"] <= 0.95 * full["dials_per_engine"]
    assert standard["peak_ratio_worst"] <= 0.45 * full["peak_ratio_worst"]
    assert standard["never"] == 0


@pytest.mark.spec("D3.1", "D5")
@pytest.mark.parametrize("said", RetryAfter)
def test_a_server_that_speaks_is_met_near_the_optimum(said):
    # A spread hint in the close and Retry-After in the refusals, against full jitter, which
    # hears neither. A fleet this small leaves chance its part of the peak.
    what = {"outages": (1.0, 10.0, 60.0), "windows": (20.0, 60.0)}
    base = Scenario(engines=600, close=1012, retry_after=said)
    told = sweep(policies.standard(), list(cases(base, hint=True, **what))).figures()
    full = sweep(BASELINES["full-jitter"](), list(cases(Scenario(engines=150), **what))).figures()
    assert told["excess_t99"] <= 0.25 * full["excess_t99"]
    assert told["dials_after_return"] <= 1.2
    assert told["peak_ratio_worst"] <= 3
    assert told["never"] == 0
