"""`recloser journal`: the story of a journal, or of the JSON log of a service."""

import json
from collections import deque
from pathlib import Path
from typing import Any, Final

import click

from recloser.cli import reading
from recloser.cli.tables import terminal
from recloser.cli.telling import duration, moment, printable, states, why
from recloser.fsm import closecodes
from recloser.fsm.states import State
from recloser.journal.encoding import line_of
from recloser.journal.entry import Entry
from recloser.journal.reader import Reader
from recloser.journal.story import Story
from recloser.journal.suspicions import Suspicion, Suspicions

_TAIL: Final = 20
_STATES: Final = 24
"""Columns for the widest pair of states."""


@click.command()
@click.argument("file", type=reading.FILE)
@click.option(
    "--tail",
    type=click.IntRange(min=0),
    default=_TAIL,
    show_default=True,
    help="How many of the last changes to print.",
)
@click.option("--all", "everything", is_flag=True, help="Print every change.")
@click.option("--by", metavar="FIELD", help="What tells engines apart in the log of a service.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
def command(*, file: Path, tail: int, everything: bool, by: str | None, json_wanted: bool) -> int:
    """Tell the story of a journal: timeline, totals, downtime, suspicious patterns.

    FILE is what `recloser.journal.Journal` wrote, or the JSON lines that a service logs with
    structlog; - reads standard input. Exit status 1 if something looks suspicious.
    """
    if everything and json_wanted:
        raise click.UsageError("--all prints lines: with --json, say --tail N")
    story, suspicions = Story(), Suspicions()
    last: deque[Entry] = deque(maxlen=0 if everything else tail)
    with reading.opened(file) as stream:
        reader = Reader(stream, by=by)
        for entry in reading.entries(reader, file, stream):
            story.add(entry)
            suspicions.add(entry)
            last.append(entry)
            if everything:
                click.echo(_line(entry))
    found = suspicions.found()
    if json_wanted:
        click.echo(json.dumps(_figures(reader, story, found, last), indent=2))
    else:
        if not everything:
            _print_tail(last, reader.entries)
        _print_totals(reading.name(file), reader, story)
        _print_ends(story)
        _print_suspicions(found)
    return 1 if found else 0


def _line(entry: Entry) -> str:
    change = entry.change
    who = f"{printable(entry.engine)}  " if entry.engine else ""
    return f"{moment(entry.time)}  {who}{states(change):<{_STATES}}  {why(change)}"


def _print_tail(last: deque[Entry], entries: int) -> None:
    earlier = entries - len(last)
    if last and earlier:
        click.echo(f"... {earlier} earlier changes: --all prints them")
    for entry in last:
        click.echo(_line(entry))
    if last:
        click.echo()


def _print_totals(name: str, reader: Reader, story: Story) -> None:
    first, final = story.first or 0.0, story.last or 0.0
    engines = sum(story.engines.values())
    plural = "engine" if engines == 1 else "engines"
    seconds = story.seconds
    click.echo(f"{name}: {reader.entries} changes of {engines} {plural}")
    click.echo(f"from {moment(first)} to {moment(final)}: {duration(final - first)}")
    connecting, backoff = duration(seconds[State.CONNECTING]), duration(seconds[State.BACKOFF])
    down = f"down {duration(story.downtime)} ({connecting} connecting, {backoff} backoff)"
    rest = duration(seconds[State.PASSIVE])
    lines = [
        f"{story.dials} dials, {story.opens} opens, gave up {story.gave_up} times",
        f"open {duration(seconds[State.OPEN])}, {down}, at rest {rest}",
    ]
    wait = story.longest_wait
    if wait is not None:
        who = f" by {printable(wait.engine)}" if wait.engine else ""
        text = f"longest wait {duration(wait.seconds)}{who}, from {moment(wait.since)}"
        lines.append(f"{text} until {wait.outcome.value}")
    if story.longest_delay is not None:
        lines.append(f"longest delay that a policy asked for {duration(story.longest_delay)}")
    left = ", ".join(f"{count} {state.value}" for state, count in story.engines.most_common())
    lines.append(f"at the end {left}")
    if reader.lines != reader.entries:
        lines.append(f"lines skipped: {reading.skipped(reader)}")
    if reader.lost:
        lines.append(f"{reader.lost} changes could not be written when they happened")
    if story.breaks:
        lines.append(
            f"{story.breaks} changes do not follow from the one before: lines are missing, a "
            "process was killed, or engines have one name (--by FIELD tells them apart in a log)"
        )
    if story.undelivered:
        lines.append(f"{story.undelivered} received messages were never taken")
    click.echo("\n".join(lines))


def _print_ends(story: Story) -> None:
    if not story.ends:
        return
    rows = [
        (
            str(count),
            str(end.code) if end.status is None else f"HTTP {end.status}",
            f"{end.origin}, asked for" if end.intentional else end.origin,
            closecodes.name(end.code) if end.status is None else "refused upgrade",
        )
        for end, count in story.ends.most_common()
    ]
    click.echo("\n" + terminal(("ends", "code", "by", "name"), rows))
    rules = [(str(count), printable(rule) or "-") for rule, count in story.rules.most_common()]
    click.echo("\n" + terminal(("ends", "rule"), rules))


def _print_suspicions(found: list[Suspicion]) -> None:
    if found:
        click.echo("\nsuspicious:")
    for each in found:
        who = f", {printable(each.engine)}" if each.engine else ""
        times = "once" if each.times == 1 else f"{each.times} times"
        where = f"{times}, first {moment(each.first)}{who}"
        click.echo(f"  {each.pattern} ({where}): {printable(each.text)}")


def _figures(
    reader: Reader, story: Story, found: list[Suspicion], last: deque[Entry]
) -> dict[str, Any]:
    wait = story.longest_wait
    return {
        **reading.figures(reader),
        "from": moment(story.first or 0.0),
        "to": moment(story.last or 0.0),
        "engines": sum(story.engines.values()),
        "at_the_end": {state.value: count for state, count in story.engines.items()},
        "dials": story.dials,
        "opens": story.opens,
        "gave_up": story.gave_up,
        "breaks": story.breaks,
        "undelivered": story.undelivered,
        "seconds": {state.value: round(spent, 3) for state, spent in story.seconds.items()},
        "downtime": round(story.downtime, 3),
        "longest_wait": None
        if wait is None
        else {
            "seconds": round(wait.seconds, 3),
            "from": moment(wait.since),
            "engine": wait.engine,
            "until": wait.outcome.value,
        },
        "longest_delay": story.longest_delay,
        "ends": [
            {**end._asdict(), "name": closecodes.name(end.code), "count": count}
            for end, count in story.ends.most_common()
        ],
        "rules": dict(story.rules.most_common()),
        "suspicious": [
            {
                "pattern": each.pattern,
                "text": each.text,
                "times": each.times,
                "first": moment(each.first),
                "engine": each.engine,
            }
            for each in found
        ],
        "timeline": [
            line_of(entry.change, wall=entry.time, engine=entry.engine, own=entry.fields)
            for entry in last
        ],
    }
