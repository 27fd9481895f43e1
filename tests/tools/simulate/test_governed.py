"""Storms with governors: nothing is lost, and the fleet does what docs/simulate.md says."""

from dataclasses import replace

import pytest

from recloser import policies
from recloser.fsm.decisions import Hold, Retry, Stop
from recloser.fsm.errors import PolicyError
from recloser.simulate import governed
from recloser.simulate.population import Population
from recloser.simulate.scenario import NOTICE, Down, Governing, Refusal, RetryAfter, Scenario
from recloser.simulate.storm import simulate
from recloser.simulate.sweep import REFUSALS, cases, sweep


@pytest.mark.spec("L4")
@pytest.mark.parametrize("governor", Governing)
@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize("down", Down)
def test_nothing_is_lost_or_invented(governor, refusal, down):
    outcome = simulate(
        policies.standard(),
        Scenario(
            engines=120,
            processes=4,
            outage=8.0,
            capacity=12.0,
            refusal=refusal,
            down=down,
            alone=0.2,
            governor=governor,
        ),
    )
    dials = len(outcome.fleet.dials)
    assert dials == 96 + outcome.unheard + outcome.refused + outcome.hung
    assert len(outcome.fleet.opened) == 96
    assert outcome.alone is not None
    assert len(outcome.alone.opened) == len(outcome.alone.dials) == 24
    assert list(outcome.fleet.dials) == sorted(outcome.fleet.dials)


@pytest.mark.spec("L4", "M3.1")
def test_an_engine_by_itself_is_as_without_a_governor():
    scenario = Scenario(engines=1, outage=45.0, capacity=10.0)
    alone = simulate(policies.standard(), scenario).fleet
    governed = Scenario(engines=1, outage=45.0, capacity=10.0, governor=Governing.PROCESS)
    assert list(simulate(policies.standard(), governed).fleet.dials) == list(alone.dials)


def cases_of(governor: Governing | None) -> list[Scenario]:
    base = Scenario(engines=400, processes=4, governor=governor)
    return list(cases(base, outages=(3.0, 40.0), windows=(60.0,), refusals=(Refusal.REFUSE,)))


@pytest.mark.spec("L4", "M3.3")
@pytest.mark.parametrize(
    ("governor", "dials", "peak", "late"),
    [
        (Governing.PROCESS, 1.6, 7.0, 0.5),
        (Governing.FLEET, 1.25, 3.0, 0.8),
        (Governing.FLEET_RATE, 1.2, 1.5, 0.3),
    ],
)
def test_a_fleet_dials_little_and_evenly(governor, dials, peak, late):
    figures = sweep(policies.standard(), cases_of(governor)).figures()
    assert figures["never"] == 0
    assert figures["dials_per_engine"] <= dials
    assert figures["peak_ratio_worst"] <= peak
    assert figures["excess_t99"] <= late


def figures_of(refusals=REFUSALS, **known) -> dict[str, float]:
    """Of a thousand engines in two outages at two capacities."""
    base = Scenario(engines=1000, **known)
    some = cases(base, outages=(3.0, 40.0), windows=(20.0, 60.0), refusals=refusals)
    return sweep(policies.standard(), list(some)).figures()


@pytest.mark.spec("L4", "M1.3", "M3.14")
def test_a_fleet_finds_the_capacity_of_a_host_that_queues_without_a_refusal():
    """Its goals, with nothing set: dials, peak, time, and nobody waits for twice the mean."""
    base = Scenario(engines=2000, queue=True, governor=Governing.FLEET)
    some = cases(base, outages=(1.0, 40.0), windows=(20.0, 60.0, 180.0))
    outcomes = sweep(policies.standard(), list(some))
    figures = outcomes.figures()
    assert figures["dials_after_return"] == 1.0
    assert figures["dials_per_engine"] <= 1.2
    assert figures["peak_ratio_worst"] <= 1.5
    assert figures["excess_t99_worst"] <= 0.1
    assert figures["wait_ratio_worst"] <= 2.0


@pytest.mark.spec("L4", "M1.3", "M3.15", "M3.16")
@pytest.mark.parametrize("storms", [2, 3])
@pytest.mark.parametrize("windows", [(20.0, 60.0, 180.0), (10.0, 30.0, 300.0)])
def test_a_fleet_that_has_met_a_limiter_before_exceeds_it_no_more(storms, windows):
    """Its goals, with nothing set: dials, peak, time, and nobody waits for twice the mean."""
    base = Scenario(engines=2000, governor=Governing.FLEET, storms=storms)
    some = list(cases(base, outages=(1.0, 40.0), windows=windows))
    figures = sweep(policies.standard(), some).figures()
    assert figures["dials_after_return"] <= 1.01
    assert figures["dials_per_engine"] <= 1.2
    assert figures["peak_ratio_worst"] <= 1.5
    assert figures["excess_t99_worst"] <= 0.15
    assert figures["wait_ratio_worst"] <= 2.0


@pytest.mark.spec("L4", "M1.3", "M3.14", "M3.15", "M3.16", "M3.18")
@pytest.mark.parametrize(
    ("queue", "windows", "late"),
    [
        (False, (20.0, 60.0, 180.0), 0.15),
        (False, (10.0, 30.0, 300.0), 0.15),
        (True, (20.0, 60.0, 180.0), 0.2),
        (True, (10.0, 30.0, 300.0), 0.35),
    ],
)
def test_a_fleet_that_has_started_does_not_exceed_its_host_in_the_first_storm(queue, windows, late):
    """Its goals, with nothing set: dials, peak, time, and nobody waits for twice the mean."""
    base = Scenario(engines=2000, queue=queue, governor=Governing.FLEET, start=True)
    figures = sweep(
        policies.standard(), list(cases(base, outages=(1.0, 40.0), windows=windows))
    ).figures()
    assert figures["dials_after_return"] <= 1.01
    assert figures["dials_per_engine"] <= 1.2
    assert figures["peak_ratio_worst"] <= 1.5
    assert figures["excess_t99_worst"] <= late
    assert figures["wait_ratio_worst"] <= 2.0


@pytest.mark.spec("L4", "M3.15", "M3.18")
@pytest.mark.parametrize("window", [20.0, 60.0, 180.0])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_start_finds_what_a_limiter_takes_and_counts_all_of_its_crowd(window, refusal):
    """Those who opened before the host went down as well: else a storm of as many would have a
    ceiling above what the host takes."""
    start = Scenario(
        engines=2000,
        outage=0.0,
        capacity=2000 / window,
        refusal=refusal,
        governor=Governing.FLEET,
        start=True,
        storms=0,
    )
    storm = governed._GovernedStorm(policies.standard(), start)
    storm.run(None)
    [known] = storm.known
    assert known["host"].crowd == pytest.approx(2000, rel=0.01)
    assert 0.95 * start.capacity <= known["host"].rate <= start.capacity


@pytest.mark.spec("L4")
def test_a_start_comes_before_the_storms(monkeypatch):
    runs = []

    def noted(policy, scenario):
        runs.append((scenario.storms > 0, scenario.outage))
        return Population(policy, scenario)

    monkeypatch.setattr(governed, "Population", noted)
    scenario = Scenario(engines=5, start=True, storms=2, governor=Governing.FLEET)
    simulate(policies.standard(), scenario)
    assert runs == [(False, 0.0), (True, 30.0), (True, 30.0)]


@pytest.mark.spec("L4", "M3.17")
@pytest.mark.parametrize("queue", [True, False])
@pytest.mark.parametrize(
    ("governor", "dials", "peak"), [(Governing.PROCESS, 1.9, 25.0), (Governing.FLEET, 1.3, 3.2)]
)
def test_a_crowd_that_starts_dials_little(governor, dials, peak, queue):
    """With 200 dials at a time these processes have a peak of 98."""
    start = Scenario(
        engines=2000,
        processes=20,
        outage=0.0,
        capacity=2000 / 180,
        queue=queue,
        governor=governor,
        start=True,
        storms=0,
    )
    outcome = simulate(policies.standard(), start)
    assert len(outcome.fleet.opened) == 2000
    assert outcome.unheard == 0
    assert outcome.fleet.dials_per_engine <= dials
    assert outcome.peak_after_return <= peak * start.capacity
    assert outcome.excess(0.99) <= 0.1


@pytest.mark.spec("L4")
def test_without_a_governor_all_dial_as_they_start():
    start = Scenario(engines=500, capacity=100.0, outage=0.0, start=True, storms=0)
    outcome = simulate(policies.standard(), start)
    assert outcome.fleet.dials[499] <= NOTICE
    opened = sum(moment <= 1.0 for moment in outcome.fleet.opened)
    assert opened >= 100, "the server was idle, and has the dials of a second to give"
    assert len(outcome.fleet.opened) == 500


@pytest.mark.spec("L4", "M3.16")
@pytest.mark.parametrize("regions", [1, 3])
def test_the_last_of_several_storms_counts_each_with_a_fate_of_its_own(regions):
    scenario = Scenario(
        engines=1500, outage=3.0, capacity=50.0, governor=Governing.FLEET, regions=regions
    )
    first, second, again = (
        simulate(policies.standard(), replace(scenario, storms=storms)) for storms in (1, 2, 2)
    )
    assert second.refused < first.refused / 5
    assert second.fleet.dials == again.fleet.dials
    assert len(second.fleet.opened) == 1500
    assert second.fleet.opened[0] > 3.0


@pytest.mark.spec("L4", "M3.15", "M3.16")
@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize(("engines", "window"), [(3000, 2.0), (1000, 5.0), (300, 180.0)])
@pytest.mark.parametrize("processes", [1, 4])
def test_a_second_storm_takes_about_as_long_as_the_first(engines, window, processes, refusal):
    """Also where most were back before the first refusal, and where few are refused for long."""
    scenario = Scenario(
        engines=engines,
        processes=processes,
        outage=3.0,
        capacity=engines / window,
        refusal=refusal,
        governor=Governing.PROCESS,
    )
    first, second = (
        simulate(policies.standard(), replace(scenario, storms=storms)).fleet.time(0.99)
        for storms in (1, 2)
    )
    assert second - 3.0 <= 1.6 * (first - 3.0)


@pytest.mark.spec("L4")
def test_each_storm_has_dice_of_its_own(monkeypatch):
    seeds = []

    def noted(policy, scenario):
        seeds.append(scenario.seed)
        return Population(policy, scenario)

    monkeypatch.setattr(governed, "Population", noted)
    scenario = Scenario(engines=5, seed=7, start=True, storms=3, governor=Governing.PROCESS)
    simulate(policies.standard(), scenario)
    assert seeds == [10, 9, 8, 7]


@pytest.mark.spec("L4")
def test_the_progress_is_that_of_all_storms():
    shares = []
    scenario = Scenario(
        engines=3000, capacity=100.0, start=True, storms=2, governor=Governing.FLEET
    )
    simulate(policies.standard(), scenario, shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 6
    assert {1 / 3, 2 / 3, 1.0} <= set(shares)


@pytest.mark.spec("L4")
@pytest.mark.parametrize(
    ("storms", "start", "governor", "text"),
    [
        (0, False, Governing.FLEET, "storms must be at least 1, not 0"),
        (-1, True, Governing.FLEET, "storms must be at least 0, not -1"),
        (0, True, Governing.FLEET, "a start has no outage: outage must be 0, not 30"),
        (1, True, None, "a start before a storm needs a governor"),
        (1, True, Governing.FLEET_RATE, "a start before a storm needs a governor"),
        (2, False, None, "storms need a governor"),
        (2, False, Governing.FLEET_RATE, "storms need a governor"),
    ],
)
def test_storms_that_would_all_be_alike_are_refused(storms, start, governor, text):
    with pytest.raises(ValueError, match=text):
        Scenario(storms=storms, start=start, governor=governor)


@pytest.mark.spec("L4", "M3.11")
def test_a_small_ramp_exceeds_the_host_by_half_at_most():
    """It loses no more time than a fleet without a governor."""
    plain = figures_of()
    ramped = figures_of(governor=Governing.FLEET, ramp=1.08)
    assert ramped["peak_ratio_worst"] <= 1.5
    assert ramped["dials_per_engine"] <= 1.2
    for name in ("excess_t99", "excess_t99_worst"):
        assert ramped[name] <= plain[name]


@pytest.mark.spec("L4", "M3.3")
def test_governors_of_processes_cost_no_time():
    """A hundred engines in each."""
    plain = figures_of((Refusal.REFUSE,), processes=10)
    governed = figures_of((Refusal.REFUSE,), processes=10, governor=Governing.PROCESS)
    for name in ("excess_t99", "excess_t99_worst", "excess_t100", "excess_t100_worst"):
        assert governed[name] <= plain[name]


@pytest.mark.spec("L4", "M3.3")
@pytest.mark.parametrize(
    ("governor", "dials", "peak", "late"),
    [(Governing.PROCESS, 1.3, 1.5, 0.2), (Governing.FLEET, 1.1, 1.2, 0.1)],
)
def test_after_a_spread_hint_the_host_gets_what_it_asked_for(governor, dials, peak, late):
    """It asks for what it can take, and is back before the spread is over, or after."""
    base = Scenario(
        engines=1000,
        processes=10,
        close=1012,
        retry_after=RetryAfter.BACKLOG,
        governor=governor,
    )
    scenarios = cases(
        base,
        outages=(3.0, 19.0, 59.0, 90.0),
        windows=(20.0, 60.0),
        refusals=(Refusal.REFUSE,),
        hint=True,
    )
    figures = sweep(policies.standard(), list(scenarios)).figures()
    assert figures["never"] == 0
    assert figures["dials_per_engine"] <= dials
    assert figures["peak_ratio_worst"] <= peak
    assert figures["excess_t99"] <= late


@pytest.mark.spec("L4", "M1.3")
@pytest.mark.parametrize(
    "scenario", cases_of(Governing.FLEET_RATE), ids=lambda each: f"{each.outage:g}"
)
def test_nobody_waits_longer_than_twice_the_mean_at_a_rate_that_the_host_takes(scenario):
    outcome = simulate(policies.standard(), scenario)
    fleet = outcome.fleet
    assert len(fleet.opened) == 400
    assert outcome.wait_ratio <= 2.0


@pytest.mark.spec("L4", "M3.4")
def test_a_spread_hint_is_kept():
    scenario = Scenario(
        engines=300, capacity=30.0, outage=4.0, close=1012, spread=40.0, governor=Governing.PROCESS
    )
    fleet = simulate(policies.standard(), scenario).fleet
    assert len(fleet.opened) == 300
    assert 30.0 <= fleet.opened[-1] <= 60.0
    assert fleet.dials_per_engine <= 1.3


@pytest.mark.spec("L4", "M3.4")
def test_a_share_of_the_backlog_is_kept():
    scenario = Scenario(
        engines=300,
        capacity=10.0,
        outage=4.0,
        retry_after=RetryAfter.SHARE,
        governor=Governing.PROCESS,
    )
    fleet = simulate(policies.standard(), scenario).fleet
    assert len(fleet.opened) == 300
    assert fleet.dials_per_engine <= 2.0


@pytest.mark.spec("L4")
@pytest.mark.parametrize("answer", [Hold("rest"), Stop("end")])
def test_who_rests_or_stops_is_counted_and_gone(answer):
    class Resting:
        def decide(self, close, context):
            return answer

    outcome = simulate(Resting(), Scenario(engines=9, governor=Governing.PROCESS))
    assert outcome.fleet.held + outcome.fleet.stopped == 9
    assert not outcome.fleet.dials


@pytest.mark.spec("L4")
def test_a_policy_that_fails_is_told():
    class Broken:
        def decide(self, close, context):
            return Retry(-1.0)

    with pytest.raises(PolicyError):
        simulate(Broken(), Scenario(engines=3, governor=Governing.FLEET))


@pytest.mark.spec("L4")
@pytest.mark.parametrize("governor", [None, Governing.PROCESS])
def test_regions_have_each_their_own_server(governor):
    scenario = Scenario(
        engines=330, processes=10, regions=10, outage=5.0, capacity=33.0, governor=governor
    )
    seen: list[float] = []
    outcome = simulate(policies.standard(), scenario, seen.append)
    assert seen == [number / 10 for number in range(1, 11)]
    assert len(outcome.fleet.opened) == 330
    assert len(outcome.fleet.dials) == 330 + outcome.unheard + outcome.refused + outcome.hung
    assert list(outcome.fleet.dials) == sorted(outcome.fleet.dials)
    assert outcome.fleet.opened[-1] >= scenario.optimum


@pytest.mark.spec("L4")
def test_regions_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="regions must be 1 to engines"):
        Scenario(engines=5, regions=6)
    with pytest.raises(ValueError, match=r"alone=0\.6 leaves no engine in a region of 1: lower it"):
        Scenario(engines=19, regions=10, alone=0.6)
