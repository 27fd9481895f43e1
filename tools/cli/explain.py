"""`recloser explain`: what a policy decides for one end or for all, by which rule, and why."""

import json
from typing import Any

import click

from recloser.cli.policy_argument import POLICY_HELP, load_policy
from recloser.cli.tables import kind_of_table, markdown_table, text_table
from recloser.explain.question import (
    PolicyFailedError,
    PolicyQuestion,
    Reply,
    ask,
    make_close,
    phase_of,
)
from recloser.explain.survey import LATER, SurveyRow, survey
from recloser.fsm.budget import BUDGET_SPENT
from recloser.fsm.closecodes import NORMAL
from recloser.fsm.closecodes import name as code_name
from recloser.fsm.decisions import Phase, Policy, Retry
from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import Wish
from recloser.policies.field import FieldRow, find
from recloser.policies.rules import rules_of

_FIRST_CODE = 1000
_HEADERS = ("end", "name", "first time", f"time {LATER} in a row", "rule", "why")
_MAX_CODE = 65535
_ENGINE_WHY = {BUDGET_SPENT: "The budget has no dial left before that: see connect(budget=...)."}
"""The reasons of rules that no policy has."""


def _as_json(name: str, question: PolicyQuestion, reply: Reply) -> dict[str, Any]:
    """Return one answer for JSON; delays are in seconds, or None."""
    close, decision = question.close, reply.decision
    return {
        "policy": name,
        "code": close.code,
        "status": close.status,
        "name": code_name(close.code),
        "cause": close.cause.value,
        "origin": close.origin.value,
        "phase": question.phase.value,
        "attempt": question.attempt,
        "decision": reply.word,
        "refresh": isinstance(decision, Retry) and decision.refresh,
        "delay_min": _rounded(reply.delay_min),
        "delay_max": _rounded(reply.delay_max),
        "unsent": decision.unsent.value,
        "rule": decision.rule,
        "why": reply.rule.why if reply.rule else _ENGINE_WHY.get(decision.rule, ""),
        "source": reply.rule.source if reply.rule else "",
    }


def _rounded(delay: float | None) -> float | None:
    return None if delay is None else round(delay, 6)


def _as_rows(name: str, question: PolicyQuestion, reply: Reply) -> list[tuple[str, str]]:
    """Return labels and texts that describe one answer."""
    close = question.close
    end = f"code {close.code} ({code_name(close.code)})"
    if close.code < _FIRST_CODE:
        end = f"code {close.code} (no close code; for an HTTP status: --status {close.code})"
    if close.status is not None:
        what = "tunnel" if close.cause is Cause.PROXY else "upgrade"
        end = f"{what} refused with status {close.status}"
    times = "" if question.attempt == 1 else f", {question.attempt} times in a row"
    lines = [
        ("policy", name),
        ("end", f"{end}, {close.cause.value} by {close.origin.value}{times}"),
        ("decision", str(reply)),
        ("rule", reply.decision.rule),
    ]
    if reply.decision.rule in _ENGINE_WHY:
        lines.append(("why", _ENGINE_WHY[reply.decision.rule]))
    if reply.rule is not None:
        lines += [
            ("when", str(reply.rule.when)),
            ("why", reply.rule.why),
            ("source", reply.rule.source),
        ]
    return lines


def _print_all(
    name: str, policy: Policy, *, can_refresh: bool, json_wanted: bool, kind: str
) -> None:
    """Print everything as JSON, or as a table of the kind "table" or "markdown".

    Raises `PolicyFailedError`.
    """
    found = tuple(survey(policy, can_refresh=can_refresh))
    if json_wanted:
        answers = [
            {**_as_json(name, row.question, row.first), "numbers": row.numbers} for row in found
        ]
        click.echo(json.dumps(answers, indent=2))
        return
    rows = [_cells(row) for row in found]
    if kind == "markdown":
        click.echo(_rules_table(policy) + markdown_table(_HEADERS, rows))
    else:
        click.echo(text_table(_HEADERS, rows))


def _cells(row: SurveyRow) -> tuple[str, ...]:
    """Return one row of the table."""
    end = row.numbers if row.fact == "code" else f"{row.fact} {row.numbers}"
    return (
        end,
        row.name,
        str(row.first),
        str(row.later),
        row.first.decision.rule,
        row.first.rule.why if row.first.rule else "",
    )


def _rules_table(policy: Policy) -> str:
    """Return the rules in order as Markdown, and a blank line; nothing if there are none."""
    rules = rules_of(policy)
    if not rules:
        return ""
    rows = [(each.name, str(each.when), str(each.then), each.why, each.source) for each in rules]
    return markdown_table(("rule", "when", "then", "why", "source"), rows) + "\n\n"


def _number(name: str, low: int, high: int) -> Any:
    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            text = f"{value!r} is no {name}: give a number from {low} to {high}"
            raise click.BadParameter(text, ctx, param)
        return int(value)

    return check


def _seconds(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    try:
        return None if value is None else check_seconds("the number of seconds", value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@click.command()
@click.argument("code", required=False, callback=_number("close code", 0, _MAX_CODE))
@click.option("--status", callback=_number("status", 100, 999), help="Of a refused upgrade.")
@click.option("--reason", default="", help="The peer's text.")
@click.option("--intentional", is_flag=True, help="The application asked for the end.")
@click.option("--retry-after", type=float, callback=_seconds, help="Seconds the server named.")
@click.option("--spread", type=float, callback=_seconds, help="Seconds to spread over.")
@click.option("--advice", help="What the application passes on with advise().")
@click.option("--origin", type=click.Choice([each.value for each in Origin]))
@click.option("--cause", type=click.Choice([each.value for each in Cause]))
@click.option("--phase", type=click.Choice([each.value for each in Phase]))
@click.option(
    "--attempt",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="How many times in a row it happens.",
)
@click.option("--uptime", type=float, callback=_seconds, help="Seconds open before each end.")
@click.option("--been-open", is_flag=True, help="The address has been open before.")
@click.option(
    "--engines",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Engines of the process at the host.",
)
@click.option(
    "--budget-in",
    type=float,
    default=0.0,
    callback=_seconds,
    help="Seconds for which the budget has no dial left.",
)
@click.option("--no-refresh", is_flag=True, help="Nobody can be asked for a new credential.")
@click.option(
    "-p",
    "--policy",
    "policy_name",
    default="standard",
    show_default=True,
    help=POLICY_HELP,
)
@click.option("--server", help="A server of recloser field, such as uvicorn; give --event, too.")
@click.option("--event", help="What that server did: stop, reload, kill, idle, ...")
@click.option("--all", "everything", is_flag=True, help="Every code, status and cause.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
@kind_of_table
def command(
    *,
    code: int | None,
    status: int | None,
    policy_name: str,
    everything: bool,
    server: str | None,
    event: str | None,
    **options: Any,
) -> int:
    """Print what a policy decides for an end, by which rule, and why.

    CODE is a close code as received, or 1005, 1006 or 1015. Give a refused upgrade by --status,
    a failed dial by --cause, and what a real server does by --server and --event, or ask for
    --all.
    """
    asked = [code is not None, status is not None, options["cause"] is not None]
    rows = _rows(server, event, alone=not (any(asked) or everything or options["intentional"]))
    if everything and (any(asked) or options["reason"] or options["intentional"]):
        raise click.UsageError("--all asks about everything: leave CODE and the facts out")
    if not everything and not any(asked) and not options["intentional"] and not rows:
        raise click.UsageError("give a CODE, --status, --cause, --server or --all")
    if code is not None and status is not None:
        raise click.UsageError("a refused upgrade has no close code: give CODE or --status")
    policy = load_policy(policy_name)
    try:
        if rows:
            source = click.get_current_context().get_parameter_source("policy_name")
            own = source is click.core.ParameterSource.DEFAULT
            _print_rows(None if own else policy_name, policy, rows, options)
        elif everything:
            _print_all(
                policy_name,
                policy,
                can_refresh=not options["no_refresh"],
                json_wanted=options["json_wanted"],
                kind=options["kind"],
            )
        else:
            _print_one(policy_name, policy, code, status, options)
    except PolicyFailedError as error:
        click.echo(f"recloser explain: {error}", err=True)
        return 1
    return 0


def _rows(server: str | None, event: str | None, *, alone: bool) -> tuple[FieldRow, ...]:
    """Return the rows of the field guide that are asked about, one of each end."""
    if server is None and event is None:
        return ()
    if server is None or event is None:
        raise click.UsageError("give --server and --event together; recloser field lists them")
    if not alone:
        raise click.UsageError("--server says how it ends: leave CODE and the other facts out")
    try:
        found = find(server, event)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return tuple({(row.wire, row.how): row for row in reversed(found)}.values())[::-1]


def _print_rows(
    given: str | None, policy: Policy, rows: tuple[FieldRow, ...], options: dict[str, Any]
) -> None:
    """Print the answer for each row: of the policy that was given, or else of the row's own."""
    answers: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        seen = {"server": row.name, "version": row.version, "event": row.event, "how": row.how}
        lines = [
            ("server", f"{row.name} {row.version}, {row.event} ({row.how})"),
            ("wire", row.wire),
        ]
        if row.close is None:
            lines.append(("decision", "none: the connection goes on"))
            answers.append({**seen, "wire": row.wire, "decision": None})
        else:
            question = PolicyQuestion(
                row.close,
                row.phase,
                options["attempt"],
                options["uptime"],
                can_refresh=not options["no_refresh"],
                been_open=options["been_open"],
                engines=options["engines"],
                budget_in=options["budget_in"],
            )
            name = row.policy if given is None else given
            reply = ask(policy if given is not None else load_policy(name), question)
            lines += _as_rows(name, question, reply)
            answers.append({**seen, "wire": row.wire, **_as_json(name, question, reply)})
        if not options["json_wanted"]:
            click.echo("\n" * bool(number), nl=False)
            _print_lines(lines, options["kind"])
    if options["json_wanted"]:
        click.echo(json.dumps(answers, indent=2))


def _print_one(
    name: str, policy: Policy, code: int | None, status: int | None, options: dict[str, Any]
) -> None:
    close = _record(code, status, options)
    phase = phase_of(close) if options["phase"] is None else Phase(options["phase"])
    question = PolicyQuestion(
        close,
        phase,
        options["attempt"],
        options["uptime"],
        not options["no_refresh"],
        options["been_open"],
        options["engines"],
        options["budget_in"],
    )
    reply = ask(policy, question)
    if options["json_wanted"]:
        click.echo(json.dumps(_as_json(name, question, reply), indent=2))
        return
    _print_lines(_as_rows(name, question, reply), options["kind"])


def _print_lines(lines: list[tuple[str, str]], kind: str) -> None:
    if kind == "markdown":
        click.echo(markdown_table(("", ""), lines))
        return
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        click.echo(f"{label.ljust(width)}  {text}")


def _record(code: int | None, status: int | None, options: dict[str, Any]) -> Close:
    intentional = options["intentional"]
    if intentional and code is None and options["cause"] is None:
        code = NORMAL
    origin = Origin.APPLICATION if intentional else None
    return make_close(
        code,
        status,
        origin=origin if options["origin"] is None else Origin(options["origin"]),
        cause=None if options["cause"] is None else Cause(options["cause"]),
        reason=options["reason"],
        intentional=intentional,
        wish=Wish.CLOSE if intentional else None,
        retry_after=options["retry_after"],
        spread=options["spread"],
        advice=options["advice"],
    )
