"""`recloser check`: tries to break each law with a policy; a broken law is shown as a story."""

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import click

from recloser import policies
from recloser.cli.policy_argument import load_policy
from recloser.cli.tables import text_table
from recloser.fsm.decisions import Policy
from recloser.testing.evidence.interview import DEFAULT_MAX_DELAY
from recloser.testing.laws.groups import LAWS, OPTIONAL_LAWS, choose
from recloser.testing.policy_check import examine
from recloser.testing.search.effort import QUICK, WHOLE
from recloser.testing.search.search import Progress
from recloser.testing.verdict.verdicts import Report

_STEPS: Final = 1000


@click.command()
@click.argument("policy", required=False)
@click.option(
    "-l",
    "--law",
    "laws",
    multiple=True,
    metavar="NAME",
    help="Check this law alone; repeatable. 'default', 'optional' and 'all' stand for several.",
)
@click.option(
    "--examples",
    type=int,
    metavar="N",
    help=f"Random examples, besides what is tried exhaustively.  [default: {WHOLE.examples}]",
)
@click.option(
    "--quick",
    is_flag=True,
    help=f"For test suites: a sixth of the questions, and {QUICK.examples} random examples.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, metavar="N", help="Repeats the same search."
)
@click.option(
    "--max-delay",
    type=float,
    default=DEFAULT_MAX_DELAY,
    show_default=True,
    metavar="SECONDS",
    help="The longest delay that the law 'bounded' allows.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    metavar="N",
    help="Processes that search at a time, at most two, where the machine has processors for them.",
)
@click.option("--list", "listing", is_flag=True, help="List the laws, with why they are ones.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    policy: str | None,
    laws: tuple[str, ...],
    examples: int | None,
    quick: bool,
    seed: int,
    max_delay: float,
    processes: int,
    listing: bool,
    as_json: bool,
) -> int:
    """Check that a policy keeps the laws that every client should.

    POLICY is module:object (a policy, its class, or a function that makes one; the current
    folder is looked into), standard, basic or a service of the catalogue. A law that is
    broken is told as a story, with a test to paste. Exit status: 0 all hold, 1 a law is
    broken, 2 bad input.
    """
    try:
        chosen = choose(laws or None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--law") from error
    if listing:
        _list(as_json=as_json)
        return 0
    if policy is None:
        raise click.UsageError("say which policy: module:object, standard, or a service", ctx)
    if examples is not None and examples < 0:
        raise click.BadParameter(f"must be at least 0, not {examples}", param_hint="--examples")
    if not 0 < max_delay < float("inf"):
        raise click.BadParameter(f"must be above 0, not {max_delay:g}", param_hint="--max-delay")
    make = partial(_load, policy)
    make()
    with _frozen(), _progress(policy) as progress:
        report = examine(
            make,
            laws=chosen,
            examples=examples,
            quick=quick,
            seed=seed,
            max_delay=max_delay,
            progress=progress,
            source=_source(policy),
            processes=processes,
        )
    click.echo(_json(policy, report) if as_json else _text(policy, report))
    return 0 if report.sound else 1


def _load(name: str) -> Policy:
    try:
        return load_policy(name)
    except click.BadParameter as error:
        error.param_hint = "POLICY"
        raise


def _source(name: str) -> tuple[str, str]:
    """Return the import, and the name, by which a test gets at the policy."""
    module, colon, path = name.partition(":")
    if colon:
        first = path.partition(".")[0]
        return f"from {module} import {first}", path
    if name in policies.SHIPPED:
        return f"from recloser.policies import {name}", name
    return "from recloser.policies import for_service", f'for_service("{name}")'


@contextmanager
def _frozen() -> Iterator[None]:
    """Keep the garbage collector from looking through all that is loaded, time and again."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _progress(name: str) -> Iterator[Progress | None]:
    """Show a progress bar if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(
        length=_STEPS, label=name, show_eta=False, file=sys.stderr, item_show_func=_what
    ) as bar:
        yield lambda what, share: bar.update(max(0, int(share * _STEPS) - bar.pos), what)


def _what(item: object) -> str | None:
    return None if item is None else str(item)


def _text(name: str, report: Report) -> str:
    table = text_table(
        ("law", "verdict", "what it says"),
        [(each.law.name, each.word, each.law.claim) for each in report.verdicts],
    )
    parts = [table, "", *(f"{each}\n" for each in report.broken)]
    broken = len(report.broken)
    tried = f"{report.questions:,} questions and {report.stories:,} stories, seed {report.seed}"
    if broken:
        some = "1 law" if broken == 1 else f"{broken} laws"
        parts.append(f"{name} breaks {some} of {len(report.verdicts)} ({tried})")
    else:
        parts.append(f"{name} keeps all {len(report.verdicts)} laws ({tried})")
    return "\n".join(parts)


def _json(name: str, report: Report) -> str:
    found = {
        "policy": name,
        "verdict": "holds" if report.sound else "broken",
        "seed": report.seed,
        "questions": report.questions,
        "stories": report.stories,
        "laws": [each.figures() for each in report.verdicts],
    }
    return json.dumps(found, indent=2)


def _list(*, as_json: bool) -> None:
    laws = (*LAWS, *OPTIONAL_LAWS)
    if as_json:
        found = [
            {"name": law.name, "claim": law.claim, "why": law.why, "incident": law.incident,
             "optional": law.optional}
            for law in laws
        ]  # fmt: skip
        click.echo(json.dumps({"laws": found}, indent=2))
        return
    for law in laws:
        mark = " (optional)" if law.optional else ""
        click.echo(f"{law.name}{mark}: {law.claim}")
        for word, text in (("why", law.why), ("seen", law.incident)):
            if text:
                click.echo(f"    {word}: {text}")
