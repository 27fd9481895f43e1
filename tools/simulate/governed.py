"""A storm in which the real core of a governor says when each engine dials."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Final

from recloser.fsm.decisions import Policy
from recloser.fsm.record import Close
from recloser.fsm.states import State
from recloser.governor.core import GovernorCore
from recloser.governor.effects import Effect as GovernorEffect
from recloser.governor.effects import Grant, Share, Wake
from recloser.governor.intake import Intake
from recloser.governor.limits import AT_ONCE, DialLimits
from recloser.governor.pace import RAMP
from recloser.simulate.outcome import Outcome
from recloser.simulate.population import UNANSWERED, Population
from recloser.simulate.scenario import Governing, Scenario

_HOST: Final = "host"
_TICK: Final = 4096
"""Moments between two reports of progress."""


class _Kind(Enum):
    """The kind of a moment: of an engine, or of its governor."""

    LOSS = "loss"
    DEADLINE = "deadline"
    DIAL = "dial"
    ANSWER = "answer"
    GOVERNOR = "governor"


_Moment = tuple[float, int, _Kind, int, Close | None]
"""When, a number that keeps the order, what, whose, and the record of a dial that has failed."""


class _GovernedStorm:
    """One run: engines, governors, and the moments to come in a heap.

    `known`: what each governor knows of its hosts.
    """

    def __init__(
        self, policy: Policy, scenario: Scenario, known: Sequence[Mapping[str, Intake]] = ()
    ) -> None:
        self._scenario = scenario
        self._population = Population(policy, scenario)
        each = scenario.governor is Governing.PROCESS
        limits = DialLimits(at_once=AT_ONCE if each else None)
        if scenario.governor is Governing.FLEET_RATE:
            limits = DialLimits(rate=scenario.capacity)
        ramp = RAMP if scenario.ramp is None else scenario.ramp
        count = scenario.processes if each else 1
        self._governors = [GovernorCore(limits, ramp=ramp) for _ in range(count)]
        if known:
            for governor, intakes in zip(self._governors, known, strict=True):
                governor.known.update(intakes)
        losses = self._population.losses
        first = _Kind.LOSS if scenario.storms else _Kind.DEADLINE
        self._heap: list[_Moment] = [
            (loss, number, first, number, None) for number, loss in enumerate(losses)
        ]
        heapify(self._heap)
        self._order = scenario.engines

    def run(self, progress: Callable[[float], None] | None) -> Outcome:
        """Run to the end."""
        heap, moments, end = self._heap, 0, self._scenario.end
        while heap:
            now, _, kind, number, failure = heappop(heap)
            if now > end:
                break
            self._happen(now, kind, number, failure)
            moments += 1
            if progress is not None and moments % _TICK == 0:
                progress(self._population.recovered())
        if progress is not None:
            progress(1.0)
        return self._population.outcome()

    @property
    def known(self) -> list[dict[str, Intake]]:
        """What each governor knows of its hosts."""
        return [governor.known for governor in self._governors]

    def _happen(self, now: float, kind: _Kind, number: int, failure: Close | None) -> None:
        population = self._population
        if kind is _Kind.GOVERNOR:
            governor = self._governors[number]
            if governor.deadline is not None and governor.deadline <= now:
                self._govern(number, governor.pass_time(now), now)
        elif kind is _Kind.LOSS:
            population.lose(number, now)
            self._ended(number, population.parting, now)
        elif kind is _Kind.DIAL:
            self._ask(number, now)
        elif kind is _Kind.ANSWER:
            self._answered(number, failure, now)
        elif population.states[number] is State.BACKOFF and population.due[number] == now:
            population.begin(number, now)
            self._ask(number, now)

    def _ended(self, number: int, close: Close, now: float) -> None:
        """Tell the governor what the policy made of an end."""
        population, governor = self._population, self._governor(number)
        if population.states[number] is State.BACKOFF:
            self._push(population.due[number], _Kind.DEADLINE, number)
            self._govern(number, governor.sleep(number, self._key(number), close, now), now)
        else:
            self._govern(number, governor.leave(number, now), now)

    def _lose(self, number: int, close: Close, now: float) -> None:
        """Let the dial of an engine fail, unless it has failed before."""
        if self._population.states[number] is State.CONNECTING:
            self._population.end(number, close, now)
            self._ended(number, close, now)

    def _ask(self, number: int, now: float) -> None:
        found = self._governor(number).ask(number, self._key(number), now)
        if found is None:
            self._dial(number, now)
        else:
            self._govern(number, found, now)

    def _answered(self, number: int, failure: Close | None, now: float) -> None:
        governor = self._governor(number)
        if failure is None:
            self._govern(number, governor.opened(number, now), now)
            self._population.open(number, now)
        else:
            self._govern(number, governor.failed(number, failure, now), now)
            self._lose(number, failure, now)

    def _governor(self, number: int) -> GovernorCore:
        return self._governors[number % len(self._governors)]

    def _govern(self, number: int, effects: list[GovernorEffect], now: float) -> None:
        """Perform the effects of the governor of an engine."""
        for effect in effects:
            if isinstance(effect, Grant):
                self._dial(effect.engine, now)
            elif isinstance(effect, Share):
                self._lose(effect.engine, effect.close, now)
            elif isinstance(effect, Wake):
                self._wake(effect.engine, now)
        home = number % len(self._governors)
        deadline = self._governors[home].deadline
        if deadline is not None:
            self._push(max(deadline, now), _Kind.GOVERNOR, home)

    def _wake(self, number: int, now: float) -> None:
        start = self._population.wake(number, now)
        if start is not None and start > now:
            self._push(start, _Kind.DIAL, number)
        elif start is not None:
            self._ask(number, now)

    def _dial(self, number: int, now: float) -> None:
        scenario = self._scenario
        self._population.wait(number, now)
        answer = self._population.dial(number, now)
        if answer is None:
            self._push(now + scenario.connect_timeout, _Kind.ANSWER, number, UNANSWERED)
        elif isinstance(answer, Close):
            self._push(now + scenario.round_trip, _Kind.ANSWER, number, answer)
        else:
            self._push(now + answer + scenario.round_trip, _Kind.ANSWER, number)

    def _key(self, number: int) -> str:
        """Return the host of an engine: the line of one that is alone is its own."""
        return _HOST if number < self._scenario.fleet else f"alone {number}"

    def _push(self, when: float, kind: _Kind, number: int, failure: Close | None = None) -> None:
        self._order += 1
        heappush(self._heap, (when, self._order, kind, number, failure))


def simulate_governed(
    policy: Policy, scenario: Scenario, progress: Callable[[float], None] | None
) -> Outcome:
    """Run the start and one storm after the other; return the outcome of the last.

    The clock of each begins at 0, so what a governor knows from the one before is fresh.
    """
    runs = [scenario] * scenario.storms
    if scenario.start:
        runs.insert(0, replace(scenario, outage=0.0, storms=0))
    known: list[dict[str, Intake]] = []
    for done, each in enumerate(runs):
        dice = scenario.seed + len(runs) - 1 - done
        storm = _GovernedStorm(policy, replace(each, seed=dice), known)
        outcome = storm.run(partial(_tell, progress, done, len(runs)) if progress else None)
        known = storm.known
    return outcome


def _tell(progress: Callable[[float], None], done: int, runs: int, share: float) -> None:
    progress((done + share) / runs)
