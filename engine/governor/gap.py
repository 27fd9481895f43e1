"""The gap between two probes of a host that is down."""

from typing import Final

FIRST_GAP: Final = 1.0
_LONGEST_GAP: Final = 10.0
_SHORTEST_GAP: Final = 0.1
_ENGINE_SECONDS: Final = 5000.0
"""Seconds of waiting, added up over the engines, that make up for one probe: the probe of a large
crowd costs each engine little, so that the longest gap is shorter there."""
_GAP_SHARE: Final = 0.125
"""The gap between two probes as a share of the time for which the host has been down."""


def gap_after(outage: float, engines: int) -> float:
    """Return the seconds until the next probe of a host that has been down for so long.

    `engines`: how many wait, dial or sleep there.
    """
    longest = min(max(_ENGINE_SECONDS / engines, _SHORTEST_GAP), _LONGEST_GAP)
    first = min(max(longest / 2, _SHORTEST_GAP), FIRST_GAP)
    return min(max(outage * _GAP_SHARE, first), longest)
