"""`recloser simulate`: one policy or several in a storm of thousands of engines."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from recloser.cli.policy_argument import load_policy
from recloser.fsm.closecodes import ABNORMAL
from recloser.fsm.decisions import Policy
from recloser.fsm.errors import PolicyError
from recloser.simulate import curves
from recloser.simulate.baselines import BASELINES
from recloser.simulate.report import compare, report
from recloser.simulate.scenario import Down, Governing, Refusal, RetryAfter, Scenario
from recloser.simulate.storm import Progress, simulate
from recloser.simulate.sweep import ENGINES, OUTAGES, WINDOWS, cases, sweep
from recloser.simulate.witness import Witness

_WINDOW: Final = "window"
"""The spread hint that stands for engines / capacity."""
_ONE_CASE: Final = ("outage", "capacity", "refusal", "horizon", "alone", "plot")
_SWEEP: Final = ("outages", "windows")
_STORM: Final = ("close", "down", "spread_hint")
_RESTART: Final = 1012
_STEPS: Final = 1000
_T = TypeVar("_T")


def _hint(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    if value is None or value == _WINDOW:
        return value
    try:
        return float(value)
    except ValueError as error:
        text = f"{value!r} is neither a number of seconds nor '{_WINDOW}'"
        raise click.BadParameter(text, ctx, param) from error


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in value.split(","))
    except ValueError as error:
        text = f"{value!r} is no list of seconds like 1,10,60"
        raise click.BadParameter(text, ctx, param) from error


_OPTIONS: Final = (
    click.option(
        "--policy",
        "-p",
        "names",
        multiple=True,
        default=("standard",),
        show_default=True,
        help=f"Give it again to compare. A shipped policy, a service, {' or '.join(BASELINES)}, "
        "or module:object.",
    ),
    click.option("--engines", type=int, help=f"How many; default 10000, in a sweep {ENGINES}."),
    click.option(
        "--outage", default=30.0, show_default=True, help="Seconds until the server is back."
    ),
    click.option(
        "--capacity", default=1000.0, show_default=True, help="Dials per second it accepts then."
    ),
    click.option(
        "--queue",
        is_flag=True,
        help="It answers a dial when those before it are done. Without it: at once, as a limiter "
        "does that takes a second's dials in a burst.",
    ),
    click.option(
        "--refusal",
        type=click.Choice([each.value for each in Refusal]),
        default="refuse",
        show_default=True,
        help="What the excess gets: a 503 at once, silence, or half of each.",
    ),
    click.option(
        "--refusal-cost",
        default=0.05,
        show_default=True,
        help="What a refusal costs the server, as a share of an accept.",
    ),
    click.option(
        "--down",
        type=click.Choice([each.value for each in Down]),
        default="refuse",
        show_default=True,
        help="What a dial gets during the outage: no TCP, silence, or a 503.",
    ),
    click.option(
        "--retry-after",
        type=click.Choice([each.value for each in RetryAfter]),
        is_flag=False,
        flag_value=RetryAfter.BACKLOG.value,
        help="A 503 carries Retry-After: how long the backlog will take, or a share of it, "
        "another for each client.",
    ),
    click.option("--close", type=int, help="Code of the loss; default 1006, with a hint 1012."),
    click.option(
        "--spread-hint",
        callback=_hint,
        metavar="SECONDS|window",
        help="Seconds over which the server asks to spread; 'window' is engines / capacity.",
    ),
    click.option(
        "--connect-timeout",
        default=10.0,
        show_default=True,
        help="Seconds until a dial is given up.",
    ),
    click.option(
        "--round-trip", default=0.05, show_default=True, help="Seconds until a dial is answered."
    ),
    click.option(
        "--alone",
        default=0.0,
        metavar="SHARE",
        help="Share of engines whose server is fine at once.",
    ),
    click.option(
        "--processes",
        default=1,
        show_default=True,
        help="How many the engines are spread over: an engine knows how many are beside it.",
    ),
    click.option(
        "--governor",
        type=click.Choice([each.value for each in Governing]),
        help="Who says when an engine dials: a governor for each process, one for the fleet, or "
        "one for the fleet with the capacity as its rate. Without it: each policy.",
    ),
    click.option(
        "--ramp",
        type=float,
        metavar="FACTOR",
        help="The greatest growth of a return's pace in a second, with a governor of a process or "
        "a fleet; default: that of recloser.Governor.",
    ),
    click.option(
        "--start",
        is_flag=True,
        help="First the engines start, all at once, at a server that is up. A governor of a "
        "process or a fleet knows then what it takes, if enough dials were refused.",
    ),
    click.option(
        "--storms",
        default=1,
        show_default=True,
        help="How many, each within a day of the one before: a governor of a process or a fleet "
        "knows by then what the server takes. The figures are those of the last; with --start, "
        "those of 0 are the start's.",
    ),
    click.option(
        "--regions",
        default=1,
        show_default=True,
        help="How many, each with its own server, which takes its share of the capacity.",
    ),
    click.option("--seed", default=1, show_default=True, help="Same seed, same result."),
    click.option(
        "--horizon",
        type=float,
        help="Seconds until the simulation ends; default 8 engines / capacity after the return, "
        "at least 600.",
    ),
    click.option(
        "--sweep", "sweeping", is_flag=True, help="Many outages, capacities and refusals."
    ),
    click.option(
        "--outages",
        callback=_seconds,
        metavar="SECONDS,...",
        default=",".join(map(str, OUTAGES)),
        show_default="12, 1 to 600",
        help="Of a sweep.",
    ),
    click.option(
        "--windows",
        callback=_seconds,
        metavar="SECONDS,...",
        default=",".join(map(str, WINDOWS)),
        show_default="20,60,180",
        help="Of a sweep: engines / capacity.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
    click.option(
        "--plot",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Draw the curves into this .png or .svg file, too.",
    ),
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put the options on a command, in the order in which `--help` shows them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _check_consistent(ctx: click.Context, *, sweeping: bool, storms: int, refusal: str) -> None:
    """Refuse options that would have no effect."""
    advice = "leave it out with --sweep" if sweeping else "it needs --sweep"
    idle = dict.fromkeys(_ONE_CASE if sweeping else _SWEEP, advice)
    if refusal == Refusal.TIMEOUT.value:
        idle["retry_after"] = "no 503 carries it with --refusal timeout"
    if not storms:
        idle.update(dict.fromkeys(_STORM, "a start without a storm loses no connection"))
    for name, why in idle.items():
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} has no effect here: {why}", ctx)


def _check_drawable(plot: Path | None) -> None:
    """Refuse a picture that cannot be written, before the long run."""
    if plot is None:
        return
    if plot.suffix.lower() not in curves.FORMATS:
        raise click.BadParameter(f"{plot} must end in .png or .svg", param_hint="--plot")
    if not plot.parent.is_dir():
        raise click.BadParameter(f"{plot.parent} is no folder", param_hint="--plot")
    if not curves.installed():
        raise click.UsageError("--plot needs matplotlib: pip install matplotlib")


@click.command()
@_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    names: Sequence[str],
    engines: int | None,
    outage: float,
    capacity: float,
    queue: bool,
    refusal: str,
    refusal_cost: float,
    down: str,
    retry_after: str | None,
    close: int | None,
    spread_hint: float | str | None,
    connect_timeout: float,
    round_trip: float,
    alone: float,
    processes: int,
    governor: str | None,
    ramp: float | None,
    start: bool,
    storms: int,
    regions: int,
    seed: int,
    horizon: float | None,
    sweeping: bool,
    outages: tuple[float, ...],
    windows: tuple[float, ...],
    as_json: bool,
    plot: Path | None,
) -> None:
    """Drive thousands of engines through an outage in virtual time.

    All lose their server at 0 and follow the policy until they are back. The policy and
    the counters of the engines are the real ones; time, network and server are simulated.
    """
    _check_consistent(ctx, sweeping=sweeping, storms=storms, refusal=refusal)
    _check_drawable(plot)
    if close is None:
        close = ABNORMAL if spread_hint is None else _RESTART
    if engines is None:
        engines = ENGINES if sweeping else 10_000
    if not storms:  # a start has no outage, unless somebody says so
        given = ctx.get_parameter_source
        outage = outage if given("outage") is ParameterSource.COMMANDLINE else 0.0
        outages = outages if given("outages") is ParameterSource.COMMANDLINE else (0.0,)
    policies = {name: Witness(_policy(name)) for name in names}
    hinted = spread_hint == _WINDOW
    try:
        scenario = Scenario(
            engines=engines,
            outage=outage,
            capacity=capacity,
            queue=queue,
            refusal=Refusal(refusal),
            refusal_cost=refusal_cost,
            down=Down(down),
            retry_after=None if retry_after is None else RetryAfter(retry_after),
            close=close,
            spread=None if isinstance(spread_hint, str) else spread_hint,
            connect_timeout=connect_timeout,
            round_trip=round_trip,
            alone=alone,
            processes=processes,
            governor=None if governor is None else Governing(governor),
            ramp=ramp,
            start=start,
            storms=storms,
            regions=regions,
            seed=seed,
            horizon=horizon,
        )
        if hinted:
            scenario = replace(scenario, spread=scenario.window)
        several = []
        if sweeping:
            several = list(cases(scenario, outages=outages, windows=windows, hint=hinted))
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from error
    if sweeping:
        _many(policies, several, as_json=as_json)
    else:
        _one(policies, scenario, as_json=as_json, plot=plot)
    for name, policy in policies.items():
        _warn_of_memory(ctx, name, policy)


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
            curves.draw(outcomes, plot)
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


def _warn_of_memory(ctx: click.Context, name: str, policy: Witness) -> None:
    """Point out a policy whose figures say nothing."""
    answers = policy.contradiction()
    if answers is not None:
        text = f"{name} remembers: one question got {answers}; its engines share one object"
        advice = f"so the figures say nothing: run recloser check {name} --law pure"
        click.echo(f"{ctx.command_path}: {text}, {advice}", err=True)


def _policy(name: str) -> Policy:
    return BASELINES[name]() if name in BASELINES else load_policy(name)


def _watched(name: str, work: Callable[[Progress | None], _T]) -> _T:
    """Run with a progress bar if stderr is a terminal."""
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
