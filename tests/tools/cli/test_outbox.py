"""`recloser outbox`, as somebody types it."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recloser.cli import main
from recloser.outbox.file.database import Database
from recloser.outbox.file.stored_message import StoredMessage
from tests.tools.cli.test_group import loaded

ROOT = Path(__file__).parents[3]
RECLOSER = Path(sys.executable).parent / "recloser"
PAGE = 4096
LONG_AGO, FAR_AWAY = 1_000_000_000.0, 9_000_000_000.0

ROWS = [
    StoredMessage(3, 3, None, "order 3", None, 0),
    StoredMessage(4, "four", "price", "secret \x1b[2J", LONG_AGO, 1),
    StoredMessage(7, b"\x07", None, b"\x00\xff", FAR_AWAY, 2),
]


def made(path: Path, rows: list[StoredMessage]) -> Path:
    """A file in which these rows wait."""
    with closing(Database(str(path), fsync=False)) as file:
        file.write(rows, {}, ())
        assert file.rows() == rows
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return made(tmp_path / "outbox.db", ROWS)


def names() -> list[str]:
    return sorted(each.name for each in Path().iterdir())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["outbox", *map(str, arguments)])


def test_it_shows_what_waits_and_no_message(path: Path) -> None:
    before = path.read_bytes()
    result = run("outbox.db")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "outbox.db: 3 messages, 20 bytes",
        "numbers 3 to 7",
        "2 handed to a connection before: may have arrived",
        "1 with a ttl that is over: will be dropped, not sent",
    ]
    assert path.read_bytes() == before
    assert names() == ["outbox.db"]


def test_an_empty_one_says_which_number_was_the_last(path: Path) -> None:
    with closing(Database(str(path), fsync=False)) as file:
        file.write((), {}, [row.number for row in ROWS])
    assert run("outbox.db", "--messages").stdout.splitlines() == [
        "outbox.db: 0 messages, 0 bytes",
        "the last of them had number 7",
    ]
    made(path.with_name("new.db"), [])
    assert run("new.db").stdout.splitlines() == ["new.db: 0 messages, 0 bytes"]


def test_json_has_the_figures_and_messages_if_asked_for(path: Path) -> None:
    figures = {"messages": 3, "bytes": 20, "oldest": 3, "newest": 7, "last": 7}
    counts = {"delivered": 2, "expired": 1}
    assert json.loads(run("outbox.db", "--json").stdout) == {**figures, **counts}
    found = json.loads(run("outbox.db", "--json", "--messages").stdout)
    assert [each["data"] for each in found["waiting"]] == [
        "order 3",
        "secret \x1b[2J",
        {"hex": "00ff"},
    ]
    assert [each["id"] for each in found["waiting"]] == [3, "four", {"hex": "07"}]
    assert found["waiting"][1] == {
        "number": 4,
        "id": "four",
        "key": "price",
        "deliveries": 1,
        "expires_at": LONG_AGO,
        "data": "secret \x1b[2J",
    }


def test_messages_are_shown_if_asked_for_and_cannot_steer_the_terminal(path: Path) -> None:
    lines = run("outbox.db", "--messages").stdout.splitlines()
    assert lines[5].split() == ["number", "deliveries", "id", "key", "ttl", "ends", "message"]
    assert lines[7].split() == ["3", "0", "3", "-", "-", "order", "3"]
    assert lines[8].endswith(r"2001-09-09 01:46:40.000Z  secret \x1b[2J")
    assert lines[9].endswith("  00ff")


def test_what_a_killed_process_left_is_shown_and_stays_as_it_is(path: Path) -> None:
    """The rows are in SQLite's log, which another reader would move into the file."""
    program = (
        "import os, sys\n"
        "from recloser.outbox.file.database import Database\n"
        "from recloser.outbox.file.stored_message import StoredMessage\n"
        "file = Database(sys.argv[1], fsync=False)\n"
        "late = StoredMessage(8, None, None, 'last words', None, 0)\n"
        "file.write([late], {}, ())\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True)
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert set(before) == {"outbox.db", "outbox.db-wal"}
    assert run("outbox.db").stdout.startswith("outbox.db: 4 messages, 30 bytes\n")
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_a_damaged_one_is_saved_as_far_as_it_goes(tmp_path: Path) -> None:
    rows = [StoredMessage(number, None, None, "x" * 1000, None, 0) for number in range(1, 101)]
    path = made(tmp_path / "outbox.db", rows)
    content = bytearray(path.read_bytes())
    content[10 * PAGE : 11 * PAGE] = bytes(PAGE)
    path.write_bytes(content)
    shown = run(path)
    assert (shown.exit_code, shown.stdout) == (2, "")
    [line] = shown.stderr.splitlines()
    assert "is damaged" in line
    assert "recloser outbox FILE --salvage NEW" in line
    saved = run(path, "--salvage", tmp_path / "new.db")
    assert (saved.exit_code, saved.stderr) == (1, "")
    assert saved.stdout.splitlines() == [
        f"{tmp_path / 'new.db'}: 96 messages, 96000 bytes",
        "up to 4 messages more may be missing",
    ]
    assert path.read_bytes() == bytes(content)
    assert run(tmp_path / "new.db").stdout.splitlines()[1] == "numbers 1 to 100"
    again = run(path, "--salvage", tmp_path / "again.db", "--json")
    assert json.loads(again.stdout) == {
        "messages": 96,
        "bytes": 96_000,
        "spoilt": 0,
        "missing": 4,
        "whole": False,
    }


def test_a_message_that_is_not_as_it_was_written_is_a_finding(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"order 3", b"order 8"))
    saved = run("outbox.db", "--salvage", "new.db")
    assert saved.exit_code == 1
    assert saved.stdout.splitlines()[1:] == ["1 message left out: not as written"]


def test_how_much_is_missing_may_be_beyond_telling(path: Path) -> None:
    """Without the page that counts the numbers, nothing says how many there were."""
    with closing(sqlite3.connect(path)) as connection:
        [page] = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'numbers'"
        ).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    path.write_bytes(content)
    saved = run("outbox.db", "--salvage", "new.db")
    assert saved.exit_code == 1
    assert saved.stdout.splitlines() == [
        "new.db: 3 messages, 20 bytes",
        "more may be missing: how many cannot be told",
    ]


def test_a_sound_one_can_be_saved_too(path: Path) -> None:
    saved = run("outbox.db", "--salvage", "new.db")
    assert (saved.exit_code, saved.stderr) == (0, "")
    assert saved.stdout == "new.db: 3 messages, 20 bytes\nnothing is missing\n"
    assert run("new.db", "--json").stdout == run("outbox.db", "--json").stdout


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nowhere.db"], "nowhere.db is not there"),
        (["."], "is no regular file"),
        (["text"], "is not an outbox of recloser"),
        (["text", "--salvage", "new.db"], "is not an outbox of recloser"),
        (["nowhere.db", "--salvage", "new.db"], "nowhere.db is not there"),
        (["outbox.db", "--salvage", "text"], "is there already"),
        (["outbox.db", "--salvage", "nowhere/new.db"], "cannot be made (No such file"),
        (["outbox.db", "--salvage", "new.db", "--messages"], "save first"),
        ([], "Missing argument 'FILE'"),
    ],
)
def test_bad_input_gets_one_line(path: Path, arguments: list[str], problem: str) -> None:
    path.with_name("text").write_text("Dear diary, " * 1000)
    before = names()
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("recloser outbox: ")
    assert problem in line
    assert names() == before


@pytest.mark.spec("L6")
@pytest.mark.parametrize("options", [[], ["--salvage", "new.db"]])
def test_one_that_an_engine_has_open_is_left_alone(path: Path, options: list[str]) -> None:
    with closing(Database(str(path), fsync=False)):
        result = subprocess.run(
            [RECLOSER, "outbox", "outbox.db", *options], capture_output=True, text=True, check=False
        )
    assert (result.returncode, result.stdout) == (2, "")
    assert "is in use: close the other engine" in result.stderr


def test_it_loads_neither_the_network_nor_the_machine(path: Path) -> None:
    assert loaded("outbox", str(path)) == set()


def test_what_the_documentation_prints_runs(path: Path) -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text[text.index("## `recloser outbox FILE`") :].split("\n## ")[0]
    [block] = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    commands = [line.split("#")[0].split() for line in block.splitlines()]
    assert len(commands) > 2
    for words in commands:
        done = subprocess.run([RECLOSER, *words[1:]], capture_output=True, text=True, check=False)
        assert words[0] == "recloser"
        assert (done.returncode, done.stderr) == (0, ""), words
        assert done.stdout
