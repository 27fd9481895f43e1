"""`recloser replay`, as somebody types it."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from recloser.cli import main
from recloser.fsm import Hold, Retry
from tests.engine.journal.entries import BUSY, CUT, Telling
from tests.tools.cli.test_group import loaded
from tests.tools.cli.test_journal import write

OWN = """
from recloser import Hold, Retry, Stop
class Same:
    def decide(self, close, context):
        return Hold() if close.status else Retry(5)
class Patient:
    def decide(self, close, context):
        return Hold() if close.status else Retry(9, refresh=True, rule="patience")
class Quitter:
    def decide(self, close, context):
        return Stop(rule="enough")
class Broken:
    def decide(self, close, context):
        raise ZeroDivisionError("one too\\x1b many")
"""


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """Three cuts answered by Retry(5), and a refusal answered by Hold."""
    (tmp_path / "replayed_policies.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    telling = Telling("ada").connect().open(1)
    for _ in range(3):
        telling.lost(CUT, Retry(5, rule="again"), 60).retry(5).open(1)
    telling.lost(CUT, Retry(5, rule="again"), 60).retry(5).lost(BUSY, Hold("rest"), 1)
    yield write(tmp_path / "feed.jsonl", telling)
    sys.modules.pop("replayed_policies", None)
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]


def run(path, policy, *arguments):
    return CliRunner().invoke(
        main, ["replay", str(path), "--policy", f"replayed_policies:{policy}", *arguments]
    )


@pytest.mark.spec("L5")
def test_the_same_answers_are_no_finding(path):
    result = run(path, "Same")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "replayed_policies:Same was asked about 5 ends; 0 differ\n"


@pytest.mark.spec("L5")
def test_another_answer_is_shown_with_its_cost(path):
    result = run(path, "Patient")
    assert (result.exit_code, result.stderr) == (1, "")
    first, *_, totals = result.stdout.split("\n\n")
    assert first.splitlines() == [
        "2023-11-14 22:14:21.000Z  ada  1006 Abnormal Closure (network, eof)",
        "      open for 1 min, failure 1 of its run, 1 alike in a row",
        "then  dial in 5 s, keep unsent; rule again",
        "now   dial in 9 s with a new credential, keep unsent; rule patience",
    ]
    assert totals.splitlines() == [
        "replayed_policies:Patient was asked about 5 ends; 4 differ",
        "estimate: +0 dials, +16 s of downtime; each end taken as it was recorded",
    ]


@pytest.mark.spec("L5")
def test_a_policy_that_stops_would_not_have_come_to_the_rest(path):
    result = run(path, "Quitter")
    assert result.exit_code == 1
    assert result.stdout.count("this end would not have come: it would have stopped before") == 4
    assert "4 of these would not have come" in result.stdout
    assert "estimate: -4 dials, +3 min of downtime" in result.stdout


def test_a_policy_that_fails_is_told_in_a_line(path):
    result = run(path, "Broken")
    assert result.exit_code == 1
    told = r"now   stop: the policy raised ZeroDivisionError: one too\x1b many"
    assert told in result.stdout.splitlines()


def test_a_dial_where_there_was_a_rest_is_a_chance(path):
    with path.open("rb") as file:
        first = file.readline().replace(b'"ada"', b'"bob"')
    later = first.replace(b"2023-11-14", b"2023-11-15")
    path.write_bytes(path.read_bytes() + later)
    result = CliRunner().invoke(main, ["replay", str(path), "-p", "basic"])
    assert result.exit_code == 1
    assert "it would have dialled where the other stopped or rested: up to 23 h" in result.stdout


@pytest.mark.spec("L5")
def test_json_gives_every_figure(path):
    result = run(path, "Patient", "--json", "--limit", "1")
    assert (result.exit_code, result.stderr) == (1, "")
    found = json.loads(result.stdout)
    [difference] = found.pop("differences")
    assert found == {
        "policy": "replayed_policies:Patient",
        "lines": 14,
        "entries": 14,
        "broken": 0,
        "foreign": 0,
        "newer": 0,
        "lost": 0,
        "judged": 5,
        "without_context": 0,
        "different": 4,
        "unreached": 0,
        "estimate": {"dials": 0, "downtime": 16.0, "chance": 0.0},
    }
    assert difference["then"]["delay"] == 5
    assert difference["now"] == {
        "rule": "patience",
        "do": "retry",
        "unsent": "keep",
        "delay": 9.0,
        "refresh": True,
    }
    assert difference["close"]["code"] == 1006
    assert difference["context"]["phase"] == "open"
    assert difference["problem"] is None


def test_more_than_asked_for_are_counted_and_not_printed(path):
    result = run(path, "Patient", "--limit", "1")
    assert result.stdout.count("\nnow ") == 1
    assert "... 3 more: --limit N prints them" in result.stdout
    assert "4 differ" in result.stdout


def test_broken_lines_are_counted_and_skipped(path):
    path.write_bytes(b"{\n" + path.read_bytes())
    assert "lines skipped: 1 broken" in run(path, "Same").stdout


LOG_LINE = {
    "event": "websocket.state_changed",
    "timestamp": "2024-01-01T00:00:00Z",
    "from": "open",
    "to": "backoff",
    "trigger": "lost",
    "rule": "again",
    "generation": 1,
    "attempt": 1,
    "delay": 5.0,
    "uptime": 60.0,
    "code": 1006,
    "intentional": False,
    "origin": "network",
    "cause": "eof",
    "clean": False,
}


def test_ends_of_a_log_are_counted_and_not_asked_about(path):
    path.write_bytes(path.read_bytes() + json.dumps(LOG_LINE).encode())
    result = run(path, "Same")
    assert result.exit_code == 0
    assert "1 ends do not say what the policy was told: not asked about" in result.stdout


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["feed.jsonl"], "Missing option '-p' / '--policy'"),
        (["nowhere", "-p", "basic"], "nowhere: No such file or directory"),
        (["feed.jsonl", "-p", "nonsense"], "unknown policy 'nonsense'"),
        (["app.log", "-p", "basic"], "replay needs what recloser.journal.Journal writes"),
        (["empty", "-p", "basic"], "no change of state in"),
    ],
)
def test_bad_input_gets_one_line(path, arguments, problem):
    Path("app.log").write_text(json.dumps(LOG_LINE))
    Path("empty").touch()
    result = CliRunner().invoke(main, ["replay", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("recloser replay: ")
    assert problem in line


def test_it_loads_neither_the_network_nor_the_machine(path):
    assert loaded("replay", str(path), "-p", "replayed_policies:Same") == set()
