"""The two curves of a storm: dials per second, and the share of the fleet that is open again.

As numbers, as characters for a terminal, and as PNG or SVG, with matplotlib if it is installed.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import log10
from pathlib import Path
from typing import Final

from recloser.simulate.outcome import Outcome

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:-=+*%#"
_ROWS: Final = 5
_LABEL: Final = 12
_NARROWEST: Final = 20
FORMATS: Final = (".png", ".svg")
"""Suffixes of the files that `draw` writes."""
_POINTS: Final = 400


def horizon(outcomes: Sequence[Outcome]) -> float:
    """Return the end of the plots: when the last engine is back, or the end of the simulation."""
    ends = []
    for each in outcomes:
        last = each.fleet.time(1.0)
        ends.append(each.scenario.end if last is None else last)
    return max(ends)


def rate(moments: Sequence[float], end: float, columns: int) -> list[float]:
    """Count per second in each of `columns` equal parts of 0 to `end`."""
    counts = [0] * columns
    for moment in moments[: bisect_right(moments, end)]:
        counts[min(columns - 1, int(moment / end * columns))] += 1
    return [count * columns / end for count in counts]


def recovered(outcome: Outcome, end: float, columns: int) -> list[float]:
    """Return the share of the fleet that is open at the end of each part, from 0 to 1."""
    opened = outcome.fleet.opened
    return [
        bisect_right(opened, end * (column + 1) / columns) / outcome.fleet.engines
        for column in range(columns)
    ]


def bars(shares: Sequence[float], rows: int, *, ascii_only: bool) -> list[str]:
    """Draw shares from 0 to 1 as columns, `rows` lines high, the top line first.

    Any share above 0 is drawn at least as the smallest step.
    """
    steps = _ASCII if ascii_only else _BLOCKS
    full = len(steps) - 1
    heights = [max(round(share * rows * full), 1 if share > 0 else 0) for share in shares]
    return [
        "".join(steps[min(max(height - row * full, 0), full)] for height in heights)
        for row in reversed(range(rows))
    ]


def chart(
    name: str, outcome: Outcome, *, end: float, peak: float, width: int, ascii_only: bool = False
) -> list[str]:
    """Draw dials per second (logarithmic, 1 to `peak`) above the share recovered.

    From 0 to `end` seconds, in lines of at most `width` characters (33 at least).
    """
    columns = max(width - _LABEL - 1, _NARROWEST)
    decades = max(log10(max(peak, 1.0)), 1.0)
    dials = [
        (log10(max(value, 1.0)) + 0.1) / (decades + 0.1) if value else 0.0
        for value in rate(outcome.fleet.dials, end, columns)
    ]
    upper = bars(dials, _ROWS, ascii_only=ascii_only)
    lower = bars(recovered(outcome, end, columns), 2, ascii_only=ascii_only)
    labels = [f"{peak:.0f}/s", *[""] * (_ROWS - 2), "1/s", "100 %", "0 %"]
    mark = "|" if ascii_only else "│"
    share = "recovered" if outcome.scenario.storms else "open"
    scale = f"{end:.0f} s"
    back = min(int(outcome.scenario.outage / end * columns), columns - 1)
    text = "^ server is back" if outcome.scenario.storms else "^ engines start"
    pointer = text if back + len(text) <= columns else "^"
    axis = f"{' ' * back}{pointer}".ljust(columns)[: columns - len(scale) - 1]
    return [
        f"{name}: dials per second (logarithmic) and share {share}",
        *(
            f"{label:>{_LABEL}}{mark}{line}".rstrip()
            for label, line in zip(labels, upper + lower, strict=True)
        ),
        f"{'':{_LABEL}}{mark}{axis:{columns - len(scale)}}{scale}",
    ]


def installed() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(outcomes: Mapping[str, Outcome], path: Path) -> None:
    """Write the picture; the suffix of `path` is one of `FORMATS`. Raises `OSError`."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, needed by this call alone

    end = horizon(list(outcomes.values()))
    moments = [end * (column + 0.5) / _POINTS for column in range(_POINTS)]
    figure = Figure(figsize=(9, 6), layout="constrained")
    dials, share = figure.subplots(2, 1, sharex=True)
    dials.set_yscale("symlog", linthresh=1.0)
    for name, outcome in outcomes.items():
        dials.step(moments, rate(outcome.fleet.dials, end, _POINTS), where="mid", label=name)
        share.plot(moments, recovered(outcome, end, _POINTS), label=name)
    scenario = next(iter(outcomes.values())).scenario
    dials.axhline(scenario.capacity, color="grey", linestyle=":", label="capacity")
    dials.set_ylim(bottom=0.0)
    dials.set_ylabel("dials per second")
    share.set_ylabel("share recovered" if scenario.storms else "share open")
    share.set_xlabel(f"seconds since the {'loss' if scenario.storms else 'start'}")
    for axes in (dials, share):
        axes.axvline(scenario.outage, color="grey", linestyle="--", linewidth=0.8)
    share.axvline(scenario.optimum, color="green", linestyle="--", linewidth=0.8, label="optimum")
    dials.legend()
    share.legend()
    figure.savefig(path)
