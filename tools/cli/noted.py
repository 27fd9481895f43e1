"""What `recloser diagram` writes on the machine: a policy's rules, a journal's counts, a path."""

from pathlib import Path

import click

from recloser.diagram.counting import counted
from recloser.diagram.edges import edges
from recloser.diagram.highlight import highlighted
from recloser.diagram.picture import Picture
from recloser.fsm.states import State
from recloser.fsm.table import Row


def noted(policy: str | None, journal: Path | None, highlight: str | None) -> Picture:
    """Return the live machine with what was asked for on it.

    Raises `click.BadParameter` for what cannot be found or read, and `click.exceptions.Exit`,
    as a finding, once it has said how the policy failed.
    """
    rows = edges()
    captions = []
    marked, path = frozenset[State](), frozenset[tuple[State, State]]()
    if highlight is not None:
        try:
            marked, path = highlighted(highlight, rows)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--highlight") from error
    rules: dict[Row, tuple[str, ...]] = {}
    if policy is not None:
        rules = _rules(policy, rows)
        captions.append(f"rules of the policy {policy}")
    counts: dict[Row, int] = {}
    if journal is not None:
        counts = _counts(journal, rows)
        captions.append(f"{sum(counts.values())} changes of {journal.name}")
    return Picture(
        rows=rows,
        rules=rules,
        counts=counts,
        marked=marked,
        path=path,
        caption="; ".join(captions),
    )


def _rules(policy: str, rows: list[Row]) -> dict[Row, tuple[str, ...]]:
    # Policies take time to load, and a bare diagram needs none.
    from recloser.cli.asking import PolicyFailedError  # noqa: PLC0415 - only when asked for
    from recloser.cli.load import load_policy  # noqa: PLC0415 - only when asked for
    from recloser.cli.taken import taken  # noqa: PLC0415 - only when asked for

    try:
        return taken(load_policy(policy), rows)
    except PolicyFailedError as error:
        click.echo(f"recloser diagram: {error}", err=True)
        raise click.exceptions.Exit(1) from error


def _counts(journal: Path, rows: list[Row]) -> dict[Row, int]:
    from recloser.journal.reader import Reader  # noqa: PLC0415 - only when asked for

    try:
        with journal.open("rb") as file:
            reader = Reader(file)
            counts, strange = counted(rows, (entry.change for entry in reader))
    except OSError as error:
        raise click.BadParameter(f"{journal}: {error.strerror}", param_hint="--journal") from error
    if reader.lines and not reader.entries:
        text = f"{journal}: none of its {reader.lines} lines tells of a change of state"
        raise click.BadParameter(text, param_hint="--journal")
    skipped = {
        "broken": reader.broken,
        "of a later version": reader.newer,
        "changes that this machine does not have": strange,
        "lost before they were written": reader.lost,
    }
    told = ", ".join(f"{number} {what}" for what, number in skipped.items() if number)
    if told:
        click.echo(f"recloser diagram: {journal}: not counted: {told}", err=True)
    return counts
