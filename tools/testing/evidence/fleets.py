"""Fleets: a thousand engines that meet one end at one moment, and when they dial after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from recloser.fsm.decisions import Context, Decision, Retry
from recloser.fsm.record import Cause, Close
from recloser.fsm.run import Run
from recloser.simulate.scenario import Down, Refusal, RetryAfter, Scenario
from recloser.testing.evidence.ends import HOUR, NOBODY, TAKES, refused

ENGINES: Final = 1000
DEPTH: Final = 12
"""Dials that every engine makes in vain."""
_WORN: Final = 9
"""Dials after which the usual caps have been reached, and dials that are judged after them."""
_HELD: Final = 5.0
"""Seconds that a proxy holds a dial before it ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Engines that meet one end at one moment, and what every dial after that meets."""

    parting: Close
    """What ends a generation of every engine at one moment."""
    dials: Close = NOBODY
    before: int = 0
    """Dials that each engine has made in vain by then, each at a time of its own.

    One more dial of each is held, as by a proxy, and `parting` ends these. 0: the engines had
    been open for an hour.
    """
    engines: int = ENGINES
    depth: int = DEPTH
    seed: int = 0


class FleetDial(NamedTuple):
    """One dial of one engine, after the moment that all have in common."""

    at: float
    """Seconds since that moment."""
    delay: float
    """The delay in seconds that the policy chose for it."""


FLEETS: Final = (
    Fleet(parting=Close.frame(1012)),
    Fleet(parting=Close.frame(1001), dials=refused(503)),
    Fleet(parting=Close.frame(1013), dials=refused(502)),
    Fleet(parting=Close.cut(Cause.EOF), dials=Close.by_engine(Cause.CONNECT_TIMEOUT)),
    Fleet(parting=Close.cut(Cause.RESET), dials=refused(500)),
    Fleet(parting=Close.cut(Cause.RESET), dials=NOBODY, before=_WORN, depth=_WORN),
    Fleet(parting=refused(503), dials=refused(503), before=_WORN, depth=_WORN),
    Fleet(parting=refused(503, 30.0), dials=refused(503, 30.0), before=2),
)
"""Ends that hit everybody at once: engines that were well, and engines deep in an outage."""

SCENARIOS: Final = (
    Scenario(engines=1000, outage=45.0, capacity=100.0, connect_timeout=20.0),
    Scenario(engines=1000, outage=60.0, capacity=100.0, down=Down.BUSY, close=1012),
    Scenario(
        engines=1000,
        outage=20.0,
        capacity=50.0,
        down=Down.TIMEOUT,
        refusal=Refusal.MIXED,
        retry_after=RetryAfter.BACKLOG,
        connect_timeout=20.0,
    ),
)
"""Outages: a process that dies, a restart behind a proxy, packets that vanish."""


def fleet_dials(
    decide: Callable[[Close, Context], Decision], fleet: Fleet
) -> Sequence[Sequence[FleetDial]]:
    """Return the first dials after the common moment, the second ones, and so on."""
    rng = Random(fleet.seed)  # noqa: S311 - a search has to repeat itself
    found: list[list[FleetDial]] = [[] for _ in range(fleet.depth)]
    for _ in range(fleet.engines):
        engine = _Engine(decide, rng)
        if not engine.reach(fleet):
            continue
        start, close = engine.now, fleet.parting
        for number in range(fleet.depth):
            delay = engine.lose(close)
            if delay is None:
                break
            found[number].append(FleetDial(engine.now - start, delay))
            engine.dial()
            close = fleet.dials
    return found


class _Engine:
    """One engine of a fleet in fast motion."""

    def __init__(self, decide: Callable[[Close, Context], Decision], rng: Random) -> None:
        self.now = 0.0
        self._decide = decide
        self._rng = rng
        self._run = Run(since=0.0)

    def reach(self, fleet: Fleet) -> bool:
        """Live up to the moment that all have in common; False if it stops or rests before."""
        if not fleet.before:
            self._run = Run(opened_at=-HOUR, dialled_at=-HOUR - TAKES)
            return True
        self.dial()
        for _ in range(fleet.before):
            if self.lose(fleet.dials) is None:
                return False
            self.dial()
        self.now += _HELD
        return True

    def dial(self) -> None:
        self._run.dialling(self.now)
        self.now += TAKES

    def lose(self, close: Close) -> float | None:
        """Meet an end and wait as the policy says; return the delay, None if there is none."""
        roll = self._rng.random()
        _, decision = self._run.lost(close, self.now, self._decide, roll=roll, can_refresh=False)
        if not isinstance(decision, Retry):
            return None
        self.now += decision.delay
        return decision.delay
