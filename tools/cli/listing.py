"""What `recloser explain --all` prints: a row for each end that a policy may be asked about."""

import json

import click

from recloser.cli.answers import as_json, summary
from recloser.cli.everything import LATER, Entry, entries
from recloser.cli.markdown import markdown
from recloser.cli.tables import terminal
from recloser.fsm.decisions import Policy
from recloser.policies.rules import rules_of

_HEADERS = ("end", "name", "first time", f"time {LATER} in a row", "rule", "why")


def print_all(
    name: str, policy: Policy, *, can_refresh: bool, json_wanted: bool, kind: str
) -> None:
    """Print everything as JSON, or as a table of the kind "table" or "markdown".

    Raises `PolicyFailedError`.
    """
    found = tuple(entries(policy, can_refresh=can_refresh))
    if json_wanted:
        answers = [
            {**as_json(name, entry.question, entry.first), "numbers": entry.numbers}
            for entry in found
        ]
        click.echo(json.dumps(answers, indent=2))
        return
    rows = [_row(entry) for entry in found]
    if kind == "markdown":
        click.echo(_rules(policy) + markdown(_HEADERS, rows))
    else:
        click.echo(terminal(_HEADERS, rows))


def _row(entry: Entry) -> tuple[str, ...]:
    """Return one row of the table of everything."""
    end = entry.numbers if entry.fact == "code" else f"{entry.fact} {entry.numbers}"
    return (
        end,
        entry.name,
        summary(entry.first),
        summary(entry.later),
        entry.first.decision.rule,
        entry.first.rule.why if entry.first.rule else "",
    )


def _rules(policy: Policy) -> str:
    """Return the rules in order as Markdown, and a blank line; nothing if there are none."""
    rules = rules_of(policy)
    if not rules:
        return ""
    rows = [(each.name, str(each.when), str(each.then), each.why, each.source) for each in rules]
    return markdown(("rule", "when", "then", "why", "source"), rows) + "\n\n"
