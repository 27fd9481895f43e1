"""`recloser replay`: where another policy would have decided otherwise, and what it would cost."""

import json
from pathlib import Path
from typing import Any, Final

import click

from recloser.cli import reading
from recloser.cli.load import load_policy
from recloser.cli.telling import decided, duration, end, moment, printable
from recloser.fsm.decisions import Decision
from recloser.journal.encoding import decision_of, line_of
from recloser.journal.reader import Reader
from recloser.journal.rerun import Difference, Rerun

_LIMIT: Final = 20


@click.command()
@click.argument("file", type=reading.FILE)
@click.option(
    "-p",
    "--policy",
    "policy_name",
    required=True,
    help="standard, basic, a service of `recloser codes`, or module:object.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_LIMIT,
    show_default=True,
    help="How many differences to print; all are counted.",
)
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
def command(*, file: Path, policy_name: str, limit: int, json_wanted: bool) -> int:
    """Show where another policy would have decided otherwise.

    FILE is what `recloser.journal.Journal` wrote; - reads standard input. Exit status 0: it
    would have decided the same everywhere; 1: it would not.
    """
    rerun = Rerun(load_policy(policy_name))
    shown: list[dict[str, Any]] = []
    with reading.opened(file) as stream:
        reader = Reader(stream)
        for entry in reading.entries(reader, file, stream):
            found = rerun.add(entry)
            if found is None or rerun.differences > limit:
                continue
            if json_wanted:
                shown.append(_as_json(found))
            else:
                click.echo(_told(found))
    rerun.finish()
    if not rerun.judged:
        raise click.UsageError(
            f"no end in {reading.name(file)} says what the policy was told: replay needs what "
            "recloser.journal.Journal writes"
        )
    if json_wanted:
        click.echo(json.dumps(_figures(policy_name, reader, rerun, shown), indent=2))
    else:
        _print_totals(policy_name, reader, rerun, limit)
    return 1 if rerun.differences else 0


def _told(found: Difference) -> str:
    entry, context = found.entry, found.context
    who = f"{printable(entry.engine)}  " if entry.engine else ""
    uptime = "never open" if context.uptime is None else f"open for {duration(context.uptime)}"
    lines = [
        f"{moment(entry.time)}  {who}{end(found.close)}",
        f"      {uptime}, failure {context.attempt} of its run, {context.streak} alike in a row",
        f"then  {_answer(found.then)}",
        f"now   {_answer(found.now)}",
    ]
    if found.problem is not None:
        lines[-1] = f"now   stop: the policy {_problem(found)}"
    if not found.reached:
        lines.append("      this end would not have come: it would have stopped before")
    return "\n".join(lines) + "\n"


def _answer(decision: Decision) -> str:
    return f"{decided(decision)}, {decision.unsent.value} unsent; rule {printable(decision.rule)}"


def _problem(found: Difference) -> str:
    if found.problem is None:
        return ""
    cause = found.problem.__cause__
    said = "" if cause is None or not str(cause) else f": {cause}"
    return printable(f"{found.problem.problem}{said}")


def _print_totals(name: str, reader: Reader, rerun: Rerun, limit: int) -> None:
    if rerun.differences > limit:
        click.echo(f"... {rerun.differences - limit} more: --limit N prints them\n")
    click.echo(f"{name} was asked about {rerun.judged} ends; {rerun.differences} differ")
    if rerun.unreached:
        click.echo(f"{rerun.unreached} of these would not have come: it would have stopped before")
    if rerun.differences:
        click.echo(
            f"estimate: {rerun.dials:+d} dials, {_signed(rerun.downtime)} of downtime; each end "
            "taken as it was recorded"
        )
    if rerun.chance:
        click.echo(
            f"it would have dialled where the other stopped or rested: up to "
            f"{duration(rerun.chance)} of these might have been open"
        )
    if rerun.without:
        click.echo(f"{rerun.without} ends do not say what the policy was told: not asked about")
    if reader.lines != reader.entries:
        click.echo(f"lines skipped: {reading.skipped(reader)}")


def _signed(seconds: float) -> str:
    return f"{'-' if seconds < 0 else '+'}{duration(abs(seconds))}"


def _figures(
    name: str, reader: Reader, rerun: Rerun, shown: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "policy": name,
        **reading.figures(reader),
        "judged": rerun.judged,
        "without_context": rerun.without,
        "different": rerun.differences,
        "unreached": rerun.unreached,
        "estimate": {
            "dials": rerun.dials,
            "downtime": round(rerun.downtime, 3),
            "chance": round(rerun.chance, 3),
        },
        "differences": shown,
    }


def _as_json(found: Difference) -> dict[str, Any]:
    entry = found.entry
    line = line_of(entry.change, wall=entry.time, engine=entry.engine, own=entry.fields)
    return {
        "timestamp": line["timestamp"],
        "engine": entry.engine,
        "reached": found.reached,
        "close": {key: line[key] for key in ("code", "code_name", "reason", "origin", "cause")},
        "context": line["context"],
        "then": {"rule": found.then.rule, **decision_of(found.then)},
        "now": {"rule": found.now.rule, **decision_of(found.now)},
        "problem": _problem(found) or None,
    }
