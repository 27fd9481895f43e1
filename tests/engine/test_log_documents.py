"""docs/logging.md names every event, and what it advises works."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recloser import change_line, log

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "logging.md").read_text(encoding="utf-8")


@pytest.mark.spec("I1.1")
def test_every_event_stands_in_the_table_and_no_other() -> None:
    events = {
        value
        for module in (log, change_line)
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("websocket.")
    }
    assert set(re.findall(r"^\| `(websocket\.\w+)` \|", TEXT, re.MULTILINE)) == events


@pytest.mark.spec("I1.1")
def test_the_table_names_every_field_of_a_change() -> None:
    [row] = [line for line in TEXT.splitlines() if line.startswith(f"| `{change_line.CHANGED}`")]
    named = {name for cell in re.findall(r"`([^`]+)`", row)[1:] for name in cell.split()}
    assert named == change_line.FIELDS


@pytest.mark.spec("I8")
def test_the_lines_behind_a_queue_arrive() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "log_queue.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "hello\n"
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["logger"] for line in lines} == {"recloser", "aiohttp.access"}
    changes = [line["to"] for line in lines if line["event"] == change_line.CHANGED]
    assert changes == ["connecting", "open", "closing", "closed"]
    assert {line["user"] for line in lines if line["logger"] == "recloser"} == {"ada"}
    block = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[-1]
    assert block in (ROOT / "examples" / "log_queue.py").read_text(encoding="utf-8")


@pytest.mark.spec("I8")
@pytest.mark.parametrize(("level", "shown"), [("INFO", 4), ("WARNING", 0), ("CRITICAL", 0)])
def test_a_script_that_configures_nothing_of_ours_keeps_its_standard_output(
    level: str, shown: int
) -> None:
    program = f"""
import asyncio, logging, recloser
from recloser.testing import Fault, ScriptedServer
logging.basicConfig(level=logging.INFO)
logging.getLogger("recloser").setLevel(logging.{level})
async def main():
    async with ScriptedServer([Fault(do="serve", times=0, send=["1"])]) as server:
        async with recloser.connect(server.url) as ws:
            print(await ws.receive())
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "1\n"
    ours = [line for line in done.stderr.splitlines() if ":recloser:" in line]
    assert len(ours) == shown
