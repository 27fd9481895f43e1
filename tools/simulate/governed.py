"""A storm in which the real core of a governor says when each engine dials."""

from collections.abc import Callable
from enum import Enum
from heapq import heapify, heappop, heappush
from math import ceil
from random import Random
from typing import Final, Literal

from recloser.fsm.core import Core
from recloser.fsm.decisions import Host, Policy
from recloser.fsm.effects import Announce, Dial, Effect
from recloser.fsm.events import Expired, Hint, Lost, Opened, Wait
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import State
from recloser.fsm.timeouts import Timeouts
from recloser.governor.core import GovernorCore
from recloser.governor.effects import Effect as GovernorEffect
from recloser.governor.effects import Grant, Share, Wake
from recloser.governor.events import Ask, Due, Ended, Leave, Sleep
from recloser.governor.limits import AT_ONCE, DialLimits
from recloser.simulate.outcome import Outcome
from recloser.simulate.scenario import NOTICE, Governing, Scenario
from recloser.simulate.server import Server, parting
from recloser.simulate.tally import Tally, steady

_HOST: Final = "host"
_UNANSWERED: Final = Close.by_engine(Cause.CONNECT_TIMEOUT)
_TICK: Final = 4096
"""Moments between two reports of progress."""


class _Kind(Enum):
    """The kind of a moment: of an engine, or of its governor."""

    LOSS = "loss"
    DEADLINE = "deadline"
    DIAL = "dial"
    ANSWER = "answer"
    GOVERNOR = "governor"


_Answer = Close | Literal[True] | None
_Moment = tuple[float, int, _Kind, int, float | _Answer]
"""When, a number that keeps the order, what, whose, and the deadline or the answer."""


class GovernedStorm:
    """One run: cores, governors, and the moments to come in a heap."""

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        self._scenario = scenario
        self._rng = Random(scenario.seed)  # noqa: S311 - a simulation has to repeat itself
        self._server = Server(scenario, Random(scenario.seed + 1))  # noqa: S311 - as above
        self._parting = parting(scenario)
        self._fleet = Tally(scenario.fleet)
        self._alone = Tally(scenario.engines - scenario.fleet)
        timeouts = Timeouts(connect=scenario.connect_timeout)
        host = Host(ceil(scenario.engines / scenario.processes))
        self._cores = [
            steady(Core(policy, timeouts=timeouts, roll=self._rng.random), host)
            for _ in range(scenario.engines)
        ]
        each = scenario.governor is Governing.PROCESS
        limits = DialLimits(at_once=AT_ONCE if each else None)
        if scenario.governor is Governing.FLEET_RATE:
            limits = DialLimits(rate=scenario.capacity)
        self._governors = [GovernorCore(limits) for _ in range(scenario.processes if each else 1)]
        self._heap: list[_Moment] = [
            (self._rng.uniform(0.0, NOTICE), number, _Kind.LOSS, number, None)
            for number in range(scenario.engines)
        ]
        heapify(self._heap)
        self._order = scenario.engines

    def run(self, progress: Callable[[float], None] | None) -> Outcome:
        """Run to the end."""
        heap, moments = self._heap, 0
        while heap:
            now, _, kind, number, fact = heappop(heap)
            if now > self._scenario.end:
                break
            self._happen(now, kind, number, fact)
            moments += 1
            if progress is not None and moments % _TICK == 0:
                progress(min(1.0, self._server.accepted / self._scenario.fleet))
        if progress is not None:
            progress(1.0)
        server = self._server
        return Outcome(
            scenario=self._scenario,
            fleet=self._fleet.group(),
            alone=self._alone.group() if self._alone.engines else None,
            unheard=server.unheard,
            refused=server.refused,
            hung=server.hung,
        )

    def _happen(self, now: float, kind: _Kind, number: int, fact: float | _Answer) -> None:
        if kind is _Kind.GOVERNOR:
            governor = self._governors[number]
            if governor.deadline == fact:
                self._govern(number, governor.handle(Due(), now), now)
            return
        core = self._cores[number]
        if kind is _Kind.LOSS:
            self._perform(number, core.handle(Lost(core.generation, self._parting), now), now)
        elif kind is _Kind.DIAL:
            self._ask(number, now)
        elif kind is _Kind.ANSWER:
            self._answered(number, core, True if fact is True else _record(fact), now)
        elif core.state is State.BACKOFF and isinstance(fact, float) and core.deadline == fact:
            self._perform(number, core.handle(Expired(fact), now), now)

    def _perform(self, number: int, effects: list[Effect], now: float) -> None:
        """Perform the effects of the core of an engine."""
        for effect in effects:
            if isinstance(effect, Dial):
                if effect.not_before > now:
                    self._push(effect.not_before, _Kind.DIAL, number, None)
                else:
                    self._ask(number, now)
            elif isinstance(effect, Announce):
                change = effect.change
                if change.error is not None:
                    raise change.error
                if change.current is State.BACKOFF and change.close is not None:
                    self._push(now + (change.delay or 0.0), _Kind.DEADLINE, number, None)
                    self._tell(number, Sleep(number, self._key(number), change.close), now)
                elif change.current in (State.PASSIVE, State.CLOSED):
                    self._tally(number).ends[change.current] += 1
                    self._tell(number, Leave(number), now)

    def _ask(self, number: int, now: float) -> None:
        self._tell(number, Ask(number, self._key(number)), now)

    def _answered(self, number: int, core: Core, answer: Close | Literal[True], now: float) -> None:
        if answer is True:
            self._tally(number).opened.append(now)
            core.handle(Opened(core.generation), now)
            self._tell(number, Ended(number, None), now)
        else:
            self._tell(number, Ended(number, answer), now)
            self._perform(number, core.handle(Lost(core.generation, answer), now), now)

    def _tell(self, number: int, event: Ask | Ended | Leave | Sleep, now: float) -> None:
        home = number % len(self._governors)
        self._govern(home, self._governors[home].handle(event, now), now)

    def _govern(self, home: int, effects: list[GovernorEffect], now: float) -> None:
        """Perform the effects of a governor."""
        for effect in effects:
            if isinstance(effect, Grant):
                self._dial(effect.engine, now)
            elif isinstance(effect, Share):
                core = self._cores[effect.engine]
                found = core.handle(Lost(core.generation, effect.close), now)
                self._perform(effect.engine, found, now)
            elif isinstance(effect, Wake):
                found = self._cores[effect.engine].handle(Hint(), now)
                self._perform(effect.engine, found, now)
        deadline = self._governors[home].deadline
        if deadline is not None:
            self._push(max(deadline, now), _Kind.GOVERNOR, home, deadline)

    def _dial(self, number: int, now: float) -> None:
        core, tally = self._cores[number], self._tally(number)
        core.handle(Wait(core.generation), now)
        tally.dials.append(now)
        answer = self._server.answer(now) if tally is self._fleet else True
        scenario = self._scenario
        takes = scenario.connect_timeout if answer is None else scenario.round_trip
        self._push(now + takes, _Kind.ANSWER, number, answer)

    def _tally(self, number: int) -> Tally:
        return self._fleet if number < self._fleet.engines else self._alone

    def _key(self, number: int) -> str:
        """Return the host of an engine: the line of one that is alone is its own."""
        return _HOST if number < self._fleet.engines else f"alone {number}"

    def _push(self, when: float, kind: _Kind, number: int, fact: float | _Answer) -> None:
        self._order += 1
        if kind is _Kind.DEADLINE:
            fact = self._cores[number].deadline
        heappush(self._heap, (when, self._order, kind, number, fact))


def _record(fact: float | _Answer) -> Close:
    return fact if isinstance(fact, Close) else _UNANSWERED
