"""The delay of every retry, whatever its backoff: the server's wishes, and the gap between dials.

A server can say when it wants its clients back: in seconds (Retry-After), or as a time over
which they shall spread. If it said so, now or earlier in this run of failures, `pace` follows
it; else the backoff decides. Two dangers remain when the server has spoken:

- Every client was told the same number. So a random time is added on top: as wide as the
  number itself up to the first of the windows, at least `_SHARE_ON_TOP` of it, and grown by
  `_GROWTH` each time the same end comes again.
- The spread may be too short for the outage or for the fleet. So after the first failure the
  dials keep at least the distance of `_SHORTEST_WINDOWS`. A dial that was not answered in time
  took long already, so the next one comes within a quarter of the spread, then within half of
  it, then within all of it.
"""

from math import inf
from typing import Final

from recloser.fsm.decisions import MIN_GAP, Context
from recloser.fsm.record import Cause, Close
from recloser.policies.backoff import Backoff
from recloser.policies.windows import Windows

LIMIT: Final = 300.0
"""The most, in seconds, that is taken of a Retry-After or of a spread (D3)."""
WINDOWS: Final = Windows()
"""The windows of every shipped policy."""

_SHORTEST_WINDOWS: Final = Windows(longest=15.0)
"""The windows that are used in place of a shorter spread after the first failure."""
_SHARE_ON_TOP: Final = 0.25
"""The share of a Retry-After over which the dials are spread after it."""
_TIMEOUT_SHARE: Final = 0.125
"""The share of a spread in which to dial again after a dial that was not answered in time,
before it is doubled once for each such dial in a row, three times at most."""
_GROWTH: Final = 1.5
"""The factor by which a spread grows while the same end comes again."""
_MAX_GROWTHS: Final = 20


def pace(backoff: Backoff, floor: float, close: Close, context: Context) -> float:
    """Return the delay in seconds: what the server wants, else what the backoff draws.

    At least `floor`. A moment before the earliest one allowed is moved behind it by its own
    length and not to it, so that many such moments stay apart.
    """
    if close.retry_after is not None or close.spread is not None or context.spread is not None:
        delay = _server_delay(backoff, floor, close, context)
    else:
        delay = floor + backoff.delay(close, context)
    if delay >= MIN_GAP and context.since_dial >= 0.0:
        return delay  # the earliest moment is no later than that
    start = context.next_dial_in
    return delay if delay >= start else start + delay


def told(close: Close) -> bool:
    """Whether the server has said with this end when to come back: a Retry-After."""
    return _usable(close.retry_after) is not None


def _server_delay(backoff: Backoff, floor: float, close: Close, context: Context) -> float:
    """Return the delay that the server asked for, now or earlier in this run; else the draw."""
    after, spread = _usable(close.retry_after), _usable(close.spread)
    roll = context.roll
    if after is not None:
        # The windows without their part for silent servers: this server has spoken.
        if spread is None:
            spread = max(_SHARE_ON_TOP * after, min(after, WINDOWS.length(1, context.busy)))
        return max(floor, after) + roll * _grown(spread, context)
    if spread is not None:
        return floor + roll * _grown(spread, context)
    spread = _usable(context.spread)
    if spread is None or context.attempt == 1:
        return floor + backoff.delay(close, context)
    window = max(spread, _SHORTEST_WINDOWS.length(context.attempt, context.busy))
    if close.busy or context.previous_immediate:
        return floor + roll * window
    if close.cause is Cause.CONNECT_TIMEOUT:
        # This dial waited long, and few dials did: the next one comes soon, then later each time.
        return floor + roll * window * _TIMEOUT_SHARE * 2.0 ** min(context.streak, 3)
    if spread < WINDOWS.first:
        return floor + _SHORTEST_WINDOWS.delay(close, context)
    # The first dial after the hint was at a random moment of the spread; a dial once in each
    # window from there keeps the fleet exactly as even as it was.
    return floor + max(0.0, window - context.since_dial)


def _usable(seconds: float | None) -> float | None:
    """Return a server's number within the limit; None for garbage."""
    if seconds is None or not 0.0 < seconds < inf:
        return None
    return min(seconds, LIMIT)


def _grown(width: float, context: Context) -> float:
    """Return a width that grows while the same answer comes again and again."""
    again = min(context.streak - 1, _MAX_GROWTHS)
    return min(max(width, _GROWTH**again), LIMIT)
