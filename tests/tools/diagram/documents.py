"""Fills in the pictures of the live machine that documents show.

Run `python -m tests.tools.diagram.documents` to write them anew: the Mermaid picture and the
matrix in README.md and docs/design.md, and the output of each command in docs/diagrams.md.
"""

import os
import re
import shlex
import tempfile
from pathlib import Path

from click.testing import CliRunner

from recloser.cli import main
from recloser.diagram.mermaid import mermaid
from recloser.diagram.picture import Picture
from recloser.diagram.text import text

ROOT = Path(__file__).parents[3]
_OUTPUT = re.compile(r"^(\$ recloser (?P<command>.+)\n)(?:(?!\$ |```).*\n)+", re.MULTILINE)


def pictures(page: str) -> str:
    """The page with the present pictures of the machine."""
    drawn = {"mermaid\n%%": mermaid(Picture()), "text\nDrawn": text(Picture())}
    for head, picture in drawn.items():
        language = head.partition("\n")[0]
        block = f"```{language}\n{picture}```"
        literal = block.replace("\\", r"\\")
        page = re.sub(f"```{head}.*?```", literal, page, flags=re.DOTALL)
    return page


def outputs(page: str) -> str:
    """The page with the present output of each command that shows some."""

    def output(shown: re.Match[str]) -> str:
        result = CliRunner().invoke(main, shlex.split(shown["command"]), prog_name="recloser")
        return f"{shown[1]}{result.output.rstrip()}\n"

    [journal] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("feed.jsonl").write_text(journal, encoding="utf-8")
            return _OUTPUT.sub(output, page)
        finally:
            os.chdir(here)


if __name__ == "__main__":
    for name, fill in (
        ("README.md", pictures),
        ("docs/design.md", pictures),
        ("docs/diagrams.md", outputs),
    ):
        path = ROOT / name
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
