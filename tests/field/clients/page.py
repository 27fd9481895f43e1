"""The page of the clients that users come from, made from the results of the runs."""

import json
import re
from pathlib import Path
from typing import Any

from recloser.cli.tables import markdown_table

DATA = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[3] / "docs" / "other-clients.md"
ENDS = ("1000", "1001", "1006", "1012", "4001", "401", "503", "lost")
_TABLE = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)
_SHOWN, _MANY = 3, 50


def cell(dials: list[float]) -> str:
    """The gaps between an end and the dials behind it, in seconds; "never" if there is none."""
    if not dials:
        return "never"
    if len(dials) > _MANY:
        return f"{len(dials)} dials"
    shown = ", ".join(f"{each:g}" for each in dials[:_SHOWN])
    return f"{shown} ..." if len(dials) > _SHOWN else shown


def filled(text: str) -> str:
    """The page with its table written anew."""
    results: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    rows = [
        (
            f"{name} {found['version']}",
            *(cell(found["ends"][end]["dials"]) for end in ENDS),
            found["note"],
        )
        for name, found in results.items()
    ]
    table = markdown_table(("client", *ENDS, ""), rows)
    return _TABLE.sub(lambda match: f"{match[1]}\n{table}\n\n{match[2]}", text)


def write() -> None:
    """Write the page anew."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
