"""`recloser journal`, as somebody types it."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

from recloser.cli import main
from recloser.fsm import Retry, Stop
from recloser.journal import Journal
from recloser.journal.lines import line_of
from tests.engine.journal.changes import LOST
from tests.engine.journal.entries import BUSY, CUT, GONE, Telling
from tests.tools.cli.test_group import loaded

RECLOSER = Path(sys.executable).parent / "recloser"

STORY = (
    Telling("ada")
    .connect()
    .open(1)
    .lost(CUT, Retry(5, rule="again"), 3600)
    .retry(5)
    .lost(BUSY, Retry(65, rule="busy"), 1)
    .retry(65)
    .open(1)
    .lost(GONE, Stop(rule="enough"), 60)
)


def write(path: Path, *tellings: Telling) -> Path:
    """A journal of these stories."""
    for entry in [entry for telling in tellings for entry in telling.entries]:
        with Journal(path, engine=entry.engine, wall=lambda entry=entry: entry.time) as journal:
            journal(entry.change)
    return path


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COLUMNS", "100")
    return write(tmp_path / "feed.jsonl", STORY)


def run(*arguments, **options):
    return CliRunner().invoke(main, ["journal", *map(str, arguments)], **options)


@pytest.mark.spec("I7")
def test_it_tells_the_story(path):
    result = run(path)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "2023-11-14 22:13:20.000Z  ada  closed -> connecting      connect"
    assert lines[2] == (
        "2023-11-14 23:13:21.000Z  ada  open -> backoff           "
        "1006 Abnormal Closure (network, eof); open for 1 h; rule again; next dial in 5 s"
    )
    assert "HTTP 503 (peer, refused); rule busy; next dial in 1 min 5 s" in lines[4]
    totals = lines[lines.index("") + 1 :]
    assert totals[:7] == [
        f"{path}: 8 changes of 1 engine",
        "from 2023-11-14 22:13:20.000Z to 2023-11-14 23:15:33.000Z: 1 h 2 min",
        "3 dials, 2 opens, gave up 1 times",
        "open 1 h 1 min, down 1 min 13 s (3 s connecting, 1 min 10 s backoff), at rest 0 s",
        "longest wait 1 min 12 s by ada, from 2023-11-14 23:13:21.000Z until open",
        "longest delay that a policy asked for 1 min 5 s",
        "at the end 1 closed",
    ]
    rest = " ".join(" ".join(totals[7:]).split())
    assert "ends code by name" in rest
    assert "1 1006 network Abnormal Closure" in rest
    assert "1 HTTP 503 peer refused upgrade" in rest
    assert "1 busy" in rest


@pytest.mark.spec("I7")
def test_json_gives_every_figure(path):
    result = run(path, "--json", "--tail", 2)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert {name: found[name] for name in ("lines", "entries", "broken", "lost", "breaks")} == {
        "lines": 8,
        "entries": 8,
        "broken": 0,
        "lost": 0,
        "breaks": 0,
    }
    assert (found["dials"], found["opens"], found["gave_up"], found["downtime"]) == (3, 2, 1, 73)
    assert found["longest_wait"]["seconds"] == 72
    assert found["ends"][0] == {
        "code": 1006,
        "status": None,
        "origin": "network",
        "intentional": False,
        "name": "Abnormal Closure",
        "count": 1,
    }
    assert [line["to"] for line in found["timeline"]] == ["open", "closed"]


def test_the_tail_is_as_long_as_asked_for(path):
    assert run(path, "--tail", 3).stdout.startswith("... 5 earlier changes: --all prints them\n")
    assert run(path, "--tail", 0).stdout.startswith(f"{path}: 8 changes")
    assert run(path, "--all").stdout.count(" -> ") == 8
    assert run(path, "--all", "--json").exit_code == 2


@pytest.mark.spec("I7")
def test_broken_lines_are_counted_and_skipped(path):
    with path.open("ab") as file:
        file.write(
            b'half a line\n{"event": "cart.paid"}\n{"v":9,"trigger":"x"}\n{"v":1,"lost":3}\n'
        )
        file.write(b'{"v":1,"trig')
    result = run(path)
    assert result.exit_code == 0
    skipped = "2 broken, 1 about something else, 1 of a newer version of recloser"
    assert f"lines skipped: {skipped}" in result.stdout
    assert "3 changes could not be written when they happened" in result.stdout


def test_suspicious_patterns_are_a_finding(tmp_path):
    telling = Telling("ada")
    for _ in range(12):
        telling.connect(0.1).open(0.1).lost(GONE, Retry(0.1), 0.1)
    path = write(tmp_path / "loop.jsonl", telling)
    result = run(path, "--tail", 0)
    assert result.exit_code == 1
    told = result.stdout.split("suspicious:\n")[1].splitlines()
    assert [line.split(" (")[0].strip() for line in told] == [
        "many 1000s",
        "flapping",
        "same end repeated",
        "dial loop",
    ]
    found = json.loads(run(path, "--json").stdout)["suspicious"]
    assert [each["pattern"] for each in found] == [line.split(" (")[0].strip() for line in told]
    assert found[0]["engine"] == "ada"


def test_what_a_peer_says_cannot_steer_the_terminal(tmp_path):
    evil = CUT.__class__(code=4000, origin=CUT.origin, cause=CUT.cause, reason="\x1b[2J\x07\u202e")
    telling = Telling("e\x1bvil").connect().open(1).lost(evil, Stop(rule="r\x1b"), 30)
    result = run(write(tmp_path / "x.jsonl", telling))
    assert "\x1b" not in result.stdout
    assert r"\x1b[2J\x07\u202e" in result.stdout


def test_standard_input_is_read(path):
    done = subprocess.run(
        [RECLOSER, "journal", "-"], input=path.read_bytes(), capture_output=True, check=True
    )
    assert b"standard input: 8 changes" in done.stdout


def test_the_log_of_a_service_is_told_apart_by_a_field(tmp_path):
    lines = []
    for session in "ab":
        fields = {"event": "websocket.state_changed", "session": session, "generation": 1}
        common = {**fields, "timestamp": "2024-01-01T00:00:00Z", "attempt": 0}
        for states in (("closed", "connecting", "connect"), ("connecting", "open", "opened")):
            line = dict(zip(("from", "to", "trigger"), states, strict=True), **common)
            lines.append(json.dumps(line))
    path = tmp_path / "app.log"
    path.write_text("\n".join([lines[0], lines[2], lines[1], lines[3]]))
    mixed, apart = run(path), run(path, "--by", "session")
    assert "2 changes do not follow from the one before" in mixed.stdout
    assert "do not follow" not in apart.stdout
    assert "4 changes of 2 engines" in apart.stdout
    assert "at the end 2 open" in apart.stdout


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
        (["."], "Is a directory"),
        ([], "Missing argument 'FILE'"),
        (["x", "--tail", "-1"], "-1 is not in the range"),
    ],
)
def test_bad_input_gets_one_line(tmp_path, monkeypatch, arguments, problem):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("recloser journal: ")
    assert problem in line


@pytest.mark.spec("L6")
def test_a_file_without_a_change_is_bad_input(tmp_path):
    path = tmp_path / "x"
    path.write_text("one\n{}\n")
    result = run(path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no change of state in" in result.stderr
    assert "2 lines, 1 broken, 1 about something else" in result.stderr


def test_it_loads_neither_the_network_nor_the_machine(path):
    assert loaded("journal", str(path)) == set()


def test_a_long_file_needs_little_memory(path, tmp_path):
    """Fifty thousand lines in an address space that could not hold their entries."""
    line = path.read_bytes().splitlines(keepends=True)[0]
    program = (
        "import resource, sys\n"
        "from recloser.cli import main\n"
        "from recloser.cli import journal\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "main.main(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    long = tmp_path / "long.jsonl"
    long.write_bytes(line * 50_000)
    done = subprocess.run(
        [sys.executable, "-c", program, "journal", str(long), "--tail", "5"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "50000 changes" in done.stdout
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout.splitlines()[-1]) * unit < 4 * 2**20 < long.stat().st_size


def test_progress_is_shown_to_whoever_looks(path):
    """On a terminal alone: in a pipe nothing but the story is written."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    done = subprocess.run(
        [RECLOSER, "journal", path], stdout=subprocess.PIPE, stderr=child, check=True
    )
    os.close(child)
    shown = os.read(parent, 65536)
    os.close(parent)
    assert b"reading" in shown
    assert b"reading" not in done.stdout


def test_the_example_is_what_its_program_writes(tmp_path):
    examples = Path(__file__).parents[3] / "examples"
    subprocess.run([sys.executable, examples / "journal.py", tmp_path / "x"], check=True)
    told = [
        run(each, "--json", "--tail", 100) for each in (examples / "feed.jsonl", tmp_path / "x")
    ]
    lines = [json.loads(result.stdout)["timeline"] for result in told]
    committed, written = (
        [(line["from"], line["to"], line["trigger"], line.get("code")) for line in each]
        for each in lines
    )
    assert committed == written, "run: python examples/journal.py examples/feed.jsonl"


def closes(path: Path, *rates: tuple[int, int]) -> Path:
    """A journal with so many ends a minute, for so many minutes."""
    lines, minute = [], 0
    for ends, minutes in rates:
        for _ in range(minutes):
            for number in range(ends):
                wall = 1_700_000_000.0 + minute * 60 + number
                line = line_of(LOST, wall=wall, engine=f"e{number}", own={})
                lines.append(json.dumps(line | {"code": 4401}))
            minute += 1
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.spec("I5.6")
def test_it_finds_alarms_in_the_past(tmp_path):
    path = closes(tmp_path / "a.jsonl", (2, 110), (16, 15), (2, 30))
    result = run("--alarms", path)
    assert result.exit_code == 1
    [line] = result.stdout.splitlines()
    assert line.endswith("sessions expire")
    assert "4401 by peer: " in line
    assert ": 90 ends in 10 min, usually" in line
    [alarm] = json.loads(run("--alarms", "--json", path).stdout)["alarms"]
    assert (alarm["code"], alarm["reading"], alarm["window"]) == (4401, "sessions expire", 600)
    assert alarm["since"] < alarm["cleared"]
    lasting = json.loads(run("--alarms", "--json", closes(path, (2, 110), (16, 15))).stdout)
    assert lasting["alarms"][0]["cleared"] is None


@pytest.mark.spec("I5.6")
def test_a_journal_without_alarms_says_so(tmp_path):
    result = run("--alarms", closes(tmp_path / "a.jsonl", (1, 130)))
    assert (result.exit_code, result.stdout) == (
        0,
        "no alarm: no rate of closes was out of the ordinary\n",
    )
