"""docs/logging.md names every event, and what it advises works."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import Close, Retry, State, change_line, log
from recloser.clock import RUNNING
from recloser.fsm.errors import PolicyError
from recloser.statistics import CloseAlarm, EndKind
from recloser.statistics.detector import facts_of
from tests.engine.journal.changes import LOST

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "logging.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| `websocket.")]


@pytest.mark.spec("I1.5")
def test_every_event_stands_in_the_table_and_no_other() -> None:
    events = {
        value
        for module in (log, change_line)
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("websocket.")
    }
    assert set(re.findall(r"^\| `(websocket\.\w+)` \|", TEXT, re.MULTILINE)) == events


BOUND = {"session": "s-1", "user": 7}
POLICY_ERROR = PolicyError(LOST.close, LOST.context, None, "raised ZeroDivisionError")
POLICY_ERROR.__cause__ = ZeroDivisionError("division by zero")
ALARM = CloseAlarm(
    kind=EndKind(1000, None, "peer", intentional=False),
    reading="sessions expire",
    since=0.0,
    count=90,
    usual=30.0,
    window=600.0,
)


def failure(event: str) -> Any:
    """A line of one of the events about code that failed."""
    return lambda: log.failure(event, BOUND, "who", OSError(28, "No space left"))


WRITERS = {
    log.BACKLOGGED: lambda: log.ReadingPaused(BOUND)(3),
    log.OVERFLOWED: lambda: log.receive_buffer_full(BOUND, 4096),
    log.PINGS_MISSED: lambda: log.PingsMissed(BOUND)(1, answered_before=True),
    log.UNDELIVERED: lambda: log.messages_undelivered(BOUND, 2),
    log.DROPPED: lambda: log.messages_dropped(BOUND, "oldest", 1, 10, asked=False),
    log.UNREADABLE: lambda: log.outbox_unreadable(BOUND, "outbox.db", OSError(5, "damaged")),
    log.NOT_SAVED: lambda: log.outbox_not_saved(BOUND, "outbox.db", OSError(28, "full")),
    log.SUSPECTED: lambda: log.messages_suspected(BOUND, 2),
    log.OVERDUE: lambda: log.messages_overdue(BOUND, 2, 30.0),
    log.RATE_UNUSUAL: lambda: log.close_rate_unusual(BOUND, facts_of(ALARM)),
    log.RATE_USUAL: lambda: log.close_rate_usual(BOUND, facts_of(ALARM)),
    log.LEASE_WON: lambda: log.lease_won(BOUND, "prices", 7),
    log.LEASE_LOST: lambda: log.lease_lost(BOUND, "prices", 7, foreign=False),
    log.STORE_UNREACHABLE: lambda: log.store_unreachable(BOUND, "prices", OSError(111, "refused")),
    log.STORE_REACHED: lambda: log.store_reached(BOUND, "prices"),
    log.BUDGET_NOT_SAVED: lambda: log.budget_not_saved(BOUND, "dials.db", OSError(28, "full")),
    log.SUSPECTED: lambda: log.messages_suspected(BOUND, 3),
    log.JOURNAL_NOT_WRITTEN: lambda: log.journal_not_written(BOUND, "j.jsonl", OSError(28, "full")),
    log.JOURNAL_WRITTEN: lambda: log.journal_written(BOUND, "j.jsonl", 3),
    log.SESSION_LIMIT: lambda: log.session_limit(BOUND, age=60.0, waited=0.0, quiet=True),
    log.MOVE_FAILED: lambda: log.move_failed(BOUND, Close.cut(), Retry(5.0, rule="later")),
    log.TASK_STUCK: lambda: log.task_stuck(BOUND, "poller", 5.0),
    log.LISTENER_SLOW: lambda: log.slow_listener(BOUND, "who", 0.2),
    change_line.CHANGED: lambda: log.state_change(LOST, RUNNING, BOUND),
    change_line.POLICY_FAILED: lambda: log.state_change(
        LOST._replace(current=State.CLOSED, error=POLICY_ERROR), RUNNING, BOUND
    ),
}
"""How the lines of an event are written; those of a failure are all written by `log.failure`."""


@pytest.mark.spec("I1.2", "I1.5")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("`")[1])
def test_a_line_has_the_level_and_the_fields_that_its_row_says(row: str) -> None:
    _, event, level, _, fields, _ = (cell.strip() for cell in row.split("|"))
    event = event.strip("`")
    named = {name for cell in re.findall(r"`([^`]+)`", fields) for name in cell.split()}
    with capture_logs() as lines:
        WRITERS.get(event, failure(event))()
    [line] = lines
    found = set(line) - {"event", "log_level", *BOUND}
    assert line["event"] == event
    assert line["log_level"] in re.findall(r"info|warning|error", level)
    assert {name: line[name] for name in BOUND} == BOUND
    if event == change_line.CHANGED:
        assert named == change_line.FIELDS - {"exception"}
        assert named - found == set(change_line.IF_KNOWN) - {"exception"}
    elif event == change_line.POLICY_FAILED:
        assert named <= found
    else:
        assert named == found
    assert "who" not in found or "took" in found or line["exception"].startswith("OSError")


@pytest.mark.spec("I8")
def test_the_lines_behind_a_queue_arrive() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "log_queue.py"],
        capture_output=True,
        text=True,
        timeout=120,
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
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "1\n"
    ours = [line for line in done.stderr.splitlines() if ":recloser:" in line]
    assert len(ours) == shown


def test_the_first_example_silences_recloser_alone() -> None:
    block = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
    asks = "print([logging.getLogger(n).isEnabledFor(logging.ERROR) for n in ('recloser', 'x')])"
    done = subprocess.run(
        [sys.executable, "-c", f"{block}\n{asks}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[False, True]\n"
