"""`recloser top`: the engines of a running service, or of a journal, in the terminal."""

import asyncio
import json
import logging
import random
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import click

from recloser.cli import journal_file
from recloser.cli.following import FollowedJournal
from recloser.cli.overview import check_row, check_totals, overview
from recloser.redact import printable

_CLEAR: Final = "\x1b[H\x1b[J"
_AROUND: Final = 6
"""Lines of the terminal that are not rows of the table."""
_EVERY: Final = 1.0
_LONGEST_WAIT: Final = 30.0
_LINE: Final = 2**24
"""Bytes of the longest line of a stream: a snapshot of 20,000 engines has some 6 MB."""


Show = Callable[[list[dict[str, Any]], dict[str, Any]], None]
"""Prints the rows of all engines and the totals."""


class _BrokenStreamError(Exception):
    """The live page gave something else than its stream."""


@click.command()
@click.argument("source", metavar="FILE|URL")
@click.option("--lines", type=click.IntRange(min=1), metavar="N", help="Engines to show.")
@click.option("--once", is_flag=True, help="Print once; without a terminal that is so anyway.")
@click.option("--by", metavar="FIELD", help="What tells engines apart in the log of a service.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON, once.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    source: str,
    lines: int | None,
    once: bool,
    by: str | None,
    json_wanted: bool,
) -> None:
    """Show the engines of a service in the terminal.

    Those that wait or gave up come first.

    FILE is a journal, or the JSON log of a service; URL is the live page of a running service,
    such as http://127.0.0.1:8080/recloser/. It is drawn anew each second, until Ctrl-C.
    """
    logging.getLogger("recloser").setLevel(logging.CRITICAL)  # the overview tells it all
    once = once or json_wanted or not sys.stdout.isatty()
    show = _show_json if json_wanted else partial(_show, lines=lines, once=once)
    try:
        if source.startswith(("http://", "https://")):
            asyncio.run(_service(source.rstrip("/") + "/", show, once=once))
        else:
            asyncio.run(_journal(Path(source), by, show, once=once))
    except (aiohttp.ClientError, _BrokenStreamError, TimeoutError) as error:
        text = f"{source} gives no live page: {printable(str(error) or type(error).__name__)}"
        raise click.UsageError(text, ctx) from error
    except KeyboardInterrupt:
        raise click.Abort from None


def _show_json(rows: list[dict[str, Any]], totals: dict[str, Any]) -> None:
    click.echo(json.dumps({"engines": rows, "totals": totals}, indent=2))


def _show(
    rows: list[dict[str, Any]], totals: dict[str, Any], *, lines: int | None, once: bool
) -> None:
    room = shutil.get_terminal_size().lines - _AROUND
    text = overview(rows, totals, lines or (20 if once else max(1, room)))
    click.echo(text if once else _CLEAR + text)


async def _journal(path: Path, by: str | None, show: Show, *, once: bool) -> None:
    with journal_file.opened(path) as file:
        journal = FollowedJournal(path, file, by=by)
        while True:
            journal.read()
            if not journal.reader.entries and once:
                raise click.UsageError(f"no change of state in {path}")
            show(journal.inspector.rows(), journal.inspector.totals())
            if once:
                return
            await asyncio.sleep(_EVERY)


async def _service(url: str, show: Show, *, once: bool) -> None:
    """Show what the page of a service streams; come back when the stream is lost."""
    failures = 0
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=30.0)
    async with aiohttp.ClientSession(timeout=timeout, read_bufsize=_LINE) as session:
        while True:
            try:
                async for rows, totals in _stream(session, url):
                    failures = 0
                    show(rows, totals)
                    if once:
                        return
                problem = "the service ended the stream"
            except (aiohttp.ClientError, TimeoutError) as error:
                if once:
                    raise
                problem = str(error) or type(error).__name__
            failures += 1
            wait = 1.0 + random.uniform(0.0, min(_LONGEST_WAIT, 2.0**failures))  # noqa: S311 - jitter
            click.echo(f"{printable(problem)}; next try in {wait:.0f} s", err=True)
            await asyncio.sleep(wait)


async def _stream(
    session: aiohttp.ClientSession, url: str
) -> AsyncIterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Yield all rows and the totals, each time when totals come."""
    rows: dict[str, dict[str, Any]] = {}
    async with session.get(f"{url}events") as response:
        if not response.ok or response.content_type != "text/event-stream":
            raise _BrokenStreamError(f"HTTP {response.status}, {response.content_type}")
        name = ""
        async for line in response.content:
            field, _, value = line.decode(errors="replace").rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                try:
                    totals = _update(rows, name, json.loads(value))
                except (ValueError, TypeError, KeyError, RecursionError) as error:
                    raise _BrokenStreamError(f"its data is of another kind ({error!r})") from error
                if totals is not None:
                    yield list(rows.values()), totals


def _update(rows: dict[str, dict[str, Any]], event: str, data: Any) -> dict[str, Any] | None:
    """Take an event of the stream into the rows; return the totals if it has them.

    Raises an exception of several kinds for what no live page sends.
    """
    if event == "snapshot":
        rows.clear()
    if event in ("snapshot", "rows"):
        for row in data["rows"] if event == "snapshot" else data:
            check_row(row)
            rows[row["engine"]] = row
    if event == "gone":
        for engine in data:
            rows.pop(engine, None)
    if event not in ("snapshot", "totals"):
        return None
    totals: dict[str, Any] = data["totals"] if event == "snapshot" else data
    check_totals(totals)
    return totals
