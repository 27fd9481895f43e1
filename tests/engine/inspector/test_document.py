"""docs/inspector.md: its examples run, and its figures are those of the code."""

import re
from pathlib import Path
from typing import Any

import pytest

import recloser
from recloser.inspector import inspector, site

PAGE = (Path(__file__).parents[3] / "docs" / "inspector.md").read_text(encoding="utf-8")


@pytest.mark.spec("I9.4")
def test_the_examples_run() -> None:
    space: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/inspector.md", "exec"), space)
    assert space["inspector"].engine("ada") is space["ada"]
    assert space["ada"].state is recloser.State.CLOSED


def test_the_page_says_what_the_code_does() -> None:
    assert (inspector.PAGES, inspector.MOST, inspector.RECENT) == (20, 20_000, 2_000)
    assert inspector.EVERY == 0.25
    assert len(site._FILES) == 5
