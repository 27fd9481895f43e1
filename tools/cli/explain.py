"""`recloser explain`: what a policy decides, by which rule, and why."""

import json
import math
from typing import Any

import click

from recloser.cli.answers import as_json, told
from recloser.cli.asking import PolicyFailedError, Question, ask, lost, phase_of
from recloser.cli.load import load_policy
from recloser.cli.markdown import markdown
from recloser.fsm.closecodes import NORMAL
from recloser.fsm.decisions import Phase, Policy
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import Wish

_MAX_CODE = 65535


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
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise click.BadParameter("give seconds: a number of at least 0", ctx, param)
    return value


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
@click.option("--no-refresh", is_flag=True, help="Nobody can be asked for a new credential.")
@click.option(
    "-p",
    "--policy",
    "policy_name",
    default="standard",
    show_default=True,
    help="standard, basic, a service of `recloser codes`, or module:object.",
)
@click.option("--all", "everything", is_flag=True, help="Every code, status and cause.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "markdown"]),
    default="table",
    show_default=True,
    help="Of what is printed for people.",
)
def command(
    *, code: int | None, status: int | None, policy_name: str, everything: bool, **options: Any
) -> int:
    """Print what a policy decides for an end, by which rule, and why.

    CODE is a close code as received, or 1005, 1006 or 1015. Give a refused upgrade by --status
    and a failed dial by --cause, or ask for --all.
    """
    asked = [code is not None, status is not None, options["cause"] is not None]
    if everything and (any(asked) or options["reason"] or options["intentional"]):
        raise click.UsageError("--all asks about everything: leave CODE and the facts out")
    if not everything and not any(asked) and not options["intentional"]:
        raise click.UsageError("give a CODE, --status, --cause or --all")
    if code is not None and status is not None:
        raise click.UsageError("a refused upgrade has no close code: give CODE or --status")
    policy = load_policy(policy_name)
    try:
        if everything:
            from recloser.cli.listing import print_all  # noqa: PLC0415 - few ask for everything

            print_all(
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


def _print_one(
    name: str, policy: Policy, code: int | None, status: int | None, options: dict[str, Any]
) -> None:
    close = _record(code, status, options)
    phase = phase_of(close) if options["phase"] is None else Phase(options["phase"])
    question = Question(
        close, phase, options["attempt"], options["uptime"], not options["no_refresh"]
    )
    reply = ask(policy, question)
    if options["json_wanted"]:
        click.echo(json.dumps(as_json(name, question, reply), indent=2))
        return
    rows = told(name, question, reply)
    if options["kind"] == "markdown":
        click.echo(markdown(("", ""), rows))
        return
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        click.echo(f"{label.ljust(width)}  {text}")


def _record(code: int | None, status: int | None, options: dict[str, Any]) -> Close:
    intentional = options["intentional"]
    if intentional and code is None and options["cause"] is None:
        code = NORMAL
    origin = Origin.APPLICATION if intentional else None
    return lost(
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
