"""Fleets: a thousand engines that lose their server together, and when they come back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from recloser.fsm.decisions import Context, Decision, Retry
from recloser.fsm.record import Cause, Close
from recloser.fsm.run import Run
from recloser.simulate.scenario import Down, Refusal, RetryAfter, Scenario
from recloser.testing.evidence.ends import HOUR, NOBODY, TAKES, refused

ENGINES: Final = 1000
DEPTH: Final = 12
"""Dials that every engine makes in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Engines that had been open for an hour, what ended that, and what every dial meets."""

    parting: Close
    dials: Close = NOBODY
    engines: int = ENGINES
    depth: int = DEPTH
    seed: int = 0


FLEETS: Final = (
    Fleet(parting=Close.frame(1012)),
    Fleet(parting=Close.frame(1001), dials=refused(503)),
    Fleet(parting=Close.frame(1013), dials=refused(502)),
    Fleet(parting=Close.cut(Cause.EOF), dials=Close.by_engine(Cause.CONNECT_TIMEOUT)),
    Fleet(parting=Close.cut(Cause.RESET), dials=refused(500)),
    Fleet(parting=Close.cut(Cause.RESET), dials=refused(503, 30.0)),
)
"""Ends that hit everybody at once."""

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


def waits(decide: Callable[[Close, Context], Decision], fleet: Fleet) -> Sequence[Sequence[float]]:
    """Return, for each attempt, the delays in seconds of the engines that retried."""
    rng = Random(fleet.seed)  # noqa: S311 - a search has to repeat itself
    found: list[list[float]] = [[] for _ in range(fleet.depth)]
    for _ in range(fleet.engines):
        run, now = Run(opened_at=-HOUR, dialled_at=-HOUR - TAKES), 0.0
        for attempt in range(fleet.depth):
            close = fleet.dials if attempt else fleet.parting
            _, decision = run.lost(close, now, decide, roll=rng.random(), can_refresh=False)
            if not isinstance(decision, Retry):
                break
            found[attempt].append(decision.delay)
            now += decision.delay
            run.dialling(now)
            now += TAKES
    return found
