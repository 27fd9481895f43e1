"""The time between two probes of a host that is down: it grows with the outage."""

from typing import Final

_FIRST: Final = 1.0
_LONGEST: Final = 10.0
_SHORTEST: Final = 0.1
_ENGINE_SECONDS: Final = 2000.0
"""Seconds of waiting, added up over the engines, that make up for one probe: the probe of a large
crowd costs each engine little, so that the longest gap is shorter there."""
_SHARE: Final = 0.125
"""The gap as a share of the time for which the host has been down."""


def probe_gap(outage: float, engines: int) -> float:
    """Return the seconds until the next probe, for so many engines after so long an outage.

    >>> [probe_gap(60.0, engines) for engines in (2, 500, 10_000)]
    [7.5, 4.0, 0.2]
    """
    longest = min(max(_ENGINE_SECONDS / max(engines, 1), _SHORTEST), _LONGEST)
    first = min(max(longest / 2, _SHORTEST), _FIRST)
    return min(max(outage * _SHARE, first), longest)
