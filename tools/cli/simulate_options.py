"""The options of `recloser simulate`, and what they refuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from recloser.simulate import picture
from recloser.simulate.rivals import RIVALS
from recloser.simulate.scenario import Down, Refusal, RetryAfter
from recloser.simulate.sweep import ENGINES, OUTAGES, WINDOWS

WINDOW: Final = "window"
"""The spread hint that is engines / capacity, whatever that is."""
_ONE_CASE: Final = ("outage", "capacity", "refusal", "horizon", "alone", "plot")
_SWEEP: Final = ("outages", "windows")


def _hint(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    if value is None or value == WINDOW:
        return value
    try:
        return float(value)
    except ValueError as error:
        text = f"{value!r} is neither a number of seconds nor '{WINDOW}'"
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
        help=f"Give it again to compare. A shipped policy, a service, {' or '.join(RIVALS)}, "
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


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put the options on a command, in the order in which `--help` shows them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def consistent(ctx: click.Context, *, sweeping: bool) -> None:
    """Refuse options that would have no effect."""
    for name in _ONE_CASE if sweeping else _SWEEP:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            advice = "leave it out with --sweep" if sweeping else "it needs --sweep"
            raise click.UsageError(f"--{name} has no effect here: {advice}", ctx)


def drawable(plot: Path | None) -> None:
    """Say before a long run that there will be no picture."""
    if plot is None:
        return
    if plot.suffix.lower() not in picture.FORMATS:
        raise click.BadParameter(f"{plot} must end in .png or .svg", param_hint="--plot")
    if not plot.parent.is_dir():
        raise click.BadParameter(f"{plot.parent} is no folder", param_hint="--plot")
    if not picture.installed():
        raise click.UsageError("--plot needs matplotlib: pip install 'recloser[plot]'")
