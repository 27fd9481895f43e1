"""The examples of docs/budget.md run, one after the other, as a reader would run them."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "budget.md").read_text(encoding="utf-8")


@pytest.mark.spec("D9.2", "B14.6")
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/budget.md", "exec"), space)
    assert (tmp_path / "dials.db").exists()
