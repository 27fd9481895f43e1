"""What the laws of fleets say is counted once more on the real core: it is true of the story."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from recloser import Close, Context, Retry, Stop, Timeouts
from recloser.fsm import Decision, Policy, State, Wish
from recloser.fsm.core import Core
from recloser.fsm.events import Ask, Expired, Lost, Opened
from recloser.testing import Fleet, examine, problem_of
from recloser.testing.evidence.ends import HOUR, TAKES
from recloser.testing.evidence.fleets import FLEETS
from recloser.testing.gallery import CapAfterJitter, NoJitter
from recloser.testing.laws.fleet_laws import RETRY_AFTER_SPREAD, SPREADS
from recloser.testing.laws.law import Law

HELD = 5.0


class TwoKinds:
    """Half of the engines wait for 30 s, the others for 60 s."""

    def decide(self, close: Close, context: Context) -> Decision:
        return Stop() if close.intentional else Retry(30.0 if context.roll < 0.5 else 60.0)


class Obeys:
    """Waits exactly as long as it is told."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop()
        return Retry(1.0 + 9.0 * context.roll if close.retry_after is None else close.retry_after)


class Fixed:
    def __init__(self, delay: float) -> None:
        self._delay = delay

    def decide(self, close: Close, context: Context) -> Decision:
        return Stop() if close.intentional else Retry(self._delay)


def moments(policy: Policy, fleet: Fleet, dial: int) -> Iterator[float]:
    """When each engine starts this dial, in seconds after the moment that all have in common."""
    rng = Random(fleet.seed)
    for _ in range(fleet.engines):
        core = Core(policy, timeouts=Timeouts(), roll=rng.random)
        now = -HOUR - TAKES
        core.handle(Ask(Wish.CONNECT), now)
        if not fleet.before:
            core.handle(Opened(core.generation), -HOUR)
            assert core.deadline is not None
            core.handle(Expired(core.deadline), core.deadline)
            now = 0.0
        for _ in range(fleet.before):
            now = redialled(core, fleet.dials, now + TAKES)
        now = start = now + (TAKES + HELD if fleet.before else 0.0)
        close = fleet.parting
        for number in range(1, fleet.depth + 1):
            now = redialled(core, close, now)
            if number == dial:
                yield now - start
            close = fleet.dials
            now += TAKES


def redialled(core: Core, close: Close, now: float) -> float:
    """Lose the connection or the dial, wait, and return when the next dial starts."""
    core.handle(Lost(core.generation, close), now)
    assert core.state is State.BACKOFF
    assert core.deadline is not None
    due = core.deadline
    core.handle(Expired(due), due)
    assert core.state is State.CONNECTING
    return due


@pytest.mark.spec("K1.4")
@pytest.mark.parametrize(
    ("make", "law"),
    [
        (NoJitter, SPREADS),
        (CapAfterJitter, SPREADS),
        (TwoKinds, SPREADS),
        (Obeys, RETRY_AFTER_SPREAD),
        (lambda: Fixed(20.0), SPREADS),
    ],
)
def test_the_share_and_the_moment_that_are_told_are_those_of_the_story(
    make: Callable[[], Policy], law: Law
) -> None:
    checked = False
    for fleet in (replace(each, engines=200) for each in FLEETS):
        problem = problem_of(law, make, fleet)
        if problem is None or checked:
            continue
        told = re.match(
            r"(\d+)% of the engines make dial (\d+) within (\S+) s .* (\S+) s after", problem
        )
        assert told is not None, problem
        share, dial, near, first = (float(each) for each in told.groups())
        found = sorted(moments(make(), fleet, int(dial)))
        together = [each for each in found if first - 0.05 <= each <= first + near + 0.05]
        assert len(together) / fleet.engines >= share / 100 - 0.01
        checked = True
    assert checked


@pytest.mark.spec("K1.2")
def test_what_an_early_spread_has_parted_is_not_called_together() -> None:
    """Exact delays after a wide first one: on the clock the engines stay apart."""
    fleet = Fleet(parting=Close.frame(1012))
    found = sorted(moments(Obeys(), replace(fleet, dials=Close.refused(503, retry_after=30.0)), 9))
    busiest = max(sum(start <= each < start + 0.1 for each in found) for start in found[::50])
    assert busiest < 0.05 * fleet.engines
    assert examine(Obeys, laws=[SPREADS], examples=0).sound
