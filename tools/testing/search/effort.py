"""The effort of a search: all of it, or the part that a test suite can spare."""

from dataclasses import dataclass, replace
from typing import Final

from recloser.simulate.scenario import Scenario
from recloser.testing.evidence.fleets import FLEETS, SCENARIOS, Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The shares of the finite part that are tried, the fleets and outages, the random examples."""

    every: int
    """Of so many questions of the finite part one is put, and of so many lives one is lived.

    It shares no factor with the seven contexts that take turns over the codes.
    """
    fleets: tuple[Fleet, ...]
    scenarios: tuple[Scenario, ...]
    examples: int
    """Random examples of each kind of evidence, unless the caller says otherwise."""


_FEWER: Final = 300

WHOLE: Final = Effort(every=1, fleets=FLEETS, scenarios=SCENARIOS, examples=200)
"""Everything that is finite."""
QUICK: Final = Effort(
    every=6,
    fleets=tuple(replace(each, engines=_FEWER) for each in FLEETS),
    scenarios=(replace(SCENARIOS[0], engines=_FEWER, capacity=30.0),),
    examples=30,
)
"""A sixth of the questions and lives, smaller fleets, and one outage."""
