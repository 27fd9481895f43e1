"""The result of one simulated storm, and its figures."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from recloser.simulate.scenario import Scenario


def reached(opened: Sequence[float], engines: int, share: float) -> float | None:
    """Return the moment at which this share of `engines` was open; None if it never was."""
    needed = max(1, ceil(share * engines - 1e-9))
    return opened[needed - 1] if needed <= len(opened) else None


def busiest(moments: Sequence[float], since: float = 0.0, within: float = 1.0) -> int:
    """Count the most of the sorted `moments` in any `within` seconds that begin after `since`."""
    first = bisect_left(moments, since)
    most = 0
    for last in range(first, len(moments)):
        while moments[last] - moments[first] >= within:
            first += 1
        most = max(most, last - first + 1)
    return most


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The moments of one part of the population, sorted, in seconds since the loss."""

    engines: int
    dials: Sequence[float]
    opened: Sequence[float]
    held: int = 0
    """Engines that a Hold put to rest."""
    stopped: int = 0
    """Engines that a Stop ended."""

    def time(self, share: float) -> float | None:
        """Return the moment at which this share was open again; None if never in the horizon."""
        return reached(self.opened, self.engines, share)

    @property
    def dials_per_engine(self) -> float:
        """The mean number of dials of an engine."""
        return len(self.dials) / self.engines

    def figures(self) -> dict[str, object]:
        """Return the figures of any group."""
        return {
            "engines": self.engines,
            "recovered": len(self.opened),
            "held": self.held,
            "stopped": self.stopped,
            "t50": self.time(0.5),
            "t90": self.time(0.9),
            "t99": self.time(0.99),
            "t100": self.time(1.0),
            "dials_per_engine": self.dials_per_engine,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one policy in one scenario."""

    scenario: Scenario
    fleet: Group
    """The engines that lost the server."""
    alone: Group | None
    """The engines whose own line broke; None if there are none."""
    unheard: int
    """Dials of the fleet while the server was away."""
    refused: int
    """Dials answered with 503 after the return."""
    hung: int
    """Dials that were not answered after the return."""

    @property
    def dials_after_return(self) -> float:
        """Dials per engine of the fleet after the return; 1 would be perfect."""
        dials = self.fleet.dials
        return (len(dials) - bisect_left(dials, self.scenario.outage)) / self.fleet.engines

    @property
    def peak(self) -> int:
        """Most dials in any one second."""
        return busiest(self.fleet.dials)

    @property
    def peak_after_return(self) -> int:
        """Most dials in any one second after the return."""
        return busiest(self.fleet.dials, self.scenario.outage)

    @property
    def wait_ratio(self) -> float | None:
        """The longest wait of an engine for its connection after the return, divided by the mean.

        None if an engine of the fleet is not back.
        """
        opened, since = self.fleet.opened, self.scenario.outage
        if len(opened) < self.fleet.engines:
            return None
        return (opened[-1] - since) / (sum(opened) / len(opened) - since)

    def excess(self, share: float) -> float:
        """Time lost against the optimum, in units of engines / capacity (1: twice as long).

        A share that was never reached counts with the time of the horizon.
        """
        window = self.scenario.window
        time = self.fleet.time(share)
        best = self.scenario.outage + share * window
        return ((self.scenario.end if time is None else time) - best) / window

    def figures(self) -> dict[str, object]:
        """Return the figures for JSON: seconds, dials per second, null for never."""
        return {
            **self.fleet.figures(),
            "optimum": self.scenario.optimum,
            "dials_after_return": self.dials_after_return,
            "peak": self.peak,
            "peak_after_return": self.peak_after_return,
            "wait_ratio": self.wait_ratio,
            "unheard": self.unheard,
            "refused": self.refused,
            "hung": self.hung,
            "horizon": self.scenario.end,
            "alone": None if self.alone is None else self.alone.figures(),
        }
