"""Fleets are counted once for all their engines, and each engine is the same as by itself."""

from dataclasses import replace
from random import Random

import pytest

from recloser import Close, Context, Hold, Retry, policies
from recloser.fsm import Cause, Decision
from recloser.fsm.run import Run
from recloser.testing import Fleet
from recloser.testing.evidence.ends import HOUR, NOBODY, TAKES, refused
from recloser.testing.evidence.fleets import FLEETS, FleetDial, fleet_dials

STANDARD = policies.standard()
HELD = 5.0
MORE = (
    Fleet(parting=refused(404), dials=refused(404), before=3),
    Fleet(parting=Close.frame(1012, spread=60.0), dials=refused(403)),
    Fleet(parting=NOBODY, dials=refused(404), before=2),
    Fleet(parting=Close.by_engine(Cause.TOO_BIG, sent_code=1009), dials=Close.frame(1013)),
)
"""Ends that are denied, that spread, that we refused, and that are busy."""


class Notes:
    """Remembers each question; says something else to nearly each roll, and rests at times."""

    def __init__(self) -> None:
        self.asked: list[tuple[Close, Context]] = []

    def decide(self, close: Close, context: Context) -> Decision:
        self.asked.append((close, context))
        if context.roll > 0.95:
            return Hold()
        decision = STANDARD.decide(close, context)
        if isinstance(decision, Retry) and context.roll > 0.5:
            return decision
        return Retry(3.0 * context.roll, refresh=context.roll < 0.1)


def by_itself(policy: Notes, fleet: Fleet) -> list[list[FleetDial]]:
    """Each engine with a run of its own, as the core has one."""
    rng = Random(fleet.seed)
    found: list[list[FleetDial]] = [[] for _ in range(fleet.depth)]
    for _ in range(fleet.engines):
        now, run = 0.0, Run(opened_at=-HOUR, dialled_at=-HOUR - TAKES)
        if fleet.before:
            run = Run(since=0.0)
            run.dialling(now)
            now += TAKES
        start = now
        for number in range(fleet.before + fleet.depth):
            if number == fleet.before:
                now += HELD if fleet.before else 0.0
                start = now
            close = fleet.parting if number == fleet.before else fleet.dials
            _, decision = run.lost(close, now, policy.decide, roll=rng.random(), can_refresh=False)
            if not isinstance(decision, Retry):
                break
            now += decision.delay
            if number >= fleet.before:
                found[number - fleet.before].append(FleetDial(now - start, decision.delay))
            run.dialling(now)
            now += TAKES
    return found


@pytest.mark.spec("K1.2")
@pytest.mark.parametrize("fleet", [*FLEETS, *MORE])
def test_an_engine_of_a_fleet_is_the_same_as_by_itself(fleet: Fleet) -> None:
    fleet = replace(fleet, engines=60, seed=7)
    together, alone = Notes(), Notes()
    assert fleet_dials(together.decide, fleet) == by_itself(alone, fleet)
    assert together.asked == alone.asked
    assert len(alone.asked) > 60
