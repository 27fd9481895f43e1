"""Drives a fleet of engines with a real policy through a storm in virtual time."""

from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Final

from recloser.fsm.decisions import Policy
from recloser.fsm.record import Close
from recloser.fsm.states import State
from recloser.simulate.governed import simulate_governed
from recloser.simulate.outcome import Outcome
from recloser.simulate.population import UNANSWERED, Population
from recloser.simulate.regions import simulate_regions
from recloser.simulate.scenario import Scenario

_TICK: Final = 4096
"""Events between two reports of progress."""

Progress = Callable[[float], None]
"""A function that is called with the progress of the simulation, from 0 to 1."""


class _Storm:
    """One run: engines, their deadlines in a heap, and the server.

    Each engine has one deadline, so the heap holds at most one entry for each. An engine
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
        states = population.states
        events = 0
        while heap:
            now, number = heappop(heap)
            if now > end:
                break
            state = states[number]
            if state is State.BACKOFF:
                self._dial(number, now)
            elif state is State.OPEN:
                self._retry(number, population.lose(number, now))
            else:
                self._retry(number, population.end(number, UNANSWERED, now))
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

    def _dial(self, number: int, now: float) -> None:
        population, scenario = self._population, self._scenario
        population.begin(number, now)
        answer = population.dial(number, now)
        if answer is None:
            heappush(self._heap, (now + scenario.connect_timeout, number))
        elif isinstance(answer, Close):
            self._retry(number, population.end(number, answer, now + scenario.round_trip))
        else:
            population.open(number, now + answer + scenario.round_trip)

    def _retry(self, number: int, state: State) -> None:
        if state is State.BACKOFF:
            heappush(self._heap, (self._population.due[number], number))


def simulate(policy: Policy, scenario: Scenario, progress: Progress | None = None) -> Outcome:
    """Run one storm to its end; the same policy, scenario and seed give the same outcome.

    Raises `PolicyError` when the policy fails (its `close` is the record it failed on).
    """
    if scenario.regions > 1:
        return simulate_regions(scenario, partial(simulate, policy), progress)
    if scenario.governor is None:
        return _Storm(policy, scenario).run(progress)
    return simulate_governed(policy, scenario, progress)
