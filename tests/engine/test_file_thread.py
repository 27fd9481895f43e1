"""The thread that waits for a disk: one job after the other, and no longer than it is wanted."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from recloser.file_thread import FileThread


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "recloser test"]


def test_jobs_are_done_in_order_by_one_thread_that_the_first_starts() -> None:
    thread, done = FileThread("recloser test"), []
    assert not threads()
    for number in range(100):
        thread.do(lambda number=number: done.append((number, threading.get_ident())))
    thread.join()
    assert [number for number, _ in done] == list(range(100))
    assert len({ident for _, ident in done} | {threading.get_ident()}) == 2


def test_it_ends_when_it_is_forgotten_and_not_before_its_jobs_are_done() -> None:
    thread, go_on, done = FileThread("recloser test"), threading.Event(), []
    thread.do(go_on.wait)
    thread.do(lambda: done.append(1))
    [running] = threads()
    assert running.daemon
    del thread
    go_on.set()
    running.join()
    assert done == [1]


@pytest.mark.spec("J2.5")
async def test_what_is_called_in_a_loop_is_called_unless_it_is_closed() -> None:
    thread, done = FileThread("recloser test"), asyncio.Event()
    thread.do_for(asyncio.get_running_loop(), lambda: None, done.set)
    await done.wait()
    closed, told = asyncio.new_event_loop(), []
    closed.close()
    thread.do_for(closed, lambda: told.append("done"), lambda: told.append("called"))
    thread.join()
    assert told == ["done"]


LEFT_OPEN = """
import asyncio, socket, sys
import recloser
from recloser.journal import Journal

kept, folder = [], sys.argv[1]
sys.modules["kept until the interpreter ends"] = kept

async def main(url):
    ws = recloser.connect(
        url,
        outbox=recloser.Outbox(path=f"{folder}/outbox.db"),
        observers=[Journal(f"{folder}/journal.jsonl").bind("a")],
        budget=recloser.Budget((9, 60.0), path=f"{folder}/budget.db"),
    )
    kept.append(ws)
    ws.connect()
    await ws.wait_for(recloser.State.BACKOFF)
    for number in range(5):
        await ws.send(str(number))
    kept.extend(asyncio.ensure_future(ws.send(str(number))) for number in range(5, 9))
    await asyncio.sleep(0)

with socket.socket() as nobody:
    nobody.bind(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    kept.append(loop)
    loop.run_until_complete(main(f"ws://127.0.0.1:{nobody.getsockname()[1]}/"))
"""


@pytest.mark.spec("J2.5")
def test_a_process_ends_whose_outbox_journal_and_budget_were_never_closed(tmp_path: Path) -> None:
    """Their threads run no more while the interpreter ends, and from Python 3.13 on none ends."""
    command = [sys.executable, "-c", LEFT_OPEN, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as file:
        accepted = [(str(number),) for number in range(5)]
        assert [*file.execute("SELECT data FROM message")][:5] == accepted
    with closing(sqlite3.connect(tmp_path / "budget.db")) as file:
        assert [*file.execute("SELECT count(*) FROM dials")] == [(1,)]
    changes = [*map(json.loads, (tmp_path / "journal.jsonl").read_text().splitlines())]
    assert [each["to"] for each in changes] == ["connecting", "backoff"]


LATE = """
import sys, threading
from recloser.file_thread import FileThread

class Late:
    def __init__(self):
        self.thread, self.done = FileThread("recloser test"), threading.Event()
        self.thread.do(self.done.set)
        self.done.wait()

    def __del__(self):
        self.thread.wait()
        self.thread.join()
        sys.stdout.write("ended")

sys.modules["kept until the interpreter ends"] = Late()
"""


def test_nobody_waits_for_it_while_the_interpreter_ends() -> None:
    command = [sys.executable, "-c", LATE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "ended", done.stderr


FORK = """
import os, sqlite3, sys, threading
from recloser import file_thread

begun, forking, done = threading.Event(), threading.Event(), []
os.register_at_fork(before=forking.set)  # the latest registered is called first

def job():
    begun.set()
    if stuck:
        stuck.wait()
    forking.wait()
    file = sqlite3.connect(":memory:")
    file.execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 200000)"
                 " SELECT count(*) FROM n").fetchall()
    done.append(1)

thread, stuck = file_thread.FileThread("recloser test"), None
if sys.argv[1] == "stuck":
    stuck, file_thread.FORK_DEADLINE = threading.Event(), 0.0
thread.do(job)
begun.wait()
if not (child := os.fork()):
    again = []
    thread.do(lambda: again.append(1))
    thread.join()
    os._exit(10 * len(done) + len(again))
if stuck:
    stuck.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), done)
"""


@pytest.mark.spec("D9.7")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(("job", "said"), [("ends", "11 [1]\n"), ("stuck", "1 [1]\n")])
def test_a_fork_waits_for_the_job_under_way_but_not_for_ever(job: str, said: str) -> None:
    """In the child the file's locks would be held by a thread that is not there."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, job]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == said, done.stderr
