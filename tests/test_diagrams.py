"""The committed pictures, and those in the documentation, are what the machine gives now.

Text is compared byte for byte. An SVG has other coordinates with another Graphviz or other
fonts, so its content is compared: every box and arrow, with the same words, once.
"""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from recloser.cli import main
from recloser.diagram.mermaid import mermaid
from recloser.diagram.picture import Picture, live_rows
from recloser.diagram.text import text
from tests.tools.diagram.reading import dot_groups, svg_groups

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = {
    name: shlex.split(arguments)
    for arguments, name in re.findall(
        r"^\t\$\(DRAW\) (.*) -o diagrams/(\S+)$", MAKEFILE, re.MULTILINE
    )
}
SUBJECTS = ("machine", "standard", "close-event", "outbox")


def drawn(arguments: list[str]) -> str:
    result = CliRunner().invoke(main, ["diagram", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def committed(name: str) -> bytes:
    return (ROOT / "diagrams" / name).read_bytes()


@pytest.mark.spec("L1.1")
@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.endswith(".svg")])
def test_texts_are_up_to_date(name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    drawn([*COMMANDS[name], "-o", str(out)])
    assert committed(name) == out.read_bytes(), "run `make diagrams` and look at what changed"


@pytest.mark.spec("L1.1")
@pytest.mark.parametrize("name", [name for name in COMMANDS if name.endswith(".svg")])
def test_pictures_show_what_the_machine_has(name: str) -> None:
    arguments = ["dot" if each == "svg" else each for each in COMMANDS[name]]
    assert svg_groups(committed(name)) == dot_groups(drawn(arguments)), "run `make diagrams`"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.endswith(".svg")])
def test_pictures_have_the_colours_of_their_theme(name: str) -> None:
    arguments = ["dot" if each == "svg" else each for each in COMMANDS[name]]
    colours = set(re.findall(r"#[0-9a-f]{6}", drawn(arguments)))
    assert set(re.findall(r"#[0-9a-f]{6}", committed(name).decode())) == colours


def test_what_is_committed_is_what_make_draws() -> None:
    assert {path.name for path in (ROOT / "diagrams").iterdir()} == {*COMMANDS, "README.md"}
    for subject in SUBJECTS:
        for rest in (".mmd", ".dot", "-terminal.txt", "-light.svg", "-dark.svg"):
            assert subject + rest in COMMANDS


def test_the_folder_shows_each_of_them() -> None:
    page = (ROOT / "diagrams" / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"({name})" in page or f'"{name}"' in page, f"{name} is not shown"


def test_the_design_shows_the_same_picture() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    picture = Picture(rows=live_rows())
    assert f"```mermaid\n{mermaid(picture)}```\n" in design
    assert f"```text\n{text(picture)}```\n" in design
