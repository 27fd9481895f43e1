"""The examples of docs/receiving.md run, and its bounds are those of the code."""

import re
from pathlib import Path
from typing import Any

import pytest

import recloser
from recloser.transport import receive_buffer

PAGE = (Path(__file__).parents[3] / "docs" / "receiving.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.spec("C3.3", "C3.8", "F7.5", "F7.6", "C5.1")
@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_runs(block: str) -> None:
    space: dict[str, Any] = {"recloser": recloser}
    exec(compile(block, "docs/receiving.md", "exec"), space)
    assert space.get("ws") is None or space["ws"].state is recloser.State.CLOSED


def test_the_bounds_are_those_of_the_code() -> None:
    assert (receive_buffer.LIMIT, receive_buffer.ARRIVED) == (512 * 1024, 2**20)
    assert receive_buffer.OVERHEAD == 128
    assert len(BLOCKS) == 6
