"""Draws the curves of a storm as PNG or SVG, with matplotlib if it is installed."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from recloser.simulate.outcome import Outcome
from recloser.simulate.series import horizon, rate, recovered

FORMATS: Final = (".png", ".svg")
_COLUMNS: Final = 400


def installed() -> bool:
    """Whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def draw(outcomes: Mapping[str, Outcome], path: Path) -> None:
    """Write the picture; the suffix of `path` is one of `FORMATS`. Raises `OSError`."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, needed by this call alone

    end = horizon(list(outcomes.values()))
    moments = [end * (column + 0.5) / _COLUMNS for column in range(_COLUMNS)]
    figure = Figure(figsize=(9, 6), layout="constrained")
    dials, share = figure.subplots(2, 1, sharex=True)
    for name, outcome in outcomes.items():
        dials.step(moments, rate(outcome.fleet.dials, end, _COLUMNS), where="mid", label=name)
        share.plot(moments, recovered(outcome, end, _COLUMNS), label=name)
    scenario = next(iter(outcomes.values())).scenario
    dials.axhline(scenario.capacity, color="grey", linestyle=":", label="capacity")
    dials.set_yscale("symlog", linthresh=1.0)
    dials.set_ylabel("dials per second")
    share.set_ylabel("share recovered")
    share.set_xlabel("seconds since the loss")
    for axes in (dials, share):
        axes.axvline(scenario.outage, color="grey", linestyle="--", linewidth=0.8)
    share.axvline(scenario.optimum, color="green", linestyle="--", linewidth=0.8, label="optimum")
    dials.legend()
    share.legend()
    figure.savefig(path)
