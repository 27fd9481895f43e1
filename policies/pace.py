"""What holds for every retry, whatever its backoff: the gap between dials, the server's wishes."""

from math import inf
from typing import Final

from recloser.fsm.decisions import Context
from recloser.fsm.record import Cause, Close
from recloser.policies.backoff import Backoff
from recloser.policies.windows import Windows, earliest

LIMIT: Final = 300.0
"""The most, in seconds, that is taken of a Retry-After or of a spread (D3)."""
WINDOWS: Final = Windows()
"""The windows of every shipped policy."""

_TOLD: Final = Windows(longest=15.0)
"""Dials come no closer than these, however short the spread: the outage outlasted it, or the
fleet is too large for it."""
_TOP: Final = 0.25
"""The share of a Retry-After that is spread on top: everybody was told the same number."""
_HURRY: Final = 0.125
"""The share of a spread that a dial without an answer adds to its wait, before it is doubled."""
_WIDENING: Final = 1.5
_MAX_WIDENINGS: Final = 20


def pace(backoff: Backoff, floor: float, close: Close, context: Context) -> float:
    """Return the delay in seconds: what the server wants, else what the backoff draws.

    At least `floor`. A moment before the earliest one allowed is moved behind it by its own
    length and not to it, so that many such moments stay apart.
    """
    if close.retry_after is not None or close.spread is not None or context.spread is not None:
        delay = _told(backoff, floor, close, context)
    else:
        delay = floor + backoff.delay(close, context)
    start = earliest(context)
    return delay if delay >= start else start + delay


def _told(backoff: Backoff, floor: float, close: Close, context: Context) -> float:
    """Return the delay that the server asked for, now or earlier in this run; else the draw."""
    after, spread = _sane(close.retry_after), _sane(close.spread)
    roll = context.roll
    if after is not None:
        # The windows without their silent part: what a server says outweighs its silence.
        width = max(_TOP * after, WINDOWS.length(1, context.busy)) if spread is None else spread
        return max(floor, after) + roll * _widened(width, context)
    if spread is not None:
        return floor + roll * _widened(spread, context)
    spread = _sane(context.spread)
    if spread is None or context.attempt == 1:
        return floor + backoff.delay(close, context)
    window = max(spread, _TOLD.length(context.attempt, context.busy))
    if close.busy or context.previous_immediate:
        return floor + roll * window
    if close.cause is Cause.CONNECT_TIMEOUT:
        # It waited long already and few did: soon again at first, ever less so.
        return floor + roll * window * _HURRY * 2.0 ** min(context.streak, 3)
    if spread < WINDOWS.first:
        return floor + _TOLD.delay(close, context)
    # The first dial after the hint was at a random moment of the spread; a dial once in each
    # window from there keeps the fleet exactly as even as it was.
    return floor + max(0.0, window - context.since_dial)


def _sane(seconds: float | None) -> float | None:
    """Return a server's number within the limit; None for garbage."""
    if seconds is None or not 0.0 < seconds < inf:
        return None
    return min(seconds, LIMIT)


def _widened(width: float, context: Context) -> float:
    """Return a width that grows while the same answer comes again and again."""
    again = min(max(context.streak - 1, 0), _MAX_WIDENINGS)
    return min(max(width, _WIDENING**again), LIMIT)
