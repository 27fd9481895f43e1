"""docs/cli.md names every command and every option of the terminal client."""

import re
from importlib import import_module
from pathlib import Path

import click

from recloser.cli import COMMANDS

TEXT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")


def test_every_command_has_a_row() -> None:
    rows = re.findall(r"^\| `recloser (\w+)", TEXT, re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_every_option_of_connect_has_a_row() -> None:
    section = TEXT[TEXT.index("## `recloser connect URL`") :]
    told = set(
        re.findall(r"--[\w-]+", "".join(re.findall(r"^\| `-.*?`.*?\|", section, re.MULTILINE)))
    )
    options = import_module(COMMANDS["connect"][0]).command.params
    assert told == {
        name
        for each in options
        if isinstance(each, click.Option)
        for name in each.opts
        if name.startswith("--")
    }
