"""Draws the curves of a storm with characters, as wide as the terminal is."""

from collections.abc import Sequence
from math import log10
from typing import Final

from recloser.simulate.outcome import Outcome
from recloser.simulate.series import rate, recovered

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:-=+*%#"
_ROWS: Final = 5
_LABEL: Final = 12
_NARROWEST: Final = 20


def bars(shares: Sequence[float], rows: int, *, ascii_only: bool) -> list[str]:
    """Draw shares from 0 to 1 as columns, `rows` lines high, the top line first.

    What is not nothing shows: the smallest step stands for any share above 0.
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
    scale = f"{end:.0f} s"
    back = min(int(outcome.scenario.outage / end * columns), columns - 1)
    pointer = "^ server is back" if back + len("^ server is back") <= columns else "^"
    axis = f"{' ' * back}{pointer}".ljust(columns)[: columns - len(scale) - 1]
    return [
        f"{name}: dials per second (logarithmic) and share recovered",
        *(
            f"{label:>{_LABEL}}{mark}{line}".rstrip()
            for label, line in zip(labels, upper + lower, strict=True)
        ),
        f"{'':{_LABEL}}{mark}{axis:{columns - len(scale)}}{scale}",
    ]
