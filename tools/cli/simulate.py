"""`recloser simulate`: one policy or several in a storm of thousands of engines."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import click

from recloser.cli.load import load_policy
from recloser.cli.simulate_options import WINDOW, consistent, drawable, options
from recloser.fsm.closecodes import ABNORMAL
from recloser.fsm.decisions import Policy
from recloser.fsm.errors import PolicyError
from recloser.simulate import picture
from recloser.simulate.report import compare, report
from recloser.simulate.rivals import RIVALS
from recloser.simulate.scenario import Down, Refusal, RetryAfter, Scenario
from recloser.simulate.storm import Progress, simulate
from recloser.simulate.sweep import ENGINES, cases, sweep

_RESTART: Final = 1012
_STEPS: Final = 1000
_T = TypeVar("_T")


@click.command()
@options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    names: Sequence[str],
    engines: int | None,
    outage: float,
    capacity: float,
    refusal: str,
    refusal_cost: float,
    down: str,
    retry_after: str | None,
    close: int | None,
    spread_hint: float | str | None,
    connect_timeout: float,
    round_trip: float,
    alone: float,
    seed: int,
    horizon: float | None,
    sweeping: bool,
    outages: tuple[float, ...],
    windows: tuple[float, ...],
    as_json: bool,
    plot: Path | None,
) -> None:
    """Drive thousands of engines through an outage in virtual time.

    All lose their server at 0 and follow the policy until they are back. Policy and machine
    are the real ones; time, network and server are simulated.
    """
    consistent(ctx, sweeping=sweeping)
    drawable(plot)
    if close is None:
        close = ABNORMAL if spread_hint is None else _RESTART
    if engines is None:
        engines = ENGINES if sweeping else 10_000
    policies = {name: _policy(name) for name in names}
    hinted = spread_hint == WINDOW
    try:
        scenario = Scenario(
            engines=engines,
            outage=outage,
            capacity=capacity,
            refusal=Refusal(refusal),
            refusal_cost=refusal_cost,
            down=Down(down),
            retry_after=None if retry_after is None else RetryAfter(retry_after),
            close=close,
            spread=None if isinstance(spread_hint, str) else spread_hint,
            connect_timeout=connect_timeout,
            round_trip=round_trip,
            alone=alone,
            seed=seed,
            horizon=horizon,
        )
        if hinted:
            scenario = replace(scenario, spread=scenario.window)
        several = list(cases(scenario, outages=outages, windows=windows, hint=hinted))
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from error
    if sweeping:
        _many(policies, several, as_json=as_json)
    else:
        _one(policies, scenario, as_json=as_json, plot=plot)


def _one(
    policies: Mapping[str, Policy], scenario: Scenario, *, as_json: bool, plot: Path | None
) -> None:
    outcomes = {
        name: _watched(name, partial(simulate, policy, scenario))
        for name, policy in policies.items()
    }
    if as_json:
        _print_json({name: each.figures() for name, each in outcomes.items()})
    else:
        width = shutil.get_terminal_size().columns
        click.echo("\n".join(report(outcomes, width=width, ascii_only=not _has_blocks())))
    if plot is not None:
        try:
            picture.draw(outcomes, plot)
        except OSError as error:
            raise click.BadParameter(f"{plot}: {error.strerror}", param_hint="--plot") from error


def _many(policies: Mapping[str, Policy], several: Sequence[Scenario], *, as_json: bool) -> None:
    summaries = {
        name: _watched(name, partial(sweep, policy, several)) for name, policy in policies.items()
    }
    if as_json:
        _print_json({name: each.figures() for name, each in summaries.items()})
    else:
        click.echo("\n".join(compare(summaries)))


def _policy(name: str) -> Policy:
    return RIVALS[name]() if name in RIVALS else load_policy(name)


def _watched(name: str, work: Callable[[Progress | None], _T]) -> _T:
    """Run with a progress bar on stderr if somebody looks at it."""
    try:
        if not sys.stderr.isatty():
            return work(None)
        # No time left is shown: a storm has far more dials at its start than later.
        with click.progressbar(length=_STEPS, label=name, show_eta=False, file=sys.stderr) as bar:
            return work(lambda share: bar.update(int(share * _STEPS) - bar.pos))
    except PolicyError as error:
        ctx = click.get_current_context()
        cause = "" if error.__cause__ is None else f": {error.__cause__}"
        text = f"{name}: the policy {error.problem}{cause}; {error.close} {error.context}"
        click.echo(f"{ctx.command_path}: {' '.join(text.split())}", err=True)
        ctx.exit(1)


def _print_json(figures: Mapping[str, Mapping[str, object]]) -> None:
    found = [{"policy": name, **each} for name, each in figures.items()]
    click.echo(json.dumps({"policies": found}, indent=2))


def _has_blocks() -> bool:
    """Whether the terminal can show block characters."""
    try:
        "█▁│".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
