"""The `recloser` command: a group that loads a subcommand's module when it is called."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from recloser.fsm.spelling import suggestion

COMMANDS = {
    "diagram": ("recloser.cli.diagram", "Draw the live state machine."),
    "explain": ("recloser.cli.explain", "Print what a policy decides, and why."),
    "codes": ("recloser.cli.codes", "List close codes, registered and of services."),
    "field": ("recloser.cli.field", "Say how real servers end a connection."),
    "connect": ("recloser.cli.connect", "Talk to a WebSocket server, through all its faults."),
    "journal": ("recloser.cli.journal", "Tell the story of a journal."),
    "inspect": ("recloser.cli.inspect", "Serve the live page, of a journal or of a demo."),
    "top": ("recloser.cli.top", "Show the engines of a service in the terminal."),
    "replay": ("recloser.cli.replay", "Show where another policy would have decided otherwise."),
    "check": ("recloser.cli.check", "Check that a policy keeps the laws."),
    "simulate": ("recloser.cli.simulate", "Drive a fleet of engines through an outage."),
    "outbox": ("recloser.cli.outbox", "Show what waits in the file of an outbox."),
    "serve": ("recloser.cli.serve", "Serve a WebSocket that misbehaves by script."),
}
"""Name, module and one line of help; each module has a `command`."""


_POSIX = ("fcntl", "pty", "readline", "termios")
"""Modules of the standard library that Windows does not have."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells give it: 128 and the number of SIGINT."""


class LazyGroup(click.Group):
    """Lists its commands without importing them, so that `--help` stays quick.

    Bad input gets one line and exit status 2. A command returns its own exit status: None or
    0 for fine, 1 for a finding.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and say in one line what was wrong with the input."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        _replace_closed_streams()
        try:
            sys.exit(super().main(args, prog_name, complete_var, False, **extra))
        except click.Abort:
            sys.exit(INTERRUPTED)
        except OSError as error:  # of the output: the commands tell of their files themselves
            problem = f"the output cannot be written ({error.strerror or error})"
            click.echo(f"{self.name}: {error if error.filename else problem}", err=True)
            sys.exit(2)
        except click.ClickException as error:
            path = self.name
            if isinstance(error, click.UsageError) and error.ctx is not None:
                path = error.ctx.command_path
            text = " ".join(error.format_message().split())
            click.echo(f"{path}: {text.rstrip('.')}; see {path} --help", err=True)
            sys.exit(2)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raises `click.UsageError`, with a hint, where there is none."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command {args[0]!r}{suggestion(args[0], known)}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        try:
            command = import_module(COMMANDS[cmd_name][0]).command
        except ModuleNotFoundError as error:
            if error.name not in _POSIX:
                raise
            raise click.UsageError(
                f"{cmd_name} needs a POSIX system: this one has no {error.name}", ctx
            ) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table of commands from `COMMANDS` alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _replace_closed_streams() -> None:
    """Let a standard stream that is closed be empty, as for a program that cron or `<&-` runs.

    Else the next file or socket would get its number, and Python has None in its place.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for the whole process


@click.group(
    "recloser",
    cls=LazyGroup,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="recloser", prog_name="recloser")
def main() -> None:
    """Reconnection engine for WebSockets: draw it, ask it, test it.

    Exit status: 0 fine, 1 a finding, 2 bad input.
    """
