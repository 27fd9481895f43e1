"""The examples of docs/opening.md run, one after the other, as a reader would run them."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "opening.md").read_text(encoding="utf-8")


@pytest.mark.spec("G8.7", "G8.8", "G8.9", "E2.4")
def test_the_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/opening.md", "exec"), space)
