"""Writes the figures of simulated storms as text tables."""

from collections.abc import Mapping, Sequence

from recloser.simulate.curves import chart, horizon, rate
from recloser.simulate.outcome import Outcome
from recloser.simulate.sweep import Summary

_FINE = 400


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]


def _figure(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def _notes(name: str, outcome: Outcome) -> list[str]:
    notes = []
    gone = outcome.fleet.held + outcome.fleet.stopped
    if gone:
        notes.append(
            f"{name}: {outcome.fleet.held} rest (Hold) and {outcome.fleet.stopped} stopped (Stop)"
        )
    alone = outcome.alone
    if alone is not None:
        notes.append(
            f"{name}, alone ({alone.engines}): t50 {_figure(alone.time(0.5))} s, "
            f"t99 {_figure(alone.time(0.99))} s, t100 {_figure(alone.time(1.0))} s, "
            f"{alone.dials_per_engine:.2f} dials per engine"
        )
    return notes


def report(outcomes: Mapping[str, Outcome], *, width: int, ascii_only: bool = False) -> list[str]:
    """Return the lines for one scenario: the table, the notes and the charts."""
    first = next(iter(outcomes.values())).scenario
    head = (
        *("policy", "t50", "t99", "t100", "dials", "after"),
        *("peak", "peak after", "x capacity", "wait"),
    )
    rows = [
        (
            name,
            *(_figure(each.fleet.time(share)) for share in (0.5, 0.99, 1.0)),
            f"{each.fleet.dials_per_engine:.2f}",
            f"{each.dials_after_return:.2f}",
            f"{each.peak}",
            f"{each.peak_after_return}",
            f"{each.peak_after_return / first.capacity:.1f}",
            _figure(each.wait_ratio),
        )
        for name, each in outcomes.items()
    ]
    what = f", outage {first.outage:g} s" if first.storms else " start"
    lines = [
        f"{first.fleet} engines{what}, optimum {first.optimum:.1f} s",
        "",
        *table(head, rows),
        "",
        "t50, t99, t100: seconds until that share is back; dials: per engine, in all and after",
        "the return; peak: most dials in any one second, in all and after the return; wait: the",
        "longest one after the return, as a multiple of the mean.",
    ]
    for name, each in outcomes.items():
        lines += _notes(name, each)
    end = horizon(list(outcomes.values()))
    peak = max(max(rate(each.fleet.dials, end, _FINE)) for each in outcomes.values())
    for name, each in outcomes.items():
        lines += ["", *chart(name, each, end=end, peak=peak, width=width, ascii_only=ascii_only)]
    return lines


def compare(summaries: Mapping[str, Summary]) -> list[str]:
    """Return a table with one line for each policy of a sweep."""
    head = (
        "policy",
        "excess t99 (worst)",
        "excess t100 (worst)",
        "dials",
        "after",
        "peak (worst)",
        "wait (worst)",
        "never",
    )
    rows = []
    for name, summary in summaries.items():
        got = summary.figures()
        rows.append(
            (
                name,
                f"{got['excess_t99']:.2f} ({got['excess_t99_worst']:.2f})",
                f"{got['excess_t100']:.2f} ({got['excess_t100_worst']:.2f})",
                f"{got['dials_per_engine']:.1f}",
                f"{got['dials_after_return']:.1f}",
                f"{got['peak_ratio_median']:.1f} ({got['peak_ratio_worst']:.1f})",
                f"{_figure(got['wait_ratio'])} ({_figure(got['wait_ratio_worst'])})",
                f"{got['never']}/{got['cases']}",
            )
        )
    return [
        *table(head, rows),
        "",
        "excess: time lost against the optimum in units of engines/capacity, mean of the cases;",
        "dials: per engine, in all and after the return; peak: most dials in any second after",
        "the return in units of the capacity, median; wait: the longest one after the return as a",
        "multiple of the mean, mean of the cases in which all are back; never: 99 % not back",
        "within 8 windows.",
    ]
