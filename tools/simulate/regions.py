"""A storm over several regions, each with its own server: one region after the other is simulated.

So the memory that a run takes is that of one region, and eight bytes for each dial.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import merge

from recloser.simulate.outcome import Group, Outcome
from recloser.simulate.scenario import Scenario


def split(scenario: Scenario) -> list[Scenario]:
    """Divide engines, processes and capacity evenly; each region has a seed of its own."""
    count = scenario.regions
    parts = []
    for number in range(count):
        engines = scenario.engines * (number + 1) // count - scenario.engines * number // count
        parts.append(
            replace(
                scenario,
                engines=engines,
                capacity=scenario.capacity * engines / scenario.engines,
                processes=max(1, round(scenario.processes * engines / scenario.engines)),
                horizon=scenario.end,
                regions=1,
                seed=scenario.seed * count + number,
            )
        )
    return parts


def simulate_regions(
    scenario: Scenario,
    simulate: Callable[[Scenario], Outcome],
    progress: Callable[[float], None] | None,
) -> Outcome:
    """Run each region by `simulate`, and add their outcomes up."""
    outcomes = []
    for number, part in enumerate(split(scenario), start=1):
        outcomes.append(simulate(part))
        if progress is not None:
            progress(number / scenario.regions)
    alone = [each.alone for each in outcomes if each.alone is not None]
    return Outcome(
        scenario=scenario,
        fleet=_together([each.fleet for each in outcomes]),
        alone=_together(alone) if alone else None,
        unheard=sum(each.unheard for each in outcomes),
        refused=sum(each.refused for each in outcomes),
        hung=sum(each.hung for each in outcomes),
    )


def _together(groups: Sequence[Group]) -> Group:
    return Group(
        engines=sum(each.engines for each in groups),
        dials=array("d", merge(*(each.dials for each in groups))),
        opened=array("d", merge(*(each.opened for each in groups))),
        held=sum(each.held for each in groups),
        stopped=sum(each.stopped for each in groups),
    )
