"""The examples of docs/moving.md run, one after the other, as a reader would run them."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "moving.md").read_text(encoding="utf-8")


@pytest.mark.spec("C3.9", "C3.13")
def test_the_examples_run() -> None:
    """On real sockets; the dial of the successor keeps the gap of one second."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/moving.md", "exec"), space)
