"""The benchmarks run, at a size that measures nothing, so that they do not rot."""

import re
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"

TITLES = {
    "receive": "Receive in memory, asyncio",
    "pingpong": "Ping-pong, 32 bytes, asyncio",
    "send": "Send, 1024 bytes, asyncio",
    "framing": "Framing, ping-pong, asyncio",
    "durable": "1000 messages of 100 bytes at once",
    "memory": "Memory, 50 idle connections",
    "transition": "A transition",
    "imports": "Processes from start to end",
}


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(RUN), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_each_benchmark_prints_its_table_with_a_control_and_a_verdict() -> None:
    done = run("--scale", "0.002")
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1, "only the line with the time belongs there"
    tables = done.stdout.split("### ")[1:]
    for name, title in TITLES.items():
        if name == "memory" and sys.platform != "linux":
            continue
        (table,) = [each for each in tables if each.startswith(title)]
        assert re.search(r"\| (reached|\*\*missed\*\*) \|", table), table
        assert name == "transition" or "(again)" in table
        figures = re.findall(r"\| \d+(?:\.\d+)? ", table)
        assert figures
        assert any(float(figure.strip("| ")) > 0 for figure in figures)


def test_an_unknown_name_is_told_in_one_line() -> None:
    done = run("speed")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(f"choose from {', '.join(TITLES)}")
