"""Runs a policy through many scenarios, so that no single favourable case decides."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean, median
from typing import Final

from recloser.fsm.decisions import Policy
from recloser.simulate.outcome import Outcome
from recloser.simulate.scenario import Refusal, Scenario
from recloser.simulate.storm import Progress, simulate

OUTAGES: Final = tuple(600.0 ** (i / 11) for i in range(12))
"""Twelve outages from 1 s to 600 s, each longer by the same factor."""
WINDOWS: Final = (20.0, 60.0, 180.0)
"""Seconds that the returned server needs for the whole fleet: engines / capacity."""
REFUSALS: Final = (Refusal.REFUSE, Refusal.MIXED)
ENGINES: Final = 2000
"""This is enough: the ratio of two policies does not depend on the size of the fleet."""
PATIENCE: Final = 8
"""Windows after the return within which 99 of 100 engines must be back; later counts as never."""
_MOST: Final = 0.99


def cases(
    base: Scenario,
    *,
    outages: Iterable[float] = OUTAGES,
    windows: Iterable[float] = WINDOWS,
    refusals: Iterable[Refusal] = REFUSALS,
    hint: bool = False,
) -> Iterator[Scenario]:
    """Vary outage, capacity and refusal of `base`; with `hint` the spread is the true window."""
    for outage, window, refusal in product(outages, windows, refusals):
        if window <= 0:
            raise ValueError(f"windows must be above 0, not {window:g}")
        yield replace(
            base,
            outage=outage,
            capacity=base.fleet / window,
            refusal=refusal,
            spread=window if hint else base.spread,
            horizon=outage + PATIENCE * window,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of one policy in all cases of a sweep."""

    outcomes: Sequence[Outcome]

    @property
    def never(self) -> int:
        """Cases in which less than 99 in 100 were back within eight windows."""
        return sum(each.fleet.time(_MOST) is None for each in self.outcomes)

    def figures(self) -> dict[str, float | None]:
        """Return the figures for JSON.

        Excess is time lost against the optimum in units of engines / capacity; peaks are
        the most dials in any second after the return, as multiples of the capacity; the wait
        ratio is that of the cases in which all engines are back, None if there is none.
        """
        late99 = [each.excess(_MOST) for each in self.outcomes]
        late100 = [each.excess(1.0) for each in self.outcomes]
        peaks = [each.peak_after_return / each.scenario.capacity for each in self.outcomes]
        ratios = [each.wait_ratio for each in self.outcomes if each.wait_ratio is not None]
        return {
            "cases": len(self.outcomes),
            "never": self.never,
            "excess_t99": mean(late99),
            "excess_t99_worst": max(late99),
            "excess_t100": mean(late100),
            "excess_t100_worst": max(late100),
            "dials_per_engine": mean(each.fleet.dials_per_engine for each in self.outcomes),
            "dials_after_return": mean(each.dials_after_return for each in self.outcomes),
            "peak_ratio_median": median(peaks),
            "peak_ratio_worst": max(peaks),
            "wait_ratio": mean(ratios) if ratios else None,
            "wait_ratio_worst": max(ratios, default=None),
        }


def sweep(
    policy: Policy, scenarios: Sequence[Scenario], progress: Progress | None = None
) -> Summary:
    """Run one policy through all scenarios; raises `PolicyError` as `simulate` does."""
    outcomes = []
    for number, scenario in enumerate(scenarios, start=1):
        outcomes.append(simulate(policy, scenario))
        if progress is not None:
            progress(number / len(scenarios))
    return Summary(outcomes)
