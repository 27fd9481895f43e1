"""`recloser outbox`: shows the messages in the file of an outbox, and saves readable ones."""

import json
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import click

from recloser.cli.tables import text_table
from recloser.cli.terminal.wording import moment
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.file.recovery import Salvaged, salvage
from recloser.outbox.file.snapshot import read_snapshot
from recloser.outbox.file.stored_message import StoredMessage
from recloser.redact import printable


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--messages", is_flag=True, help="Print the messages too; they may be secret.")
@click.option(
    "--salvage",
    "new",
    type=click.Path(path_type=Path),
    metavar="NEW",
    help="Save what can be read of a damaged FILE into a new one.",
)
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
def command(*, file: Path, messages: bool, new: Path | None, json_wanted: bool) -> int:
    """Show what waits in the file of an outbox.

    FILE is what `recloser.Outbox(path=FILE)` wrote; it is not changed, and no engine may have it
    open. Exit status 1 if --salvage could not save all.
    """
    if new is not None and messages:
        raise click.UsageError("--messages shows what is in a file: save first, then show NEW")
    try:
        if new is not None:
            return _salvage(file, new, json_wanted=json_wanted)
        rows, last = read_snapshot(file)
    except OutboxUnusable as error:
        raise click.UsageError(str(error), click.get_current_context()) from error
    now = time.time()
    if json_wanted:
        click.echo(json.dumps(_figures(rows, last, now, messages=messages), indent=2))
    else:
        _print(file, rows, last, now)
        if messages and rows:
            _print_messages(rows)
    return 0


def _over(row: StoredMessage, now: float) -> bool:
    return row.expires_at is not None and row.expires_at <= now


def _figures(rows: list[StoredMessage], last: int, now: float, *, messages: bool) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "messages": len(rows),
        "bytes": sum(row.size for row in rows),
        "oldest": rows[0].number if rows else None,
        "newest": rows[-1].number if rows else None,
        "last": last,
        "delivered": sum(row.deliveries > 0 for row in rows),
        "expired": sum(_over(row, now) for row in rows),
    }
    if messages:
        figures["waiting"] = [
            {
                "number": row.number,
                "id": _value(row.id),
                "key": _value(row.key),
                "deliveries": row.deliveries,
                "expires_at": row.expires_at,
                "data": _value(row.data),
            }
            for row in rows
        ]
    return figures


def _value(value: Hashable) -> object:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _print(file: Path, rows: list[StoredMessage], last: int, now: float) -> None:
    figures = _figures(rows, last, now, messages=False)
    click.echo(f"{file}: {_counted(len(rows))}, {figures['bytes']} bytes")
    if rows:
        click.echo(f"numbers {figures['oldest']} to {figures['newest']}")
    if last and not rows:
        click.echo(f"the last of them had number {last}")
    if figures["delivered"]:
        click.echo(f"{figures['delivered']} handed to a connection before: may have arrived")
    if figures["expired"]:
        click.echo(f"{figures['expired']} with a ttl that is over: will be dropped, not sent")


def _print_messages(rows: list[StoredMessage]) -> None:
    cells = [
        (
            str(row.number),
            str(row.deliveries),
            "-" if row.id is None else _said(row.id),
            "-" if row.key is None else _said(row.key),
            "-" if row.expires_at is None else moment(row.expires_at),
            _said(row.data),
        )
        for row in rows
    ]
    headers = ("number", "deliveries", "id", "key", "ttl ends", "message")
    click.echo("\n" + text_table(headers, cells))


def _said(value: Hashable) -> str:
    return value.hex() if isinstance(value, bytes) else printable(str(value))


def _salvage(file: Path, new: Path, *, json_wanted: bool) -> int:
    saved = salvage(file, new)
    if json_wanted:
        figures = ("messages", "bytes", "spoilt", "missing", "whole")
        click.echo(json.dumps({name: getattr(saved, name) for name in figures}, indent=2))
    else:
        _print_saved(new, saved)
    return 0 if saved.whole else 1


def _print_saved(new: Path, saved: Salvaged) -> None:
    click.echo(f"{new}: {_counted(saved.messages)}, {saved.bytes} bytes")
    if saved.whole:
        click.echo("nothing is missing")
    if saved.spoilt:
        click.echo(f"{_counted(saved.spoilt)} left out: not as written")
    if saved.missing:
        click.echo(f"up to {_counted(saved.missing)} more may be missing")
    if saved.missing is None:
        click.echo("more may be missing: how many cannot be told")


def _counted(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
