"""Contexts to ask with: as the engine's counters really stand, and at the edges of each field."""

from typing import Final

from recloser.fsm.decisions import Context, Phase
from recloser.testing.evidence.ends import FLASH, HOUR, TAKES

LAST_ROLL: Final = 1.0 - 2.0**-53
"""The largest number below 1: the largest roll there is."""

FIRST: Final = Context(
    phase=Phase.OPEN, attempt=1, uptime=HOUR, elapsed=0.0, since_dial=HOUR + TAKES
)
"""A connection that had been well for an hour."""
FLAP: Final = Context(
    phase=Phase.OPEN,
    attempt=2,
    uptime=FLASH,
    elapsed=3.1,
    since_dial=TAKES + FLASH,
    last_delay=3.0,
    last_roll=0.5,
    streak=2,
)
"""The second connection in a row that ended at once."""
FAILED: Final = Context(phase=Phase.DIAL, attempt=1, elapsed=TAKES, since_dial=TAKES)
"""The first dial."""
AGAIN: Final = FAILED._replace(attempt=2, elapsed=3.1, last_delay=3.0, last_roll=0.5, streak=2)
"""The second dial in a row that failed."""


def _deep(context: Context, attempt: int, streak: int) -> Context:
    return context._replace(attempt=attempt, streak=streak, elapsed=30.0 * attempt, last_delay=30.0)


def _around(first: Context, again: Context) -> tuple[Context, ...]:
    return (
        first,
        first._replace(roll=0.0),
        first._replace(roll=LAST_ROLL),
        first._replace(can_refresh=True),
        again,
        again._replace(streak=1, previous_immediate=True, last_delay=0.0, roll=0.0),
        again._replace(can_refresh=True, refreshed=True),
        again._replace(attempt=3, streak=3, busy=2),
        again._replace(spread=30.0, busy=1),
        _deep(again, 7, 1),
        _deep(again, 12, 12),
        _deep(again, 40, 1),
        _deep(again, 2000, 2000)._replace(roll=LAST_ROLL),
    )


OPEN: Final = _around(FIRST, FLAP)
"""For the ends of connections."""
DIAL: Final = _around(FAILED, AGAIN)
"""For dials that failed."""
ASKED: Final = (
    FIRST._replace(attempt=0),
    _deep(FLAP, 5, 5)._replace(roll=0.0),
    FAILED._replace(attempt=0, can_refresh=True),
    FAILED._replace(attempt=0, roll=LAST_ROLL),
)
"""For intentional ends, which do not count as failures."""

POWERS: Final = tuple(sorted({*(2**k for k in range(31)), *(10**k for k in range(10))}))
_EDGES: Final = tuple(
    sorted({each + by for each in (*POWERS, 50, 200, 500, 2000, 5000) for by in (-1, 0, 1)})
)
COUNTS: Final = tuple(sorted({*range(65), *_EDGES}))
"""Counts: all small ones, and those around round numbers up to 10**9."""
_ROUND: Final = (1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 86400.0)
SECONDS: Final = (
    *(0.0, 1e-9, 0.001, 0.05, 0.5, 2.0, 1e6, 1e9, 1e15),
    *(each + by for each in _ROUND for by in (-0.001, 0.0, 0.001)),
)
"""Times, up to what a Retry-After header can say."""
ROLLS: Final = (0.0, 2.0**-53, 1e-9, *(n / 64 for n in range(1, 64)), 0.999, LAST_ROLL)
REASONS: Final = ("Token expired", "x", "naïve ☂ 再接続", "0", "None", " ", "A" * 123)
"""Reasons that peers write, and some that they might write."""
