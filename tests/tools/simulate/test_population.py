"""The population of a storm does what as many real cores do: dial by dial, and the same figures."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recloser import policies
from recloser.fsm.core import Core
from recloser.fsm.decisions import Context, Decision, Hold, Phase, Policy, Retry, Stop
from recloser.fsm.effects import Announce, Dial, Effect
from recloser.fsm.events import Ask, Event, Expired, Hint, Lost, Opened, Wait
from recloser.fsm.record import Close
from recloser.fsm.states import State, Wish
from recloser.fsm.timeouts import Timeouts
from recloser.simulate import governed, storm
from recloser.simulate.outcome import Outcome
from recloser.simulate.population import UNANSWERED, Population
from recloser.simulate.scenario import UPTIME, Down, Governing, Refusal, RetryAfter, Scenario


class _View(Sequence[Any]):
    """What the cores say, one after the other."""

    def __init__(self, count: int, read: Callable[[int], Any]) -> None:
        self._count, self._read = count, read

    def __getitem__(self, number: Any) -> Any:
        return self._read(number)

    def __len__(self) -> int:
        return self._count


class CorePopulation(Population):
    """A population whose engines are real cores: machine, guards, deadlines and all."""

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        super().__init__(policy, scenario)
        timeouts = Timeouts(connect=scenario.connect_timeout)
        self.cores = [
            Core(policy, timeouts=timeouts, roll=self._roll) for _ in range(scenario.engines)
        ]
        self.states: Any = _View(scenario.engines, self._state)
        self.due: Any = _View(scenario.engines, self._due)
        self.asked = set[int]()
        """Those that have been asked to connect; in a start the others wait for their moment."""
        for core in self.cores:
            core.neighbour = SimpleNamespace(host=self._host)
        for number, core in enumerate(self.cores if scenario.storms else ()):
            self.asked.add(number)
            core.handle(Ask(Wish.CONNECT), -UPTIME)
            core.handle(Opened(core.generation), -UPTIME)
            assert core.deadline is not None
            core.handle(Expired(core.deadline), core.deadline)

    def _state(self, number: int) -> State:
        return self.cores[number].state if number in self.asked else State.BACKOFF

    def _due(self, number: int) -> float | None:
        return self.cores[number].deadline if number in self.asked else self.losses[number]

    def lose(self, number: int, now: float) -> State:
        return self.end(number, self.parting, now)

    def end(self, number: int, close: Close, now: float) -> State:
        core = self.cores[number]
        live = core.state.live
        gives_up = close is UNANSWERED and core.deadline == now
        self._give(core, Expired(now) if gives_up else Lost(core.generation, close), now)
        if live and core.state in (State.PASSIVE, State.CLOSED):
            self.tally(number).ends[core.state] += 1
        return core.state

    def begin(self, number: int, now: float) -> None:
        event = Expired(now) if number in self.asked else Ask(Wish.CONNECT)
        self.asked.add(number)
        assert self._give(self.cores[number], event, now) == now

    def wake(self, number: int, now: float) -> float | None:
        return self._give(self.cores[number], Hint(), now)

    def wait(self, number: int, now: float) -> None:
        self._give(self.cores[number], Wait(self.cores[number].generation), now)

    def open(self, number: int, now: float) -> None:
        core = self.cores[number]
        self.tally(number).opened.append(now)
        self._give(core, Opened(core.generation), now)
        assert core.state is State.OPEN

    @staticmethod
    def _give(core: Core, event: Event, now: float) -> float | None:
        """Hand over an event; return when the dial begins that it asks for, if it does."""
        found: list[Effect] = core.handle(event, now)
        for effect in found:
            if isinstance(effect, Announce) and effect.change.error is not None:
                raise effect.change.error
        return next((each.not_before for each in found if isinstance(each, Dial)), None)


class Tires:
    """Rests after three failures in a row, and ends after a refusal that comes again."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.answered and context.streak > 1:
            return Stop("refused twice")
        if context.phase is Phase.DIAL and context.attempt > 3:
            return Hold("tired")
        return Retry(context.roll * 3.0, rule="soon")


class Patient:
    """Waits long after the first ends, so that a governor has somebody to wake."""

    def decide(self, close: Close, context: Context) -> Decision:
        return Retry(context.roll * (60.0 if context.attempt < 3 else 1.0), rule="patient")


class Recorder:
    """Decides as the policy does, and keeps all questions."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.asked: list[tuple[Close, Context]] = []

    def decide(self, close: Close, context: Context) -> Decision:
        self.asked.append((close, context))
        return self._policy.decide(close, context)


POLICIES: dict[str, Callable[[], Policy]] = {
    "standard": policies.standard,
    "basic": policies.basic,
    "tires": Tires,
    "patient": Patient,
}


def of_cores(policy: Policy, scenario: Scenario) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storm, "Population", CorePopulation)
        patch.setattr(governed, "Population", CorePopulation)
        return storm.simulate(policy, scenario)


STORMS = st.builds(
    Scenario,
    engines=st.integers(4, 60),
    outage=st.floats(0.0, 40.0),
    capacity=st.floats(1.0, 30.0),
    refusal=st.sampled_from(Refusal),
    down=st.sampled_from(Down),
    retry_after=st.sampled_from((None, *RetryAfter)),
    close=st.sampled_from((1000, 1006, 1012, 4401)),
    spread=st.sampled_from((None, 2.0, 20.0)),
    connect_timeout=st.floats(0.5, 10.0),
    round_trip=st.floats(0.01, 0.4),
    alone=st.sampled_from((0.0, 0.3)),
    processes=st.integers(1, 4),
    governor=st.sampled_from((None, *Governing)),
    seed=st.integers(0, 100),
    horizon=st.just(300.0),
)
STARTS = STORMS.map(lambda each: replace(each, start=True, storms=0, outage=0.0))


@pytest.mark.spec("L4", "D8")
@settings(deadline=None, max_examples=100)
@given(st.sampled_from(tuple(POLICIES)), st.one_of(STORMS, STARTS))
def test_a_storm_is_the_same_with_real_cores(name: str, scenario: Scenario) -> None:
    one, other = Recorder(POLICIES[name]()), Recorder(POLICIES[name]())
    got, cores = storm.simulate(one, scenario), of_cores(other, scenario)
    assert one.asked == other.asked
    assert got.fleet == cores.fleet
    assert got.alone == cores.alone
    assert got.figures() == cores.figures()
