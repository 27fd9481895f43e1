"""docs/diagrams.md: every example runs, and prints what the page shows."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from recloser.cli import main
from recloser.cli.diagram import FORMATS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "diagrams.md").read_text(encoding="utf-8")
EXAMPLES = [
    part.partition("\n")
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for part in re.split(r"^\$ recloser ", block, flags=re.MULTILINE)[1:]
]


@pytest.mark.spec("L1")
@pytest.mark.parametrize(("command", "output"), [(c, o) for c, _, o in EXAMPLES])
def test_the_example_runs_and_prints_this(
    command: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = shlex.split(command)
    if {"svg", "png"} & {part for each in arguments for part in each.split(".")}:
        pytest.importorskip("pygraphviz")
    [journal] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "feed.jsonl").write_text(journal, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments, prog_name="recloser")
    assert result.exit_code == (2 if output.startswith("recloser diagram:") else 0)
    if output:
        assert result.output.rstrip() == output.rstrip()
    if "-o" in arguments:
        assert (tmp_path / arguments[arguments.index("-o") + 1]).stat().st_size > 1000


def test_every_format_is_explained() -> None:
    for kind in FORMATS:
        assert f"`{kind}`" in PAGE


def test_every_option_is_explained() -> None:
    command = main.get_command(click.Context(main), "diagram")
    assert command is not None
    names = {name for each in command.params for name in each.opts if name.startswith("--")}
    assert not [name for name in names - {"--format", "--output"} if f"`{name}" not in PAGE]


def test_the_pictures_it_shows_exist() -> None:
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file()
