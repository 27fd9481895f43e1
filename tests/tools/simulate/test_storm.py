"""The storm itself: nothing is lost or invented, and closed forms come out."""

from itertools import pairwise

import pytest

from recloser.fsm.decisions import Hold, Phase, Retry, Stop
from recloser.fsm.errors import PolicyError
from recloser.fsm.record import Cause
from recloser.simulate.scenario import Down, Refusal, Scenario
from recloser.simulate.storm import simulate

TRIP = 0.05


class Every:
    """A constant delay."""

    def __init__(self, delay):
        self.delay = delay

    def decide(self, close, context):
        return Retry(self.delay)


class Redraw:
    """A fresh uniform delay each time."""

    def __init__(self, most):
        self.most = most

    def decide(self, close, context):
        return Retry(context.roll * self.most)


class Phased:
    """A random phase, kept: each engine dials once in every period."""

    def __init__(self, period):
        self.period = period

    def decide(self, close, context):
        if context.phase is Phase.OPEN:
            return Retry(context.roll * self.period)
        return Retry(self.period - context.since_dial)


class Full:
    """Full jitter, base 1, cap 60."""

    def decide(self, close, context):
        return Retry(context.roll * min(60.0, 2.0 ** min(context.attempt - 1, 6)))


@pytest.mark.spec("L4")
@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize("down", Down)
@pytest.mark.parametrize("alone", [0.0, 0.3])
@pytest.mark.parametrize("queue", [False, True])
def test_nothing_is_lost_or_invented(refusal, down, alone, queue):
    scenario = Scenario(
        engines=300,
        outage=8.0,
        capacity=20.0,
        queue=queue,
        refusal=refusal,
        down=down,
        alone=alone,
    )
    got = simulate(Full(), scenario)
    fleet = got.fleet
    assert len(fleet.opened) == fleet.engines == round(300 * (1 - alone))
    assert len(fleet.dials) == len(fleet.opened) + got.unheard + got.refused + got.hung
    assert list(fleet.dials) == sorted(fleet.dials)
    assert list(fleet.opened) == sorted(fleet.opened)
    assert fleet.time(1.0) >= scenario.optimum
    if alone:
        assert len(got.alone.dials) == len(got.alone.opened) == got.alone.engines == 90
        assert got.alone.time(1.0) <= 0.1 + 1.0 + TRIP


@pytest.mark.spec("D8")
def test_the_same_seed_gives_the_same_storm():
    one, two = (simulate(Full(), Scenario(engines=200, capacity=20.0, seed=7)) for _ in "ab")
    other = simulate(Full(), Scenario(engines=200, capacity=20.0, seed=8))
    assert (one.fleet.dials, one.figures()) == (two.fleet.dials, two.figures())
    assert one.fleet.dials != other.fleet.dials


def test_one_engine_dials_at_its_delay():
    got = simulate(Every(7.0), Scenario(engines=1, outage=30.0))
    first = got.fleet.dials[0]
    assert 7.0 <= first <= 7.1
    # Each refusal takes a round trip, then the delay begins.
    assert list(got.fleet.dials) == pytest.approx([first + k * (7.0 + TRIP) for k in range(5)])
    assert list(got.fleet.opened) == pytest.approx([got.fleet.dials[-1] + TRIP])


def test_a_constant_delay_with_room_for_all():
    # Each engine is back at its first tick after the return.
    got = simulate(Every(4.0), Scenario(engines=500, outage=30.0, capacity=1e6))
    period = 4.0 + TRIP
    for dialled in got.fleet.dials[:500]:
        ticks = int((30.0 - dialled) // period) + 1
        assert any(abs(dialled + ticks * period + TRIP - one) < 1e-6 for one in got.fleet.opened)
    assert len(got.fleet.dials) == 500 * 8


def test_the_residual_of_a_uniform_delay():
    # Renewal theory: the wait left at a random moment has the density 2 (1 - x / L) / L,
    # so half are back after (1 - sqrt 0.5) L, 99 in 100 after 0.9 L.
    got = simulate(Redraw(40.0), Scenario(engines=1500, outage=200.0, capacity=1e6))
    assert got.fleet.time(0.5) - 200 == pytest.approx(0.2929 * 40, rel=0.08)
    assert got.fleet.time(0.9) - 200 == pytest.approx(0.6838 * 40, rel=0.08)
    assert got.fleet.time(0.99) - 200 == pytest.approx(0.9 * 40, rel=0.08)
    # One dial for every 20 s and a round trip before the return, and the one that opens.
    assert got.fleet.dials_per_engine == pytest.approx(200 / (20 + TRIP) + 1, rel=0.1)


def test_a_uniform_spread_over_the_window_is_the_optimum():
    # Everybody dials once in 60 s, which is what the server needs; some room evens out chance,
    # but for the very first dials, which meet an empty bucket.
    got = simulate(Phased(60.0), Scenario(engines=2000, outage=90.0, capacity=1.3 * 2000 / 60))
    assert got.refused <= 2
    assert got.dials_after_return == pytest.approx(1.0, abs=0.001)
    assert got.fleet.time(0.5) == pytest.approx(90 + 30, abs=2.0)
    assert got.fleet.time(0.99) == pytest.approx(90 + 59.4, abs=1.0)
    assert got.peak <= 2 * 2000 / 60


def test_a_server_that_is_always_busy_works_at_its_capacity():
    # Refusals are free and dials never lack: the share p is back at outage + p * window.
    scenario = Scenario(engines=250, outage=5.0, capacity=25.0, refusal_cost=0.0)
    got = simulate(Every(0.2), scenario)
    for share in (0.1, 0.5, 0.9):
        assert got.fleet.time(share) == pytest.approx(5.0 + share * 10.0, abs=0.4)


def test_a_queue_answers_each_dial_at_its_turn():
    # Its first second of dials fills it, and is open within it; without a queue the first
    # second lets in as many, each at once.
    scenario = Scenario(engines=100, outage=0.0, capacity=50.0, refusal_cost=0.0, queue=True)
    got = simulate(Every(0.0), scenario)
    opened = list(got.fleet.opened)
    assert opened[49] - opened[0] == pytest.approx(49 / 50, abs=0.03)
    gaps = [later - earlier for earlier, later in pairwise(opened)]
    assert min(gaps) >= 1 / 50 - 1e-9
    assert got.fleet.time(1.0) == pytest.approx(2.0 + TRIP, abs=0.2)


def test_costly_refusals_follow_their_recursion():
    # Dials come at the rate d in one period, d - a in the next, where a + cost (d - a) is the
    # capacity: 150, 125, 93.75 a second, of which 25, 31.25, 39.06 get in.
    scenario = Scenario(engines=1500, capacity=50.0, refusal_cost=0.2, outage=20.0)
    got = simulate(Phased(10.0), scenario)
    for share, after in ((250 / 1500, 10.0), (562 / 1500, 20.0), (0.5, 20.0 + 188 / 39.06)):
        assert got.fleet.time(share) - 20.0 == pytest.approx(after, abs=0.5)
    # Polls that cost more than the server has: nobody gets in.
    drowned = simulate(
        Phased(10.0),
        Scenario(engines=1200, capacity=20.0, refusal_cost=0.2, outage=20.0, horizon=70.0),
    )
    assert len(drowned.fleet.opened) < 12
    assert drowned.figures()["t50"] is None


def test_silence_ends_with_the_connect_timeout_of_the_core():
    seen = set()

    class Watch(Every):
        def decide(self, close, context):
            seen.add((close.cause, round(context.since_dial, 6), context.phase))
            return super().decide(close, context)

    scenario = Scenario(
        engines=50, outage=3.0, capacity=5.0, refusal=Refusal.TIMEOUT, connect_timeout=4.0
    )
    got = simulate(Watch(1.0), scenario)
    assert got.hung > 0
    assert got.refused == 0
    assert (Cause.CONNECT_TIMEOUT, 4.0, Phase.DIAL) in seen
    assert (Cause.TCP, TRIP, Phase.DIAL) in seen
    assert {cause for cause, _, phase in seen if phase is Phase.OPEN} == {Cause.EOF}


@pytest.mark.parametrize(("answer", "held", "stopped"), [(Hold(), 20, 0), (Stop(), 0, 20)])
def test_engines_that_give_up_are_counted(answer, held, stopped):
    class Third:
        def decide(self, close, context):
            return answer if context.attempt == 3 else Retry(1.0)

    got = simulate(Third(), Scenario(engines=20))
    assert (got.fleet.held, got.fleet.stopped) == (held, stopped)
    assert len(got.fleet.dials) == 40
    assert got.figures()["t100"] is None


def test_a_policy_without_delay_ends_with_the_horizon():
    got = simulate(Every(0.0), Scenario(engines=2, outage=50.0, horizon=50.1))
    assert len(got.fleet.dials) <= 2 * 50.1 / TRIP + 2


@pytest.mark.spec("B4.1")
def test_a_policy_that_fails_is_named_with_its_record():
    class Bad:
        def decide(self, close, context):
            return Retry(1.0 / (3 - context.attempt))

    with pytest.raises(PolicyError) as caught:
        simulate(Bad(), Scenario(engines=3))
    assert caught.value.close.cause is Cause.TCP
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_interrupt_passes_through():
    class Interrupted:
        def decide(self, close, context):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Interrupted(), Scenario(engines=3))


def test_progress_rises_to_one():
    told = []
    simulate(Full(), Scenario(engines=2000, capacity=200.0), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert 0 < told[0] < 1
    assert len(told) > 3
