"""Fills in what documents take from the live product.

A block between `<!-- $ recloser ... -->` and `<!-- $ -->` is the output of that command.
Run `python -m tests.policies.documents` to write it anew.
"""

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from recloser.cli import main

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT, GUIDE = DOCS / "policies.md", DOCS / "field.md"
_BLOCK = re.compile(r"(<!-- \$ recloser (?P<command>.+?) -->\n).*?(<!-- \$ -->)", re.DOTALL)


def filled(text: str) -> str:
    """The text with every block written anew."""

    def output(block: re.Match[str]) -> str:
        result = CliRunner().invoke(main, shlex.split(block["command"]), env={"COLUMNS": "100"})
        assert result.exit_code == 0, result.output
        printed = result.stdout.rstrip()
        if not printed.startswith("|"):
            printed = f"```text\n{printed}\n```"
        return f"{block[1]}\n{printed}\n\n{block[3]}"

    return _BLOCK.sub(output, text)


if __name__ == "__main__":
    for page in (DOCUMENT, GUIDE):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
