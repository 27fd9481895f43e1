"""docs/statistics.md: its example runs, and its figures are those of the code."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from recloser.statistics import baseline, detector, kinds

PAGE = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")


@pytest.mark.spec("I5.1", "I5.3")
def test_the_example_runs() -> None:
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space: dict[str, Any] = {}
    exec(compile(block, "docs/statistics.md", "exec"), space)
    assert space["closes"].counts() == Counter()
    assert space["closes"].alarms == []


def test_the_page_says_what_the_code_does() -> None:
    assert (baseline.SHORT.window, baseline.SHORT.window * baseline.SHORT.blocks) == (10, 90)
    assert baseline.LONG.window * baseline.LONG.blocks == 120
    assert (detector._WAVES, detector._LONG_WAVE, detector.MEMORY / detector.DAY) == (4, 45, 14)
    assert (kinds._PEERS, kinds._RULES, kinds._CODES) == (100, 100, 50)
