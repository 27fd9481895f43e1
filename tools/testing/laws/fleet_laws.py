"""Laws about many engines: they must not dial together, and they must come back."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Final

from recloser.fsm.closecodes import ABNORMAL, TRY_LATER
from recloser.fsm.decisions import Context, Decision, Policy, Retry, Stop
from recloser.fsm.errors import PolicyError
from recloser.fsm.record import Cause, Close, Origin
from recloser.simulate.outcome import Outcome
from recloser.simulate.scenario import Scenario
from recloser.simulate.storm import simulate
from recloser.testing.evidence.contexts import AGAIN
from recloser.testing.evidence.ends import NOBODY, describe
from recloser.testing.evidence.fleets import Fleet, fleet_dials
from recloser.testing.evidence.interview import Interview, answer_of
from recloser.testing.laws.law import Law

_MOVED: Final = (1001, 1012, TRY_LATER)
"""Codes that all clients get at once (RFC 6455 section 7.4.1, and the IANA registry)."""
_RESTART: Final = 1012
_GATEWAYS: Final = (502, 503, 504)
"""The answers of a proxy for a server that restarts (RFC 9110 section 15.6)."""
_FEW: Final = 100
"""The least number of engines of a fleet."""
_SETTLED: Final = 8
"""Attempts after which every cap has been reached."""
_HALF, _FIFTH = 0.5, 0.2
_RANGE: Final = 0.1
"""The share of a delay over which a fleet must be spread at least."""
_TOGETHER: Final = 0.02
"""Seconds, or the share of the delay: dials that close together are one for a server."""
_EARLY: Final = 2
"""Attempts: giving up at the first dial that failed is no limit, it is a mistake."""
_BACK: Final = 0.99
_MOST_DIALS: Final = 200
"""Dials of each engine in one outage, after which the simulation ends."""


def _heap(moments: Sequence[float], within: float) -> tuple[float, float]:
    """Return the largest share of sorted moments that lie so close together, and the first."""
    most, first = 0, 0.0
    for index, moment in enumerate(moments):
        count = bisect_right(moments, moment + within) - index
        if count > most:
            most, first = count, moment
    return most / len(moments), first


def _spreads(policy: Policy, fleet: Fleet) -> str | None:
    return _heaps(policy, fleet) if fleet.dials.retry_after is None else None


def _retry_after_spread(policy: Policy, fleet: Fleet) -> str | None:
    return _heaps(policy, fleet) if fleet.dials.retry_after is not None else None


def _first_judged(fleet: Fleet) -> int:
    """Return the number of the first dial that must be spread."""
    told = fleet.parting.retry_after is not None
    if told or (fleet.parting.code in _MOVED and not fleet.before):
        return 1
    # Delays at the cap may bring a part of a fleet together once; they must not keep it so.
    return _SETTLED if fleet.before else 2


def _heaps(policy: Policy, fleet: Fleet) -> str | None:
    found = fleet_dials(partial(answer_of, policy.decide), fleet)
    for number, dials in enumerate(found, start=1):
        if len(dials) < _FEW or number < _first_judged(fleet):
            continue
        moments = sorted(each.at for each in dials)
        delay = median(each.delay for each in dials)
        near = max(_TOGETHER, delay * _TOGETHER / 4)
        share, first = _heap(moments, near)
        if share > (_FIFTH if number >= _SETTLED else _HALF):
            return (
                f"{share:.0%} of the engines make dial {number} within {near:.2g} s of each "
                f"other, {first:.4g} s after the moment that they have in common"
            )
        low, high = moments[len(moments) * 5 // 100], moments[len(moments) * 95 // 100]
        if high - low < _RANGE * delay:
            return (
                f"nearly all engines make dial {number} within {high - low:.2g} s, {low:.4g} s "
                f"after the moment that they have in common: a delay of {delay:.3g} s needs more"
            )
    return None


class _Watched:
    """A policy that notes the earliest Stop after a retry, and ends a storm that it keeps up."""

    def __init__(self, policy: Policy, most: int) -> None:
        self._policy = policy
        self._left = most
        self.stopped: tuple[int, Close] | None = None

    @property
    def exhausted(self) -> bool:
        """Whether there were more questions than any storm should take."""
        return self._left < 0

    def decide(self, close: Close, context: Context, /) -> Decision:
        self._left -= 1
        if self.exhausted:
            raise RuntimeError("a storm without end")
        decision = self._policy.decide(close, context)
        early = isinstance(decision, Stop) and context.last_delay is not None
        if early and (self.stopped is None or context.attempt < self.stopped[0]):
            self.stopped = context.attempt, close
        return decision


def _survives(policy: Policy, scenario: Scenario) -> str | None:
    watched = _Watched(policy, _MOST_DIALS * scenario.engines)
    try:
        outcome = simulate(watched, scenario)
    except PolicyError:
        if watched.exhausted:
            return f"the engines dial {_MOST_DIALS} times each, and are not back: a storm of theirs"
        return None  # for the law `total` to judge
    if watched.stopped is not None and watched.stopped[0] <= _EARLY:
        attempt, close = watched.stopped
        return f"the first dial that failed (attempt {attempt}) ends it for good: {describe(close)}"
    return _missing(outcome, scenario)


def _comes_back(ask: Interview, close: Close, context: Context) -> str | None:
    """Judge the ends that a restart looks like, if the policy waits for a dead server."""
    framed = close.cause is Cause.CLOSE_FRAME and close.code == _RESTART
    answered = close.cause is Cause.REFUSED and close.origin is Origin.PEER
    refused = answered and close.code == ABNORMAL and close.status in _GATEWAYS
    if close.intentional or close.advice is not None or close.reason:
        return None
    if not (framed or refused):
        return None
    if context.attempt > _EARLY or not isinstance(ask(close, context), Stop):
        return None
    if isinstance(ask.again(NOBODY, AGAIN), Retry):
        return (
            "it ends for good, though the same policy waits for a server that is gone: "
            f"{describe(close)}"
        )
    return None


def _missing(outcome: Outcome, scenario: Scenario) -> str | None:
    fleet = outcome.fleet
    trying = fleet.engines - fleet.held - fleet.stopped
    if trying < _FEW or len(fleet.opened) >= _BACK * trying:
        return None
    return (
        f"{scenario.end - scenario.outage:.0f} s after the server's return only "
        f"{len(fleet.opened)} of {trying} engines are back; the optimum is "
        f"{scenario.window:.0f} s, and {outcome.dials_after_return:.0f} dials each were made"
    )


SPREADS: Final = Law(
    name="spreads-a-fleet",
    claim="A thousand engines that lose their server together do not dial together.",
    why="A server that comes back to everybody at once goes down again. Jitter has to come after "
    "the cap: engines that wait exactly as long as the cap stay in step once one event has hit "
    "all.",
    incident="phoenix #4045 and #5942, rails #40229; socket.io-client's delay is exactly 5.0 s "
    "from the fourth attempt on, for it caps what it has jittered.",
    fleet=_spreads,
)
SURVIVES: Final = Law(
    name="survives-the-storm",
    claim="Those who try come back from an outage.",
    why="It is what reconnecting is for: a client that dies of the first refusal, or that drowns "
    "the server it waits for, might as well not try.",
    incident="robust-websocket gives up silently after three dials; y-websocket #74 was an outage "
    "that the clients' own dials kept alive.",
    decision=_comes_back,
    concerns=lambda _ask, _close, context, answer: (
        isinstance(answer, Stop) and context.attempt <= _EARLY
    ),
    storm=_survives,
)
RETRY_AFTER_SPREAD: Final = Law(
    name="spreads-retry-after",
    claim="A thousand engines that are told the same Retry-After do not dial together.",
    why="Everybody was told the same number at the same time (D3).",
    optional=True,
    fleet=_retry_after_spread,
)
