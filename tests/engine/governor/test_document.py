"""The examples of docs/governor.md run, as a reader would run them."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "governor.md").read_text(encoding="utf-8")


@pytest.mark.spec("M1.1", "M1.2")
def test_the_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 1
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/governor.md", "exec"), space)
