"""The journal's file: shared, appended to, and of no harm when it cannot be written (I7)."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from recloser import Context, State
from recloser.fsm import Phase
from recloser.journal import Journal, Reader
from recloser.journal.line_writer import changes_lost
from tests.engine.journal.changes import LOST, OPENED
from tests.engine.rig import KICKED, UP, Answering, engine, opened, turns, virtual

FULL = "/dev/full"
"""Every write to it fails with ENOSPC (Linux)."""


def reader(path: Path) -> tuple[Reader, list]:
    with path.open("rb") as file:
        found = Reader(file)
        return found, list(found)


@pytest.mark.spec("I7")
@virtual
async def test_an_engine_writes_what_it_lives_through(tmp_path):
    path = tmp_path / "feed.jsonl"
    policy = Answering()
    with Journal(path, engine="ada", fields={"user": "ada"}) as journal:
        seen = []
        ws, wire, _ = await opened(policy=policy, observers=[journal, seen.append])
        wire.end(KICKED)
        await turns()
        await ws.close()
    _, entries = reader(path)
    assert [entry.change for entry in entries] == seen
    assert {entry.engine for entry in entries} == {"ada"}
    assert {str(entry.fields) for entry in entries} == {"{'user': 'ada'}"}
    asked = [(entry.change.close, entry.change.context) for entry in entries if entry.change.close]
    assert asked == policy.asked
    assert [type(entry.change.context) for entry in entries if entry.change.close] == [Context]


@pytest.mark.spec("I7.2")
@virtual
async def test_lines_are_in_the_order_of_the_changes(tmp_path):
    path = tmp_path / "feed.jsonl"
    journal = Journal(path)
    seen, lengths = [], []
    for _ in range(3):
        ws, _, _ = await opened(observers=[journal, seen.append])
        await ws.close()
        journal.flush()
        lengths.append(len(path.read_bytes().splitlines()))
    _, entries = reader(path)
    assert [entry.change for entry in entries] == seen
    assert lengths == [4, 8, 12]
    journal.close()


def test_engines_share_a_file_and_are_told_apart(tmp_path):
    path = tmp_path / "fleet.jsonl"
    with Journal(path, fields={"host": "h"}) as journal:
        journal.bind("ada", user=1)(OPENED)
        journal.bind("bob")(OPENED)
        journal.bind("bob")(LOST)
    _, entries = reader(path)
    assert [(entry.engine, dict(entry.fields)) for entry in entries] == [
        ("ada", {"host": "h", "user": 1}),
        ("bob", {"host": "h"}),
        ("bob", {"host": "h"}),
    ]


def test_without_a_name_each_journal_has_its_own(tmp_path):
    path = tmp_path / "fleet.jsonl"
    with Journal(path) as one, Journal(path) as other:
        one(OPENED)
        other(OPENED)
    _, entries = reader(path)
    assert len({entry.engine for entry in entries}) == 2


@pytest.mark.spec("I7.4", "I3.6")
@pytest.mark.skipif(not Path(FULL).exists(), reason=f"there is no {FULL} here")
@virtual
async def test_a_full_disk_harms_no_engine_and_is_reported_once():
    with structlog.testing.capture_logs() as logs:
        with Journal(FULL) as journal:
            ws, wire, _ = await opened(UP, UP, observers=[journal])
            wire.end(KICKED)
            await turns()
            ws.connect()
            await ws.wait_for(State.OPEN)
            await ws.close()
            journal.flush()
            assert journal.lost == 7
        [told] = [line for line in logs if line["event"] == "websocket.journal_not_written"]
        assert told["path"] == FULL
        assert "No space left" in told["error"]
        assert journal.lost == 7


@virtual
async def test_a_closed_journal_harms_no_engine_and_is_reported_once(tmp_path):
    journal = Journal(tmp_path / "x")
    journal.close()
    with structlog.testing.capture_logs() as logs:
        ws, _ = engine(UP, observers=[journal])
        ws.connect()
        await ws.wait_for(State.OPEN)
        await ws.close()
    told = [line["who"] for line in logs if line["event"] == "websocket.listener_failed"]
    assert told == ["Journal"]


class Failing:
    """A stream that fails while it is told to."""

    def __init__(self) -> None:
        self.failing = False
        self.text = ""

    def write(self, text: str) -> None:
        if self.failing:
            raise OSError("no")
        self.text += text

    def flush(self) -> None:
        pass


@pytest.mark.spec("I7.4")
def test_what_was_lost_is_told_when_writing_works_again(tmp_path):
    stream = Failing()
    journal = Journal(stream)
    before = changes_lost()
    with structlog.testing.capture_logs() as logs:
        for failing, change in [(False, OPENED), (True, LOST), (True, OPENED)]:
            stream.failing = failing
            journal(change)
            journal.flush()
        assert (journal.lost, changes_lost() - before) == (2, 2)
        stream.failing = False
        journal(LOST)
        journal(OPENED)
        journal.flush()
        path = tmp_path / "x"
        path.write_text(stream.text)
        found, entries = reader(path)
        assert (len(entries), found.lost, journal.lost) == (3, 2, 0)
        stream.failing = True
        journal(LOST)
        journal.flush()
        stream.failing = False
        journal.close()
    assert json.loads(stream.text.splitlines()[-1])["lost"] == 1, "a closing journal tells, too"
    assert [(line["event"], line.get("lost")) for line in logs] == [
        ("websocket.journal_not_written", None),
        ("websocket.journal_written", 2),
        ("websocket.journal_not_written", None),
        ("websocket.journal_written", 1),
    ]
    assert changes_lost() - before == 3


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def test_a_change_that_cannot_be_written_down_is_counted_too():
    stream = Failing()
    journal = Journal(stream)
    with pytest.raises(ZeroDivisionError):
        journal(LOST._replace(close=replace(LOST.close, error=Unprintable())))
    journal(OPENED)
    journal.close()
    assert json.loads(stream.text.splitlines()[0])["lost"] == 1


def test_a_line_that_went_in_part_is_ended_before_the_next(tmp_path):
    """A limit on the size of files cuts a write short, as a full disk does."""
    path = tmp_path / "x.jsonl"
    program = (
        "import resource, signal, sys\n"
        "from recloser.journal import Journal\n"
        "from tests.engine.journal.changes import LOST, OPENED\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(sys.argv[1], engine='a')\n"
        "journal(LOST)\n"
        "journal.flush()\n"
        "import os\n"
        "size = os.path.getsize(sys.argv[1])\n"
        "_, most = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, most))\n"
        "journal(LOST)\n"
        "journal.flush()\n"
        "journal(LOST)\n"
        "journal.flush()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "journal(OPENED)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count("websocket.journal_not_written") == 1
    assert "File too large" in done.stderr
    found, entries = reader(path)
    assert [entry.change for entry in entries] == [LOST, OPENED]
    assert (found.broken, found.lost, found.lines) == (1, 2, 4)


def test_a_file_that_a_crash_left_within_a_line_is_gone_on_with(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"v":1,"trig')
    with Journal(path) as journal:
        journal(OPENED)
    found, entries = reader(path)
    assert (len(entries), found.broken) == (1, 1)


def test_appending_to_a_whole_file_adds_no_blank_line(tmp_path):
    path = tmp_path / "x.jsonl"
    for _ in range(2):
        with Journal(path) as journal:
            journal(OPENED)
    assert b"\n\n" not in path.read_bytes()
    assert not path.read_bytes().startswith(b"\n")


def test_after_a_rotation_it_can_be_opened_again(tmp_path):
    path, moved = tmp_path / "x.jsonl", tmp_path / "x.1"
    with Journal(path) as journal:
        journal(OPENED)
        journal.flush()
        path.rename(moved)
        journal(LOST)
        journal.reopen()
        journal(OPENED)
    assert [len(reader(each)[1]) for each in (moved, path)] == [2, 1]


def test_a_stream_stays_open(tmp_path):
    with (tmp_path / "x").open("w") as stream:
        with Journal(stream) as journal:
            journal(OPENED)
            journal.reopen()
        assert not stream.closed


def test_bad_input_is_told_at_the_call(tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        Journal(tmp_path / "nowhere" / "x")
    with pytest.raises(TypeError, match="a journal needs a path or a text stream, not 7"):
        Journal(7)


def test_a_phase_is_written_by_its_word(tmp_path):
    path = tmp_path / "x"
    with Journal(path) as journal:
        journal(LOST)
    assert json.loads(path.read_text())["context"]["phase"] == Phase.OPEN.value
