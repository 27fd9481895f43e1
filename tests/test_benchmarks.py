"""The benchmarks run, at a size that measures nothing, so that they do not rot."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RUN = BENCHMARKS / "run.py"

TITLES = {
    "receive": "Receive in memory, asyncio",
    "pingpong": "Ping-pong, 32 bytes, asyncio",
    "send": "Send, 1024 bytes, asyncio",
    "framing": "Framing, ping-pong, asyncio",
    "durable": "1000 messages of 100 bytes at once",
    "disk": "The longest pause of the event loop",
    "memory": "Memory, 50 idle connections",
    "idle": "Idle, 50 connections",
    "comeback": "Coming back, 10 connections",
    "transition": "A transition",
    "check": "A check of the standard policy",
    "storm": "A storm of 50 engines, CPU",
    "governed": "A storm of 100 engines with governors",
    "imports": "Processes from start to end",
}


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(RUN), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


TOGETHER = (
    ("memory",),
    ("framing", "transition", "imports"),
    ("comeback", "idle", "disk"),
    ("check", "storm", "governed"),
    ("receive", "pingpong", "send", "durable"),
)
"""Those that one process runs, one after the other."""


def test_each_benchmark_is_run() -> None:
    assert sorted(name for names in TOGETHER for name in names) == sorted(TITLES)


@pytest.mark.parametrize("names", TOGETHER, ids=" ".join)
def test_each_benchmark_prints_its_table_with_a_control_and_a_verdict(
    names: tuple[str, ...],
) -> None:
    done = run("--scale", "0.002", *names)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1, "only the line with the time belongs there"
    tables = done.stdout.split("### ")[1:]
    for name in names:
        if name == "memory" and sys.platform != "linux":
            continue
        (table,) = [each for each in tables if each.startswith(TITLES[name])]
        assert re.search(r"\| (reached|\*\*missed\*\*) \|", table), table
        assert name == "transition" or "(again)" in table
        figures = re.findall(r"\| \d+(?:\.\d+)? ", table)
        assert figures
        assert any(float(figure.strip("| ")) > 0 for figure in figures)


def test_without_a_name_all_are_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    front = import_module("run")
    assert tuple(TITLES) == front.MEASURES
    monkeypatch.setattr(front, "MEASURES", ("transition",))
    monkeypatch.setattr(sys, "argv", [str(RUN), "--scale", "0.002"])
    front.main()
    assert "### A transition" in capsys.readouterr().out


def test_an_unknown_name_is_told_in_one_line() -> None:
    done = run("speed")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"choose from {', '.join(TITLES)}")


@pytest.fixture
def against(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module("against")


def one(value: float, *more: tuple[str, str, str]) -> dict[tuple[str, str, str], float]:
    return {
        ("a table", "recloser", "µs"): value,
        ("a table", "recloser", "over"): 0.0,
    } | dict.fromkeys(more, 1.0)


def test_a_ratio_is_the_median_of_those_within_a_round(against: Any) -> None:
    runs = {
        "here": iter([one(2.0), one(30.0), one(8.0)]),
        "there": iter([one(4.0), one(10.0), one(10.0)]),
        "there again": iter([one(4.0), one(9.0), one(12.0)]),
    }
    (table,) = against.compare(["send"], "abc", 3, lambda _, where: next(runs[where]))
    assert table.title == "a table: this clone to abc"
    assert table.columns == ["µs", "control", "over", "control"]
    assert [(row.name, *row.cells) for row in table.rows] == [
        ("recloser", "0.800", "1.000", "", "")  # a difference of 0 has no ratio
    ]


def test_a_ratio_with_a_goal_is_judged(against: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against, "GOALS", {("a tab", "recloser", "µs"): 0.5})
    for there, verdict in ((4.0, "reached"), (3.9, "**missed**")):
        runs = {"here": one(2.0), "there": one(there), "there again": one(there)}
        (table,) = against.compare(["send"], "abc", 1, lambda _, where, runs=runs: runs[where])
        assert table.markdown().splitlines()[-1].endswith(f"| ≤ 0.5 | {verdict} |")


def test_what_only_one_commit_has_is_left_out(against: Any) -> None:
    new = ("a table", "a new row", "µs"), ("a new table", "recloser", "µs")

    def measure(name: str, where: str) -> Any:
        del name
        return one(1.0, *new) if where == "here" else one(1.0)

    (table,) = against.compare(["send"], "abc", 1, measure)
    assert [row.name for row in table.rows] == ["recloser"]


@pytest.mark.parametrize(("where", "side"), [("there", "abc"), ("here", "this clone")])
def test_a_benchmark_that_does_not_run_is_told_and_the_others_go_on(
    against: Any, where: str, side: str
) -> None:
    asked = []

    def measure(name: str, at: str) -> Any:
        asked.append((name, at))
        if name == "send" and at.startswith(where):
            return against.Failed("ImportError: no name 'x'")
        return one(1.0)

    told, table = against.compare(["send", "receive"], "abc", 2, measure)
    assert told == f"`send` does not run with {side}: ImportError: no name 'x'\n"
    assert table.rows[0].cells[:2] == ("1.000", "1.000")
    assert asked.count(("send", where)) == 1
    assert asked.count(("receive", where)) == 2


def test_the_numbers_of_a_table_are_taken_as_json_gives_them(against: Any) -> None:
    done = run("--json", "--scale", "0.002", "transition")
    assert done.returncode == 0, done.stderr
    found = against.cells(json.loads(done.stdout))
    assert found
    assert all(title.startswith("A transition") for title, _, _ in found)
    assert all(isinstance(value, float) for value in found.values())


def test_a_commit_that_is_none_is_told_in_one_line() -> None:
    done = run("--against", "no-such-commit", "imports")
    assert done.returncode == 2
    assert "no-such-commit" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_commit_is_built_and_measured_beside() -> None:
    done = run("--against", "HEAD", "--rounds", "1", "--scale", "0.002", "transition")
    assert done.returncode == 0, done.stderr
    (table,) = done.stdout.split("### ")[1:]
    assert table.startswith("A transition"), table
    assert re.search(r"\| \d\.\d{3} \| \d\.\d{3} \|", table), table
