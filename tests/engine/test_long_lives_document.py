"""The examples of docs/long-lives.md run."""

import re
from pathlib import Path
from typing import Any

import pytest

import recloser

PAGE = (Path(__file__).parents[2] / "docs" / "long-lives.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.spec(
    "B21.1", "B21.4", "F11.1", "F11.4", "D10.1", "D10.2", "D10.4", "D10.6", "B22.2", "F12.1"
)
@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_runs(block: str) -> None:
    space: dict[str, Any] = {"recloser": recloser}
    exec("import asyncio\n" + block, space)


def test_the_page_has_examples() -> None:
    assert len(BLOCKS) == 9
