"""`recloser replay`: shows where another policy would have decided otherwise, and its cost."""

import json
from pathlib import Path
from typing import Any, Final

import click

from recloser.cli import journal_file
from recloser.cli.policy_argument import POLICY_HELP, load_policy
from recloser.cli.terminal.wording import (
    describe_close,
    describe_decision,
    duration,
    moment,
)
from recloser.fsm.decisions import Decision
from recloser.journal.lines import decision_line, line_of
from recloser.journal.reader import Reader
from recloser.journal.replay import Difference, Replay
from recloser.redact import printable

_LIMIT: Final = 20


@click.command()
@click.argument("file", type=journal_file.FILE)
@click.option(
    "-p",
    "--policy",
    "policy_name",
    required=True,
    help=POLICY_HELP,
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
    replay = Replay(load_policy(policy_name))
    shown: list[dict[str, Any]] = []
    with journal_file.opened(file) as stream:
        reader = Reader(stream)
        for entry in journal_file.entries(reader, file, stream):
            found = replay.add(entry)
            if found is None or replay.differences > limit:
                continue
            if json_wanted:
                shown.append(_as_json(found))
            else:
                click.echo(_describe_difference(found))
    replay.finish()
    if not replay.judged:
        raise click.UsageError(
            f"no end in {journal_file.name(file)} says what the policy was told: replay needs what "
            "recloser.journal.Journal writes"
        )
    if json_wanted:
        click.echo(json.dumps(_figures(policy_name, reader, replay, shown), indent=2))
    else:
        _print_totals(policy_name, reader, replay, limit)
    return 1 if replay.differences else 0


def _describe_difference(found: Difference) -> str:
    entry, context = found.entry, found.context
    who = f"{printable(entry.engine)}  " if entry.engine else ""
    uptime = "never open" if context.uptime is None else f"open for {duration(context.uptime)}"
    lines = [
        f"{moment(entry.time)}  {who}{describe_close(found.close)}",
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
    words = describe_decision(decision)
    return f"{words}, {decision.unsent.value} unsent; rule {printable(decision.rule)}"


def _problem(found: Difference) -> str:
    if found.problem is None:
        return ""
    cause = found.problem.__cause__
    said = "" if cause is None or not str(cause) else f": {cause}"
    return printable(f"{found.problem.problem}{said}")


def _print_totals(name: str, reader: Reader, replay: Replay, limit: int) -> None:
    if replay.differences > limit:
        click.echo(f"... {replay.differences - limit} more: --limit N prints them\n")
    click.echo(f"{name} was asked about {replay.judged} ends; {replay.differences} differ")
    if replay.unreached:
        click.echo(f"{replay.unreached} of these would not have come: it would have stopped before")
    if replay.differences:
        click.echo(
            f"estimate: {replay.dials:+d} dials, {_signed(replay.downtime)} of downtime; each end "
            "taken as it was recorded"
        )
    if replay.chance:
        click.echo(
            f"it would have dialled where the other stopped or rested: up to "
            f"{duration(replay.chance)} of these might have been open"
        )
    if replay.without:
        click.echo(f"{replay.without} ends do not say what the policy was told: not asked about")
    if reader.lines != reader.entries:
        click.echo(f"lines skipped: {journal_file.skipped(reader)}")


def _signed(seconds: float) -> str:
    return f"{'-' if seconds < 0 else '+'}{duration(abs(seconds))}"


def _figures(
    name: str, reader: Reader, replay: Replay, shown: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "policy": name,
        **journal_file.figures(reader),
        "judged": replay.judged,
        "without_context": replay.without,
        "different": replay.differences,
        "unreached": replay.unreached,
        "estimate": {
            "dials": replay.dials,
            "downtime": round(replay.downtime, 3),
            "chance": round(replay.chance, 3),
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
        "then": {"rule": found.then.rule, **decision_line(found.then)},
        "now": {"rule": found.now.rule, **decision_line(found.now)},
        "problem": _problem(found) or None,
    }
