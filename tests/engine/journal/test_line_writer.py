"""The thread of a journal: a disk that stalls, the end of a process, forks and kills (I7).

A named pipe that nobody empties is the disk that stalls.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from recloser import State
from recloser.journal import Journal, Reader, line_writer
from recloser.journal.line_writer import LineWriter, changes_lost
from tests.engine.journal.changes import LOST, OPENED
from tests.engine.rig import KICKED, UP, opened, turns, virtual

ROOT = Path(__file__).parents[3]
FULL = "/dev/full"
STAMP = "2026-01-01T00:00:00.000000+00:00"

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")


class Pipe:
    """A named pipe that takes nothing until `drain`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.filled = 0

    def stall(self) -> None:
        """Fill it to the brim: the next write waits."""
        writing = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        while True:
            try:
                self.filled += os.write(writing, b"\n")
            except BlockingIOError:
                break
        os.close(writing)

    def drain(self) -> list[bytes]:
        """Take everything until the last writer has closed it; return the lines."""
        os.set_blocking(self._end, True)
        with open(self._end, "rb", closefd=False) as file:
            return file.read()[self.filled :].splitlines()

    def close(self) -> None:
        os.close(self._end)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    found = Pipe(tmp_path / "pipe")
    yield found
    found.close()


def entries(lines: list[bytes]) -> tuple[Reader, list]:
    reader = Reader(BytesIO(b"\n".join(lines)))
    return reader, list(reader)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_writer, "DEADLINE", 0.05)


@pytest.mark.spec("I7.1", "I7.2", "I7.5", "I3.6")
@virtual
async def test_the_event_loop_goes_on_while_the_disk_stalls(pipe, monkeypatch):
    impatient(monkeypatch)
    journal, seen = Journal(pipe.path), []
    pipe.stall()
    ws, wire, _ = await opened(UP, UP, observers=[journal, seen.append])
    wire.end(KICKED)
    await turns()
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.close()
    assert len(seen) == 7
    assert journal.lost == 0
    with pytest.raises(TimeoutError, match="has not answered within"):
        journal.flush()
    with capture_logs() as logs:
        journal.close()
    assert [line["event"] for line in logs] == ["websocket.journal_not_written"]
    assert logs[0]["path"] == str(pipe.path)
    assert "has not answered" in logs[0]["error"]
    _, found = entries(pipe.drain())  # until the thread has closed it
    assert [entry.change for entry in found] == seen


@pytest.mark.spec("I7.3", "I7.4")
def test_what_finds_no_room_is_lost_and_told_in_its_place(pipe, monkeypatch):
    impatient(monkeypatch)
    monkeypatch.setattr(line_writer, "WAITING", 4000)
    before = changes_lost()
    with capture_logs() as logs:
        journal = Journal(pipe.path)
        pipe.stall()
        for _ in range(100):
            journal(OPENED)
        lost = journal.lost
        assert 80 < lost < 100
        assert changes_lost() - before == lost
        journal.close()
        reader, found = entries(pipe.drain())
    assert (len(found), reader.lost) == (100 - lost, lost)
    assert journal.lost == 0
    assert [(line["event"], line.get("lost")) for line in logs] == [
        ("websocket.journal_not_written", None),  # the first that found no room
        ("websocket.journal_not_written", None),  # `close` did not wait longer
        ("websocket.journal_written", lost),
    ]
    assert "bytes wait" in logs[0]["error"]


@pytest.mark.spec("I7.3")
def test_a_line_that_is_longer_than_all_that_may_wait_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(line_writer, "WAITING", 10)
    path = tmp_path / "x"
    with Journal(path) as journal:
        for _ in range(3):
            journal(LOST)
            journal.flush()
        assert journal.lost == 0
    assert len(entries(path.read_bytes().splitlines())[1]) == 3


class Disk:
    """A destination that takes `room` bytes, and fails when they are used up."""

    name = "disk"
    torn = False

    def __init__(self) -> None:
        self.room = 0
        self.content = b""

    def open(self) -> None:
        if self.room < 0:
            raise PermissionError("not now")

    def write(self, data: bytes) -> int:
        if self.room <= 0:
            raise OSError("no room")
        taken = data[: self.room]
        self.room -= len(taken)
        self.content += taken
        self.torn = not taken.endswith(b"\n")
        return len(taken)

    def close(self) -> None:
        pass


@pytest.mark.spec("I7.2", "I7.4")
@given(
    st.lists(
        st.integers(-1, 300).map(lambda room: ("room", room))
        | st.sampled_from([("write", 1), ("write", 3), ("lose", 1), ("flush", 0), ("reopen", 0)]),
        max_size=40,
    )
)
def test_whatever_a_disk_refuses_each_change_is_written_once_or_counted(steps):
    disk, told = Disk(), 0
    writer = LineWriter(disk, {})
    for step, number in steps:
        match step:
            case "room":
                writer.flush()  # or the thread would read it while it changes
                disk.room = number
            case "write":
                for _ in range(number):
                    told += 1
                    writer.write(f'{{"v":1,"trigger":{told}}}\n', STAMP)
            case "lose":
                told += 1
                writer.lose()
            case "flush":
                writer.flush()
            case "reopen":
                writer.reopen()
    writer.flush()
    disk.room = 10**6
    writer.flush()
    assert writer.lost == 0
    writer.close()
    place = 0
    for line in disk.content.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue  # it went in part, and a line behind it counts it
        place += found.get("lost", 1)
        assert found.get("trigger", place) == place
    assert place == told


@pytest.mark.spec("I7.2")
def test_threads_share_a_journal(tmp_path):
    path = tmp_path / "x"
    with Journal(path) as journal:
        bound = [journal.bind(str(number)) for number in range(4)]
        threads = [
            threading.Thread(target=lambda each=each: [each(LOST) for _ in range(200)])
            for each in bound
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    reader, found = entries(path.read_bytes().splitlines())
    assert (reader.broken, len(found)) == (0, 800)
    for number in range(4):
        assert sum(entry.engine == str(number) for entry in found) == 200


@pytest.mark.spec("I7.5")
def test_a_journal_belongs_to_no_loop(tmp_path):
    path, seen = tmp_path / "x", []
    journal = Journal(path)

    async def live() -> None:
        ws, _, _ = await opened(observers=[journal, seen.append])
        await ws.close()

    for _ in range(2):
        virtual(live)()
    journal.close()
    assert [entry.change for entry in entries(path.read_bytes().splitlines())[1]] == seen
    assert len(seen) == 8


def started(program: str, path: Path) -> "subprocess.Popen[str]":
    """Another process that has opened a journal at this path."""
    head = (
        "import os, sys\n"
        "from recloser.journal import Journal, line_writer\n"
        "from tests.engine.journal.changes import LOST, OPENED\n"
        "journal = Journal(sys.argv[1])\n"
    )
    return subprocess.Popen(
        # Python 3.12 and later warn of a fork beside a thread, which is what is tried.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", head + program, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> str:
    """What it says on standard error; it ends with status 0."""
    _, told = process.communicate()
    assert process.returncode == 0
    return told


@pytest.mark.spec("I7.5")
@pytest.mark.parametrize("forgotten", ["", "del journal\n"])
def test_all_is_written_when_a_process_ends_that_closes_nothing(tmp_path, forgotten):
    path = tmp_path / "x"
    program = "for _ in range(1000):\n    journal(LOST)\n"
    assert ended(started(program + forgotten, path)) == ""
    assert len(entries(path.read_bytes().splitlines())[1]) == 1000


@pytest.mark.spec("I7.5")
def test_a_disk_that_stalls_keeps_no_process_from_ending(pipe):
    pipe.stall()
    program = "line_writer.DEADLINE = 0.1\nfor _ in range(10):\n    journal(LOST)\n"
    told = ended(started(program, pipe.path))
    assert "websocket.journal_not_written" in told
    assert "has not answered within 0.1 s" in told


@pytest.mark.spec("I7.6")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_writes_nothing_twice_and_goes_on(pipe):
    """The parent's lines wait for the disk while it forks.

    A pipe keeps what one call writes together up to 4 KiB alone, so there are few lines.
    """
    pipe.stall()
    program = (
        "import warnings\n"  # CPython from 3.12 on warns of each fork beside a thread
        "warnings.filterwarnings('ignore', 'This process .* multi-threaded', DeprecationWarning)\n"
        "parent, child = journal.bind('parent'), journal.bind('child')\n"
        "for _ in range(3):\n    parent(OPENED)\n"
        "forked = os.fork()\n"
        "for _ in range(3):\n    (parent if forked else child)(OPENED)\n"
        "print(flush=True)\n"
        "if forked:\n    os.waitpid(forked, 0)\n"
    )
    process = started(program, pipe.path)
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()  # both have written, and wait for the disk
    lines = pipe.drain()
    assert ended(process) == ""
    reader, found = entries(lines)
    assert (reader.broken, reader.lost) == (0, 0)
    assert sum(entry.engine == "parent" for entry in found) == 6
    assert sum(entry.engine == "child" for entry in found) == 3


@pytest.mark.spec("I7.7")
def test_a_killed_process_leaves_whole_lines_and_the_next_one_ends_the_last(tmp_path):
    path = tmp_path / "x"
    program = (
        "for _ in range(100):\n    journal(LOST)\n"
        "journal.flush()\n"
        "print(flush=True)\n"
        "while True:\n    journal(LOST)\n"
    )
    process = started(program, path)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    reader, found = entries(path.read_bytes().splitlines())
    assert len(found) >= 100
    assert reader.broken <= 1
    with Journal(path) as journal:
        journal(OPENED)
    again, more = entries(path.read_bytes().splitlines())
    assert (len(more), again.broken) == (len(found) + 1, reader.broken)


@pytest.mark.spec("I7.4")
def test_where_no_thread_can_be_started_a_change_is_lost_and_the_next_one_is_not(tmp_path):
    path = tmp_path / "x"
    with capture_logs() as logs, Journal(path) as journal:
        before = threading.stack_size(2**46)  # more than there is: the system starts no thread
        try:
            journal(OPENED)
        finally:
            threading.stack_size(before)
        assert journal.lost == 1
        journal(OPENED)
    assert "can't start new thread" in logs[0]["error"]
    reader, found = entries(path.read_bytes().splitlines())
    assert (len(found), reader.lost) == (1, 1)


@pytest.mark.spec("I7.5")
def test_where_no_thread_can_be_started_the_caller_tells_what_is_lost_and_closes(tmp_path):
    path = tmp_path / "x"
    before = threading.stack_size(2**46)
    try:
        with capture_logs() as logs, Journal(path) as journal:
            journal(OPENED)
            path.unlink()
            journal.reopen()
            journal.flush()
            assert journal.lost == 0
            journal(OPENED)
    finally:
        threading.stack_size(before)
    reader, found = entries(path.read_bytes().splitlines())
    assert (found, reader.lost) == ([], 2)
    assert [line["event"] for line in logs] == [
        *("websocket.journal_not_written", "websocket.journal_written"),
    ] * 2


@pytest.mark.spec("I7.4")
def test_a_path_that_cannot_be_opened_again_is_told_and_tried_again(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "x"
    with capture_logs() as logs, Journal(path) as journal:
        path.unlink()
        folder.rmdir()
        journal.reopen()
        journal(OPENED)
        journal.flush()
        assert journal.lost == 1
        folder.mkdir()
        journal(OPENED)
    assert [line["event"] for line in logs] == [
        *["websocket.journal_not_written"] * 2,
        "websocket.journal_written",
    ]
    assert "No such file" in logs[0]["error"]
    reader, found = entries(path.read_bytes().splitlines())
    assert (len(found), reader.lost) == (1, 1)


@pytest.mark.spec("J1.2")
def test_the_thread_ends_with_its_journal(tmp_path):
    journal = Journal(tmp_path / "x")
    journal(OPENED)
    journal.close()
    forgotten = Journal(tmp_path / "y")
    forgotten(OPENED)
    forgotten.flush()
    with pytest.warns(ResourceWarning, match="unclosed file"):
        del forgotten
    for thread in threading.enumerate():
        if thread.name == "recloser journal":
            thread.join()


@pytest.mark.spec("I1.4")
@pytest.mark.skipif(not Path(FULL).exists(), reason=f"there is no {FULL} here")
def test_a_line_of_the_log_that_cannot_be_written_stops_no_thread():
    def fails(*_: object) -> NoReturn:
        raise OSError("no room")

    told = []

    def hears(record: logging.LogRecord) -> bool:
        told.append(record.getMessage())
        return False

    structlog.configure(processors=[fails])
    logging.getLogger("asyncio").addFilter(hears)
    try:
        with Journal(FULL) as journal:
            journal(LOST)
            journal.flush()
            journal(LOST)
            journal.flush()
            assert journal.lost == 2
    finally:
        structlog.reset_defaults()
        logging.getLogger("asyncio").removeFilter(hears)
    assert told == ["recloser could not log websocket.journal_not_written"]


def test_what_is_closed_can_be_flushed_and_closed_again(tmp_path):
    journal = Journal(tmp_path / "x")
    journal(OPENED)
    journal.close()
    journal.flush()
    journal.reopen()
    journal.close()


async def test_who_may_not_wait_flushes_in_a_thread(tmp_path):
    with Journal(tmp_path / "x") as journal:
        journal(OPENED)
        await asyncio.to_thread(journal.flush)
        assert (tmp_path / "x").stat().st_size > 0


@pytest.mark.spec("I7.4")
def test_a_stream_that_ends_its_thread_loses_what_it_refused_and_no_more() -> None:
    class Exits(StringIO):
        tried = 0

        def write(self, text: str) -> int:
            self.tried += 1
            if self.tried == 1:
                sys.exit("the reader of the pipe has gone")  # as tools do
            return super().write(text)

    stream = Exits()
    with Journal(stream) as journal:
        journal(OPENED)
        journal.flush()
        journal(LOST)
        journal.flush()
        told, line = map(json.loads, stream.getvalue().splitlines())
    assert told["lost"] == 1
    assert line["trigger"] == LOST.trigger.value
