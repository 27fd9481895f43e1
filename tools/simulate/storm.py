"""Drives real cores with a real policy through a storm in virtual time."""

from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Final

from recloser.fsm.core import Core
from recloser.fsm.decisions import Policy
from recloser.fsm.effects import Announce, Dial, Effect
from recloser.fsm.events import Expired, Lost, Opened
from recloser.fsm.states import State
from recloser.simulate.governed import GovernedStorm
from recloser.simulate.outcome import Outcome
from recloser.simulate.population import Population
from recloser.simulate.regions import simulate_regions
from recloser.simulate.scenario import Scenario

_TICK: Final = 4096
"""Events between two reports of progress."""

Progress = Callable[[float], None]
"""A function that is called with the progress of the simulation, from 0 to 1."""


class _Storm:
    """One run: cores, their deadlines in a heap, and the server.

    Each core has one deadline, so the heap holds at most one entry for each engine. A core
    that is open again, at rest or closed is done and leaves the heap.
    """

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        self._scenario = scenario
        self._population = Population(policy, scenario)
        losses = self._population.losses
        self._heap = [(loss, number) for number, loss in enumerate(losses)]
        heapify(self._heap)

    def run(self, progress: Progress | None) -> Outcome:
        heap, population, end = self._heap, self._population, self._scenario.end
        events = 0
        while heap:
            now, number = heappop(heap)
            if now > end:
                break
            core = population.cores[number]
            lost = core.state is State.OPEN
            effects = population.lose(number, now) if lost else core.handle(Expired(now), now)
            self._perform(number, core, effects, now)
            events += 1
            if progress is not None and events % _TICK == 0:
                progress(self._far(now))
        if progress is not None:
            progress(1.0)
        return population.outcome()

    def _far(self, now: float) -> float:
        scenario = self._scenario
        away = scenario.outage / scenario.optimum
        if now < scenario.outage:
            return now / scenario.optimum
        return away + (1 - away) * self._population.recovered()

    def _perform(self, number: int, core: Core, effects: list[Effect], now: float) -> None:
        """Perform the effects of a core; put it back into the heap unless it is done."""
        tally = self._population.tally(number)
        if _dials(effects):
            answer = self._population.dial(number, now)
            answered = now + self._scenario.round_trip
            if answer is True:
                core.handle(Opened(core.generation), answered)
                tally.opened.append(answered)
                return
            if answer is not None:
                _dials(core.handle(Lost(core.generation, answer), answered))
        if core.state is State.PASSIVE or core.state is State.CLOSED:
            tally.ends[core.state] += 1
        elif core.deadline is not None:
            heappush(self._heap, (core.deadline, number))


def _dials(effects: list[Effect]) -> bool:
    """Whether a dial is asked for; raises the error of a policy that failed."""
    dials = False
    for effect in effects:
        if type(effect) is Dial:
            dials = True
        elif type(effect) is Announce and effect.change.error is not None:
            raise effect.change.error
    return dials


def simulate(policy: Policy, scenario: Scenario, progress: Progress | None = None) -> Outcome:
    """Run one storm to its end; the same policy, scenario and seed give the same outcome.

    Raises `PolicyError` when the policy fails (its `close` is the record it failed on).
    """
    if scenario.regions > 1:
        return simulate_regions(scenario, partial(simulate, policy), progress)
    if scenario.governor is None:
        return _Storm(policy, scenario).run(progress)
    return GovernedStorm(policy, scenario).run(progress)
