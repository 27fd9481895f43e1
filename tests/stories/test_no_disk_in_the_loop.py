"""The thread of an event loop opens no file while an engine lives: an audit hook of Python sees it.

In a process of its own, since a hook cannot be taken away.
"""

import subprocess
import sys
from pathlib import Path

import pytest

LIVES = """
import asyncio, sys, threading
from pathlib import Path

import recloser
from recloser import Budget, Outbox, Retry, State, Stop
from recloser.inspector import Inspector
from recloser.journal import Journal
from recloser.statistics import CloseStatistics
from recloser.testing import Fault, ScriptedServer

loop_thread, opened = threading.get_ident(), None
OPENING = ("open", "sqlite3.connect", "os.listdir", "os.scandir", "os.remove", "os.rename")


def hook(event, arguments):
    if opened is not None and event in OPENING and threading.get_ident() == loop_thread:
        opened.append((event, str(arguments[0])))


class Quick:
    def decide(self, close, context):
        return Stop(rule="asked") if close.intentional else Retry(0.01, rule="quick")


async def main(folder, transport):
    global opened
    faults = [
        Fault(do="close", code=1012, reason="restart", after=0.05),
        Fault(do="cut", after=0.05),
        Fault(do="refuse", status=503, headers={"Retry-After": "0"}),
        Fault(do="serve"),
    ]
    async with ScriptedServer(faults) as server:
        journal = Journal(folder / "journal.jsonl")
        budget = Budget((1000, 60.0), path=folder / "dials.db")
        ws = recloser.connect(
            server.url,
            transport=transport,
            policy=Quick(),
            outbox=Outbox(path=folder / "outbox.db"),
            budget=budget,
            observers=[journal, CloseStatistics()],
        )
        Inspector().watch("feed", ws)
        there = asyncio.Event()
        ws.subscribe(lambda change: there.set() if change.generation == 4 else None)
        ws.connect()
        opened = []
        for number in range(20):
            await ws.send(f"early {number}")
        await there.wait()
        await ws.wait_for(State.OPEN)
        await ws.send("late")
        await ws.drain()
        found, opened = opened, None
        await ws.close()
        await asyncio.to_thread(journal.close)
        print(found)


sys.addaudithook(hook)
asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.spec("G11", "D9.5", "I7.1", "I3.6")
@pytest.mark.parametrize("transport", ["aiohttp", "picows"])
def test_the_loop_opens_nothing(tmp_path: Path, transport: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIVES, tmp_path, transport],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert (tmp_path / "journal.jsonl").stat().st_size > 2000
