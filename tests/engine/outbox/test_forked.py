"""A process that was forked leaves the file to its parent, whatever it does and however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.outbox.files import rows

PROGRAM = """
import asyncio, os, selectors, signal, sys
import recloser
from recloser import Close, Delivery, Outbox, OutboxInUse, State
from recloser.testing import Plan, ScriptedTransport

how, path = sys.argv[1:]

def engine():
    transport = ScriptedTransport([Plan(refused=Close.refused(503))] * 50)
    policy = recloser.policies.standard()
    return recloser.connect(
        "ws://feed.example", transport=transport, policy=policy, outbox=Outbox(path=path)
    )


async def another():
    engine().connect()


async def child(ws):
    try:
        if how == "another":
            asyncio.run(another())
        elif how == "send":
            await ws.send("child")
    except OutboxInUse:
        os._exit(3)
    os._exit(1)


def fork_in_callback():
    # In a callback: Python 3.14 loses the end of a child in a task, and the loop there goes on.
    loop = asyncio.get_running_loop()
    found = loop.create_future()

    def fork():
        pid = os.fork()
        if not pid:
            sys.exit(3)
        found.set_result(pid)

    loop.call_soon(fork)
    return found


async def main():
    ws = engine()
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    assert await ws.send("before") is Delivery.QUEUED
    late = asyncio.ensure_future(ws.send("meanwhile"))
    await asyncio.sleep(0)
    pid = await fork_in_callback() if how == "end" else os.fork()
    if not pid:
        await child(ws)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert await late is Delivery.QUEUED
    assert await ws.send("after") is Delivery.QUEUED
    print("done", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


# A child that closes its copy of an `epoll` would close it in the parent, too.
def loop():
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


with asyncio.Runner(loop_factory=loop) as runner:
    runner.run(main())
"""
"""It is killed at last, so that only what is in the file, and in the log beside it, is left."""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # Python 3.12 and later warn of a fork beside a thread, which is what is tried.
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.spec("G13")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("how", ["send", "another", "end"])
def test_what_a_fork_does_changes_nothing_in_the_file_of_its_parent(path: Path, how: str) -> None:
    """Its end removed the log of SQLite, and what its parent accepted after that was lost."""
    done = run(PROGRAM, how, str(path))
    assert (done.stdout[-5:], done.returncode) == ("done\n", -signal.SIGKILL), done.stderr
    assert rows(path) == [(1, "before"), (2, "meanwhile"), (3, "after")]


COLLECTED = """
import gc, os, signal, sys
from recloser.outbox.file.database import Database
from recloser.outbox.file.stored_message import StoredMessage

files = [Database(sys.argv[1], fsync=False)]
files[0].write([StoredMessage(1, None, None, "before", None, 0)], {}, ())
pid = os.fork()
if not pid:
    files.clear()
    gc.collect()
    sys.exit(3)
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 3
files[0].write([StoredMessage(2, None, None, "after", None, 0)], {}, ())
print("done", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
"""A child in which nobody has the file any more: its connection would be closed with the object."""


@pytest.mark.spec("G13")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_lets_go_of_the_file_does_not_close_it(path: Path) -> None:
    done = run(COLLECTED, str(path))
    assert (done.stdout, done.returncode) == ("done\n", -signal.SIGKILL), done.stderr
    assert rows(path) == [(1, "before"), (2, "after")]
