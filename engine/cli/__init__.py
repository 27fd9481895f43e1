"""The `recloser` command: a group that loads a subcommand's module when it is called."""

from importlib import import_module

import click

COMMANDS = {
    "diagram": ("recloser.cli.diagram", "Draw the live state machine."),
}
"""Name, module and one line of help; each module has a `command`."""


class LazyGroup(click.Group):
    """Lists its commands without importing them, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table of commands from `COMMANDS` alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="recloser", prog_name="recloser")
def main() -> None:
    """Reconnection engine for WebSockets: draw it, ask it, test it.

    Exit status: 0 fine, 1 a finding, 2 bad input.
    """
