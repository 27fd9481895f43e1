"""`recloser journal`: the story of a journal, or of the JSON log of a service."""

import json
from collections import deque
from pathlib import Path
from typing import Any, Final

import click

from recloser.cli import journal_file
from recloser.cli.tables import text_table
from recloser.cli.terminal.wording import (
    describe_change,
    describe_states,
    duration,
    moment,
)
from recloser.fsm import closecodes
from recloser.fsm.record import Origin
from recloser.fsm.states import State
from recloser.journal.alarms import PastAlarms
from recloser.journal.lines import JournalEntry, line_of
from recloser.journal.reader import Reader
from recloser.journal.suspicions import Suspicion, Suspicions
from recloser.journal.totals import Totals
from recloser.redact import printable
from recloser.statistics.detector import DAY, CloseAlarm, facts_of
from recloser.statistics.kinds import EndKind

_TAIL: Final = 20
_STATES: Final = 24
"""Columns for the widest pair of states."""


@click.command()
@click.argument("file", type=journal_file.FILE)
@click.option(
    "--tail",
    type=click.IntRange(min=0),
    default=_TAIL,
    show_default=True,
    help="How many of the last changes to print.",
)
@click.option("--all", "everything", is_flag=True, help="Print every change.")
@click.option("--by", metavar="FIELD", help="What tells engines apart in the log of a service.")
@click.option("--alarms", is_flag=True, help="Print the times when closes were unusually many.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
def command(
    *, file: Path, tail: int, everything: bool, by: str | None, alarms: bool, json_wanted: bool
) -> int:
    """Tell the story of a journal: timeline, totals, downtime, suspicious patterns.

    FILE is what `recloser.journal.Journal` wrote, or the JSON lines that a service logs with
    structlog; - reads standard input. With --alarms it prints alarms alone. Exit status 1 if
    something looks suspicious, or if there was an alarm.
    """
    if everything and json_wanted:
        raise click.UsageError("--all prints lines: with --json, say --tail N")
    totals, suspicions, past = Totals(), Suspicions(), PastAlarms()
    last: deque[JournalEntry] = deque(maxlen=0 if everything else tail)
    with journal_file.opened(file) as stream:
        reader = Reader(stream, by=by)
        for entry in journal_file.entries(reader, file, stream):
            totals.add(entry)
            suspicions.add(entry)
            if alarms:
                past.add(entry)
            last.append(entry)
            if everything:
                click.echo(_line(entry))
    found = suspicions.found()
    if json_wanted:
        figures = _figures(reader, totals, found, last)
        if alarms:
            figures["alarms"] = [_alarm_figures(each) for each in past.found]
        click.echo(json.dumps(figures, indent=2))
    elif alarms:
        _print_alarms(past.found)
        return 1 if past.found else 0
    else:
        if not everything:
            _print_tail(last, reader.entries)
        _print_totals(journal_file.name(file), reader, totals)
        _print_ends(totals)
        _print_suspicions(found)
    return 1 if found or past.found else 0


def _line(entry: JournalEntry) -> str:
    change = entry.change
    who = f"{printable(entry.engine)}  " if entry.engine else ""
    states, text = describe_states(change), describe_change(change)
    return f"{moment(entry.time)}  {who}{states:<{_STATES}}  {text}"


def _print_tail(last: deque[JournalEntry], entries: int) -> None:
    earlier = entries - len(last)
    if last and earlier:
        click.echo(f"... {earlier} earlier changes: --all prints them")
    for entry in last:
        click.echo(_line(entry))
    if last:
        click.echo()


def _print_totals(name: str, reader: Reader, totals: Totals) -> None:
    first, final = totals.first or 0.0, totals.last or 0.0
    engines = sum(totals.engines.values())
    plural = "engine" if engines == 1 else "engines"
    seconds = totals.seconds
    click.echo(f"{name}: {reader.entries} changes of {engines} {plural}")
    click.echo(f"from {moment(first)} to {moment(final)}: {duration(final - first)}")
    connecting, backoff = duration(seconds[State.CONNECTING]), duration(seconds[State.BACKOFF])
    down = f"down {duration(totals.downtime)} ({connecting} connecting, {backoff} backoff)"
    rest = duration(seconds[State.PASSIVE])
    lines = [
        f"{totals.dials} dials, {totals.opens} opens, gave up {totals.gave_up} times",
        f"open {duration(seconds[State.OPEN])}, {down}, at rest {rest}",
    ]
    wait = totals.longest_wait
    if wait is not None:
        who = f" by {printable(wait.engine)}" if wait.engine else ""
        text = f"longest wait {duration(wait.seconds)}{who}, from {moment(wait.since)}"
        lines.append(f"{text} until {wait.outcome.value}")
    if totals.longest_delay is not None:
        lines.append(f"longest delay that a policy asked for {duration(totals.longest_delay)}")
    left = ", ".join(f"{count} {state.value}" for state, count in totals.engines.most_common())
    lines.append(f"at the end {left}")
    if reader.lines != reader.entries:
        lines.append(f"lines skipped: {journal_file.skipped(reader)}")
    if reader.lost:
        lines.append(f"{reader.lost} changes could not be written when they happened")
    if totals.breaks:
        lines.append(
            f"{totals.breaks} changes do not follow from the one before: lines are missing, a "
            "process was killed, or engines have one name (--by FIELD tells them apart in a log)"
        )
    if totals.undelivered:
        lines.append(f"{totals.undelivered} received messages were never taken")
    click.echo("\n".join(lines))


def _print_ends(totals: Totals) -> None:
    if not totals.ends:
        return
    rows = [
        (
            str(count),
            str(end.code) if end.status is None else f"HTTP {end.status}",
            f"{end.origin}, asked for" if end.intentional else end.origin,
            _name(end),
        )
        for end, count in totals.ends.most_common()
    ]
    click.echo("\n" + text_table(("ends", "code", "by", "name"), rows))
    rules = [(str(count), printable(rule) or "-") for rule, count in totals.rules.most_common()]
    click.echo("\n" + text_table(("ends", "rule"), rules))


def _name(end: EndKind) -> str:
    if end.status is None:
        return closecodes.name(end.code)
    return "refused by a proxy" if end.origin == Origin.NETWORK.value else "refused upgrade"


def _print_suspicions(found: list[Suspicion]) -> None:
    if found:
        click.echo("\nsuspicious:")
    for each in found:
        who = f", {printable(each.engine)}" if each.engine else ""
        times = "once" if each.times == 1 else f"{each.times} times"
        where = f"{times}, first {moment(each.first)}{who}"
        click.echo(f"  {each.pattern} ({where}): {printable(each.text)}")


def _print_alarms(found: list[CloseAlarm]) -> None:
    for each in found:
        end = each.kind
        number = str(end.code) if end.status is None else f"HTTP {end.status}"
        asked = ", asked for" if end.intentional else ""
        until = "the end" if each.cleared is None else moment(each.cleared)
        what = "waves" if each.window == DAY else "ends"
        click.echo(
            f"{moment(each.since)} until {until}  {number} by {end.origin}{asked}: {each.count} "
            f"{what} in {duration(each.window)}, usually {each.usual:.1f}: {each.reading}"
        )
    if not found:
        click.echo("no alarm: no rate of closes was out of the ordinary")


def _alarm_figures(alarm: CloseAlarm) -> dict[str, Any]:
    cleared = None if alarm.cleared is None else moment(alarm.cleared)
    return {**facts_of(alarm), "since": moment(alarm.since), "cleared": cleared}


def _figures(
    reader: Reader, totals: Totals, found: list[Suspicion], last: deque[JournalEntry]
) -> dict[str, Any]:
    wait = totals.longest_wait
    return {
        **journal_file.figures(reader),
        "from": moment(totals.first or 0.0),
        "to": moment(totals.last or 0.0),
        "engines": sum(totals.engines.values()),
        "at_the_end": {state.value: count for state, count in totals.engines.items()},
        "dials": totals.dials,
        "opens": totals.opens,
        "gave_up": totals.gave_up,
        "breaks": totals.breaks,
        "undelivered": totals.undelivered,
        "seconds": {state.value: round(spent, 3) for state, spent in totals.seconds.items()},
        "downtime": round(totals.downtime, 3),
        "longest_wait": None
        if wait is None
        else {
            "seconds": round(wait.seconds, 3),
            "from": moment(wait.since),
            "engine": wait.engine,
            "until": wait.outcome.value,
        },
        "longest_delay": totals.longest_delay,
        "ends": [
            {**end._asdict(), "name": closecodes.name(end.code), "count": count}
            for end, count in totals.ends.most_common()
        ],
        "rules": dict(totals.rules.most_common()),
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
