"""The examples of docs/journal.md run: an engine writes a journal, and a reader reads it."""

import re
from pathlib import Path
from typing import Any

import pytest

import recloser
from recloser.testing import ScriptedServer

PAGE = (Path(__file__).parents[3] / "docs" / "journal.md").read_text(encoding="utf-8")
WRITES, READS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.spec("I7")
async def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with ScriptedServer() as server:
        space: dict[str, Any] = {"recloser": recloser, "url": server.url}
        exec(compile(WRITES, "docs/journal.md", "exec"), space)
        async with space["ws"]:
            pass
    space["journal"].close()
    exec(compile(READS, "docs/journal.md", "exec"), space)
    assert space["entry"].change.current is recloser.State.CLOSED
    assert space["entry"].change.close == space["ws"].last_close
