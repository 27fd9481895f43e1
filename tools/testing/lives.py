"""Lives of one engine in fast motion: the same end again and again, with the real counters."""

from collections.abc import Callable, Sequence
from typing import Final

from recloser.fsm.decisions import Context, Decision, Retry
from recloser.fsm.record import Close
from recloser.fsm.run import Run
from recloser.fsm.timeouts import Timeouts
from recloser.testing.ends import NOBODY, End
from recloser.testing.law import Asked

TAKES: Final = 0.05
"""Seconds that a dial takes until it opens or fails."""
TIMEOUTS: Final = Timeouts()
OUTAGE: Final = 40
"""Dials that find nobody, in the life that others are compared with."""

_GOLDEN: Final = 0.6180339887498949


def fair(number: int) -> float:
    """Return the roll of the decision with this number: even over [0, 1), never twice the same.

    The multiples of the golden ratio: any few of them in a row are spread, so that a life
    judged by them is a usual one.
    """
    return number * _GOLDEN % 1.0


def live(
    decide: Callable[[Close, Context], Decision],
    ends: Sequence[End],
    *,
    can_refresh: bool = False,
    roll: float | None = None,
) -> list[Asked]:
    """Let an engine meet these ends, dialling as the policy says, until it rests or stops.

    `roll` is that of every decision; None: fair ones.
    """
    run, now = Run(since=0.0), 0.0
    asked: list[Asked] = []
    for number, (close, uptime) in enumerate(((end.close, end.uptime) for end in ends), start=1):
        run.dialling(now)
        now += TAKES
        if uptime is not None:
            run.opened_at = now
            now += uptime
            if uptime >= TIMEOUTS.stable:
                run = Run(opened_at=run.opened_at, dialled_at=run.dialled_at)
        run.failed(close, now)
        drawn = fair(number) if roll is None else roll
        context = run.context(now, can_refresh=can_refresh, roll=drawn)
        decision = decide(close, context)
        run.ended(decision, now, drawn)
        asked.append(Asked(now, close, context, decision))
        if not isinstance(decision, Retry):
            break
        now += decision.delay
    return asked


def outage(decide: Callable[[Close, Context], Decision]) -> list[Asked]:
    """Let an engine dial a server that is gone, `OUTAGE` times."""
    return live(decide, [End(NOBODY)] * OUTAGE)
