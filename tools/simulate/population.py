"""The population of a simulated storm: its cores, their server, and what becomes of them."""

from array import array
from math import ceil
from random import Random
from typing import Literal

from recloser.fsm.core import Core
from recloser.fsm.decisions import Host, Policy
from recloser.fsm.effects import Effect
from recloser.fsm.events import Ask, Expired, Lost, Opened
from recloser.fsm.record import Close
from recloser.fsm.states import State, Wish
from recloser.fsm.timeouts import Timeouts
from recloser.simulate.outcome import Group, Outcome
from recloser.simulate.scenario import NOTICE, UPTIME, Scenario
from recloser.simulate.server import Server, parting


class Tally:
    """Counts what becomes of `engines` engines."""

    __slots__ = ("dials", "ends", "engines", "opened")

    def __init__(self, engines: int) -> None:
        self.engines: int = engines
        self.dials: array[float] = array("d")
        self.opened: array[float] = array("d")
        self.ends: dict[State, int] = {State.PASSIVE: 0, State.CLOSED: 0}

    def group(self) -> Group:
        """Return the moments, which are in order."""
        return Group(
            engines=self.engines,
            dials=self.dials,
            opened=self.opened,
            held=self.ends[State.PASSIVE],
            stopped=self.ends[State.CLOSED],
        )


class Population:
    """All engines of one storm, by number: first the fleet, then those that are alone."""

    __slots__ = ("_alone", "_parting", "_scenario", "cores", "fleet", "losses", "server")

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        rng = Random(scenario.seed)  # noqa: S311 - a simulation has to repeat itself
        self._scenario = scenario
        self._parting = parting(scenario)
        self._alone = Tally(scenario.engines - scenario.fleet)
        self.fleet: Tally = Tally(scenario.fleet)
        self.server: Server = Server(scenario, Random(scenario.seed + 1))  # noqa: S311 - as above
        timeouts = Timeouts(connect=scenario.connect_timeout)
        host = Host(ceil(scenario.engines / scenario.processes))
        self.cores: list[Core] = [
            _steady(Core(policy, timeouts=timeouts, roll=rng.random), host)
            for _ in range(scenario.engines)
        ]
        self.losses: list[float] = [rng.uniform(0.0, NOTICE) for _ in range(scenario.engines)]
        """When each engine notices that its connection is gone."""

    def tally(self, number: int) -> Tally:
        """Return the tally of the part to which an engine belongs."""
        return self.fleet if number < self.fleet.engines else self._alone

    def lose(self, number: int, now: float) -> list[Effect]:
        """Let the connection of an engine end."""
        core = self.cores[number]
        return core.handle(Lost(core.generation, self._parting), now)

    def dial(self, number: int, now: float) -> Close | Literal[True] | None:
        """Count a dial, and return its answer: True for open, a record, or None for silence."""
        tally = self.tally(number)
        tally.dials.append(now)
        return self.server.answer(now) if tally is self.fleet else True

    def recovered(self) -> float:
        """Return the share of the fleet that the server has accepted again."""
        return self.server.accepted / self.fleet.engines

    def outcome(self) -> Outcome:
        """Return what has become of all."""
        server = self.server
        return Outcome(
            scenario=self._scenario,
            fleet=self.fleet.group(),
            alone=self._alone.group() if self._alone.engines else None,
            unheard=server.unheard,
            refused=server.refused,
            hung=server.hung,
        )


def _steady(core: Core, host: Host) -> Core:
    """Bring a new core to a stable open state, among the engines of `host`."""
    core.host = host
    core.handle(Ask(Wish.CONNECT), -UPTIME)
    core.handle(Opened(core.generation), -UPTIME)
    if core.deadline is not None:
        core.handle(Expired(core.deadline), core.deadline)
    return core
