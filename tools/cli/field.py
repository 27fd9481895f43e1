"""`recloser field`: how real servers end a connection, and what a client should do then."""

import json
from collections.abc import Iterable
from dataclasses import asdict

import click

from recloser.cli.tables import kind_of_table, markdown_table, text_table
from recloser.policies.field import EVENTS, SHOULD, FieldRow, find

_HEADERS = ("software", "version", "event", "how", "on the wire", "after", "a client should")


@click.command()
@click.argument("software", required=False)
@click.argument("event", required=False)
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
@kind_of_table
def command(*, software: str | None, event: str | None, json_wanted: bool, kind: str) -> None:
    """Say how real servers end a connection: all, those of a SOFTWARE, or of one EVENT.

    A name of an event may stand alone: `recloser field reload`.
    """
    if event is None and software in EVENTS:
        software, event = None, software
    try:
        found = find(software, event)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if json_wanted:
        click.echo(json.dumps([_as_json(row) for row in found], indent=2))
    elif kind == "markdown":
        click.echo(markdown_table(_HEADERS, [_cells(row) for row in found]))
    elif len(found) == 1:
        _print_one(found[0])
    else:
        click.echo(text_table(_HEADERS, [_cells(row) for row in found]))
        _print_notes(found)


def _as_json(row: FieldRow) -> dict[str, object]:
    return {**asdict(row), "wire": row.wire}


def _cells(row: FieldRow) -> tuple[str, ...]:
    should = f"{row.should} ({row.rule})" if row.rule else row.should
    if row.policy != "standard":
        should += f" with the policy {row.policy}"
    return row.name, row.version, row.event, row.how, row.wire, _after(row), should


def _after(row: FieldRow) -> str:
    """Give the time to the end; empty where nothing ended."""
    return "" if row.close is None else f"{row.seconds:g} s"


def _print_one(row: FieldRow) -> None:
    lines = [
        ("software", f"{row.name} {row.version}"),
        ("event", f"{row.event}: {EVENTS[row.event]} ({row.how})"),
        ("on the wire", row.wire + (f", then {row.tcp}" if row.tcp and row.end != "cut" else "")),
        ("after", _after(row)),
        ("back after", f"{row.away:g} s" if row.away else ""),
        ("a client should", SHOULD[row.should]),
        ("policy", row.policy),
        ("rule", row.rule),
        ("note", row.note),
        ("seen", row.date),
    ]
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        if text:
            click.echo(f"{label.ljust(width)}  {text}")


def _print_notes(found: Iterable[FieldRow]) -> None:
    notes = [f"{row.name}, {row.event}: {row.note}" for row in found if row.note]
    if notes:
        click.echo("\n" + "\n".join(notes))
