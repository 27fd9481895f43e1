"""What the core tells a policy of its run: busy answers, the latest spread, the roll before."""

import pytest

from recloser.fsm import Cause, Close, Context, Origin, Retry, Timeouts, Wish
from recloser.fsm.core import Core
from recloser.fsm.events import Ask, Expired, Healthy, Lost, Opened

BUSY = Close(code=1006, origin=Origin.PEER, cause=Cause.REFUSED, status=503)
DOWN = Close(code=1006, origin=Origin.NETWORK, cause=Cause.TCP)


class Keeping:
    def __init__(self) -> None:
        self.seen: list[Context] = []

    def decide(self, close: Close, context: Context, /) -> Retry:
        self.seen.append(context)
        return Retry(1.0)


def run(*closes: Close, healthy_before: int = -1) -> list[Context]:
    policy, rolls = Keeping(), iter(range(1, 99))
    core = Core(policy, timeouts=Timeouts(), roll=lambda: next(rolls) / 100)
    core.handle(Ask(Wish.CONNECT), 0.0)
    for at, close in enumerate(closes):
        if at == healthy_before:
            core.handle(Opened(core.generation), 100.0 * at)
            core.handle(Healthy(), 100.0 * at)
        core.handle(Lost(core.generation, close), 100.0 * at)
        core.handle(Expired(core.deadline or 0.0), 100.0 * at + 1.0)
    return policy.seen


def test_busy_answers_of_a_run_are_counted() -> None:
    assert [context.busy for context in run(DOWN, BUSY, DOWN, BUSY)] == [0, 1, 1, 2]


def test_the_roll_before_is_told() -> None:
    seen = run(DOWN, BUSY, DOWN)
    assert [context.last_roll for context in seen] == [None, 0.01, 0.02]
    assert [context.roll for context in seen] == [0.01, 0.02, 0.03]


@pytest.mark.spec("D4")
def test_the_latest_spread_of_a_run_is_told_until_a_stable_period() -> None:
    hint = Close(code=1012, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, spread=60.0)
    assert [context.spread for context in run(DOWN, hint, DOWN)] == [None, 60.0, 60.0]
    seen = run(hint, DOWN, BUSY, DOWN, healthy_before=3)
    assert [(each.spread, each.busy, each.last_roll) for each in seen] == [
        (60.0, 0, None),
        (60.0, 0, 0.01),
        (60.0, 1, 0.02),
        (None, 0, None),
    ]


@pytest.mark.parametrize(
    ("close", "busy"),
    [
        (BUSY, True),
        (Close(code=1006, origin=Origin.PEER, cause=Cause.REFUSED, status=429), True),
        (Close(code=1013, origin=Origin.PEER, cause=Cause.CLOSE_FRAME), True),
        (Close(code=1006, origin=Origin.PEER, cause=Cause.REFUSED, status=500), False),
        (DOWN, False),
    ],
    ids=str,
)
def test_what_busy_is(close: Close, busy: bool) -> None:
    assert close.busy is busy
