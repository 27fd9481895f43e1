"""docs/start.md: what it prints stands in the tree, and runs."""

import re
import shlex
from importlib import import_module

import pytest
from click.testing import CliRunner

from recloser.cli import COMMANDS, main
from tests.docs.blocks import ROOT, blocks, run

QUICKSTART, WHOLE = blocks("start.md")


def test_the_first_example_is_the_one_in_the_tree() -> None:
    """`tests/examples/test_examples.py` runs it against a server."""
    assert (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8") == QUICKSTART


@pytest.mark.spec("E1", "G3")
def test_the_whole_client_runs() -> None:
    run("start.md", WHOLE)


def test_the_commands_are_understood_or_print_what_stands_there() -> None:
    text = "".join(blocks("start.md", "console"))
    served = re.findall(r"recloser (serve .*)", text)
    for line in served:
        name, *words = shlex.split(line)
        with import_module(COMMANDS[name][0]).command.make_context(name, words):
            pass  # it would serve until Ctrl-C
    [(line, printed)] = re.findall(r"^\$ recloser (.*)\n((?:.+\n)+)", text, re.MULTILINE)
    assert served
    assert CliRunner().invoke(main, shlex.split(line)).output == printed
