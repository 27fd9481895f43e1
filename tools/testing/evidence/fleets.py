"""Fleets: a thousand engines that meet one end at one moment, and when they dial after it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

from recloser.fsm.decisions import MIN_GAP, Context, Decision, Retry
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
    steps = _steps(fleet)
    found: list[list[FleetDial]] = [[] for _ in range(fleet.depth)]
    for _ in range(fleet.engines):
        for dials, dial in zip(found, _dials(decide, steps, fleet.before, rng), strict=False):
            dials.append(dial)
    return found


class _Step(NamedTuple):
    """One end in the life of each engine, with all that it does to the counters of each."""

    close: Close
    facts: Context
    """The context, but for the moments, rolls and answers of an engine."""
    begins: bool
    """Whether a streak begins with it."""
    denied_from: int | None
    """The number of the step with which the present row of `Close.denied` began."""


def _steps(fleet: Fleet) -> list[_Step]:
    """Count the ends of a fleet: all its engines meet the same, so one run counts for all."""
    steps: list[_Step] = []
    run = Run(since=0.0)
    if not fleet.before:
        run.opened_at = -HOUR
    for number in range(fleet.before + fleet.depth):
        close = fleet.parting if number == fleet.before else fleet.dials
        facts, _ = run.lost(close, float(number), _again, roll=0.0, can_refresh=False)
        row = None if run.denied_since is None else int(run.denied_since)
        steps.append(_Step(close, facts, run.streak == 1, row))
    return steps


def _again(_close: Close, _context: Context) -> Decision:
    return Retry(MIN_GAP)


def _dials(
    decide: Callable[[Close, Context], Decision],
    steps: Sequence[_Step],
    before: int,
    rng: Random,
) -> Iterator[FleetDial]:
    """Let one engine meet the ends; yield its dials after the moment that all have in common.

    What it has of its own is set by place: `Context._replace` takes three times as long.
    """
    dialled, now = (0.0, TAKES) if before else (-HOUR - TAKES, 0.0)
    start = 0.0
    last_delay: float | None = None
    last_roll: float | None = None
    immediate = refreshed = False
    moments: list[float] = []
    for number, (close, shared, begins, denied_from) in enumerate(steps):
        if number == before:
            now += _HELD if before else 0.0
            start = now
        moments.append(now)
        roll = rng.random()
        refreshed = refreshed and not begins
        facts: list[Any] = [*shared]
        facts[_ELAPSED], facts[_SINCE_DIAL] = now, now - dialled
        facts[_LAST_DELAY], facts[_LAST_ROLL] = last_delay, last_roll
        facts[_IMMEDIATE], facts[_REFRESHED], facts[_ROLL] = immediate, refreshed, roll
        if denied_from is not None:
            facts[_DENIED_FOR] = now - moments[denied_from]
        decision = decide(close, Context._make(facts))
        if not isinstance(decision, Retry):
            return
        last_delay, last_roll = decision.delay, roll
        refreshed = refreshed or decision.refresh
        dialled = now + last_delay
        immediate = dialled < now + MIN_GAP
        if number >= before:
            yield FleetDial(dialled - start, last_delay)
        now = dialled + TAKES


_ELAPSED, _SINCE_DIAL, _LAST_DELAY, _LAST_ROLL, _IMMEDIATE, _REFRESHED, _DENIED_FOR, _ROLL = map(
    Context._fields.index,
    (
        *("elapsed", "since_dial", "last_delay", "last_roll"),
        *("previous_immediate", "refreshed", "denied_for", "roll"),
    ),
)
