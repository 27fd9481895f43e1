"""`recloser serve`: a real server on loopback that misbehaves by script."""

import asyncio
import signal
from pathlib import Path

import click

from recloser.hints.signals import signal_handlers
from recloser.testing.doubles.faults import DEFAULT_SCRIPT, Fault, ScriptError, load_script
from recloser.testing.doubles.scripted_server import ScriptedServer
from recloser.testing.doubles.timeline import TimelineEntry

_LAST_PORT = 65535


@click.command()
@click.option(
    "--script",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A fault script in TOML; a script that shows everything if none is given.",
)
@click.option("--port", type=int, default=0, metavar="N", help="Any that is free if left out.")
@click.option("--once", is_flag=True, help="Serve properly after the last fault, not from the top.")
@click.pass_context
def command(ctx: click.Context, *, path: Path | None, port: int, once: bool) -> None:
    """Serve a WebSocket on 127.0.0.1 that misbehaves by script.

    Prints its URL, and then everything that happens, in order, until Ctrl-C. One fault is
    played for each connection; docs/testing.md has the keys of a script.
    """
    if not 0 <= port <= _LAST_PORT:
        raise click.BadParameter(f"must be 0 to {_LAST_PORT}, not {port}", param_hint="--port")
    script = DEFAULT_SCRIPT if path is None else _read(path)
    try:
        asyncio.run(_serve(script, port, repeat=not once))
    except OSError as error:
        text = f"cannot listen on 127.0.0.1:{port}: {error.strerror or error}"
        raise click.UsageError(text, ctx) from error


def _read(path: Path) -> tuple[Fault, ...]:
    try:
        return load_script(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.BadParameter(f"{path}: {reason}", param_hint="--script") from error
    except ScriptError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--script") from error


async def _serve(script: tuple[Fault, ...], port: int, *, repeat: bool) -> None:
    """Serve until SIGINT (Ctrl-C) or SIGTERM."""
    stopped = asyncio.Event()
    async with ScriptedServer(script, port=port, repeat=repeat, on_entry=_print) as server:
        with signal_handlers((signal.SIGINT, signal.SIGTERM), stopped.set):
            click.echo(f"{server.url} misbehaves until Ctrl-C: {len(script)} faults")
            await stopped.wait()


def _print(entry: TimelineEntry) -> None:
    click.echo(str(entry))
