"""The population of a simulated storm: its engines, their server, and what becomes of them."""

from array import array
from math import ceil
from random import Random
from typing import Final

from recloser.fsm.decisions import Context, Decision, Host, Policy, Retry, Stop
from recloser.fsm.judge import judge
from recloser.fsm.record import Cause, Close
from recloser.fsm.run import Run
from recloser.fsm.states import State
from recloser.fsm.timeouts import STABLE
from recloser.simulate.outcome import Group, Outcome
from recloser.simulate.scenario import NOTICE, UPTIME, Scenario
from recloser.simulate.server import Server, parting

UNANSWERED: Final = Close.by_engine(Cause.CONNECT_TIMEOUT)
"""The record of a dial that the engine gave up: the server was silent."""


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
    """All engines of one storm, by number: first the fleet, then those that are alone.

    An engine is a run of failures, a state and a deadline: what a core keeps of it in a storm. The
    run counts, asks the policy and keeps the answer by the code of the core. The machine itself is
    left out: a storm takes few rows of its table, and tests hold the outcomes against real cores.
    """

    __slots__ = (
        *("_alone", "_host", "_policy", "_roll", "_runs", "_scenario", "_starts"),
        *("due", "fleet", "losses", "parting", "server", "states"),
    )

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        rng = Random(scenario.seed)  # noqa: S311 - a simulation has to repeat itself
        count = scenario.engines
        self._scenario = scenario
        self._policy = policy
        self._roll = rng.random
        self._host = Host(ceil(count / scenario.processes))
        self.parting: Close = parting(scenario)
        """The record with which every connection ends."""
        self._alone = Tally(count - scenario.fleet)
        self._starts = not scenario.storms
        self._runs: list[Run | None] = [_steady()] * count
        """One run for all until each loses its connection; None for an engine that is done."""
        self.fleet: Tally = Tally(scenario.fleet)
        self.server: Server = Server(scenario, Random(scenario.seed + 1))  # noqa: S311 - as above
        self.states: list[State] = [State.OPEN] * count
        """An engine that starts waits for its moment as in a backoff."""
        self.due: array[float] = array("d", bytes(8 * count))
        """The deadline of each engine in `backoff`."""
        self.losses: array[float] = array("d", (rng.uniform(0.0, NOTICE) for _ in range(count)))
        """When each engine notices that its connection is gone; when it starts, in a start."""
        if self._starts:
            self.states = [State.BACKOFF] * count
            self.due = self.losses
            self._runs = [Run(since=moment) for moment in self.losses]

    def tally(self, number: int) -> Tally:
        """Return the tally of the part to which an engine belongs."""
        return self.fleet if number < self.fleet.engines else self._alone

    def lose(self, number: int, now: float) -> State:
        """Let the connection of an engine end; return the state that follows."""
        run = self._runs[number]
        self._runs[number] = None if run is None else run.copy()
        return self.end(number, self.parting, now)

    def end(self, number: int, close: Close, now: float) -> State:
        """Let a generation end, and ask the policy; return the state that follows.

        Raises `PolicyError` when the policy fails.
        """
        run = self._runs[number]
        if run is None:
            return self.states[number]  # it is done
        _, decision = run.lost(
            close,
            now,
            self._decide,
            roll=self._roll(),
            can_refresh=False,
            stable_after=STABLE,
            been_open=not self._starts,
            host=self._host,
        )
        if isinstance(decision, Retry):
            self.due[number] = now + decision.delay
            state = State.BACKOFF
        else:
            state = State.CLOSED if isinstance(decision, Stop) else State.PASSIVE
            self.tally(number).ends[state] += 1
        self.states[number] = state
        return state

    def _decide(self, close: Close, context: Context) -> Decision:
        decision, problem = judge(self._policy, close, context)
        if problem is not None:
            raise problem
        return decision

    def begin(self, number: int, now: float) -> None:
        """Let a backoff end: a dial begins."""
        run = self._runs[number]
        if run is not None:
            run.dialling(now)
            self.states[number] = State.CONNECTING

    def wake(self, number: int, now: float) -> float | None:
        """End a backoff early; return when the dial may begin, None for an engine in no backoff."""
        run = self._runs[number]
        if run is None or self.states[number] is not State.BACKOFF:
            return None
        start = run.earliest(now)
        self.begin(number, start)
        return start

    def wait(self, number: int, now: float) -> None:
        """Let a dial that waited for its permit begin."""
        run = self._runs[number]
        if run is not None and self.states[number] is State.CONNECTING:
            run.wait(now)

    def open(self, number: int, now: float) -> None:
        """Let a dial open: the engine is done."""
        self.tally(number).opened.append(now)
        if self.states[number] is State.CONNECTING:
            self.states[number] = State.OPEN
            self._runs[number] = None

    def dial(self, number: int, now: float) -> Close | float | None:
        """Count a dial, and return its answer as a server does."""
        tally = self.tally(number)
        tally.dials.append(now)
        return self.server.answer(now) if tally is self.fleet else 0.0

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


def _steady() -> Run:
    """Make the run of an engine that has been open for `UPTIME`."""
    run = Run(since=-UPTIME)
    run.dialling(-UPTIME)
    run.opened_at = -UPTIME
    return run.stable()
