"""The blocks of a page, as a reader would run them."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    """Return the text of a page of docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(name: str, language: str = "python") -> list[str]:
    """Return the blocks of one language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)


def run(name: str, block: str, **space: Any) -> dict[str, Any]:
    """Run one block; returns the names that it leaves."""
    names = {"__name__": "example", **space}
    exec(compile(block, f"docs/{name}", "exec"), names)
    return names
