"""docs/testing.md is walked through as a new user would; what it prints is what comes out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recloser.testing import LAWS, OPTIONAL_LAWS, examine, parse_script, walk
from recloser.testing.doubles.faults import DEEDS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "testing.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "96", "PYTHONPATH": str(folder)},
        timeout=120,
    )


CHECK = ("-c", "from recloser.cli import main; main()", "check", "feed_policy:FeedPolicy")
FLAWS = ("--law", "total", "--law", "intentional-stops")


@pytest.mark.spec("K1.4", "K4")
def test_the_walk_through(tmp_path: Path) -> None:
    python = blocks("python")
    flawed, mended, suite = python[:3]
    (tmp_path / "feed_policy.py").write_text(flawed, encoding="utf-8")
    found = run(tmp_path, *CHECK, *FLAWS)
    assert (found.returncode, found.stderr) == (1, "")
    for story in blocks("text")[:2]:
        assert story in found.stdout
    (tmp_path / "test_feed.py").write_text(suite, encoding="utf-8")
    pytest_once = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_feed.py")
    (tmp_path / "feed_policy.py").write_text(mended, encoding="utf-8")
    assert run(tmp_path, *CHECK, *FLAWS).returncode == 0
    done = run(tmp_path, *pytest_once)
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("number", range(3, 6))
def test_every_other_example_runs(tmp_path: Path, number: int) -> None:
    path = tmp_path / "example.py"
    path.write_text(blocks("python")[number], encoding="utf-8")
    done = run(tmp_path, "-W", "error", str(path))
    assert done.returncode == 0, done.stderr


def test_all_examples_are_run() -> None:
    assert len(blocks("python")) == 6


@pytest.mark.spec("K5.2")
def test_the_figures_of_the_walk() -> None:
    assert blocks("text")[2] == f"{walk()}\n"


def test_the_laws_are_those_of_the_kit() -> None:
    for law in (*LAWS, *OPTIONAL_LAWS):
        assert f"| `{law.name}` | {law.claim} | {law.why} |" in PAGE


def test_the_script_can_be_read() -> None:
    [text] = blocks("toml")
    assert [fault.do for fault in parse_script(text)] == ["close", "refuse", "serve"]
    assert all(deed in text for deed in DEEDS)


def test_the_law_of_ones_own_holds_of_the_mended_policy() -> None:
    space: dict[str, object] = {}
    exec(compile(blocks("python")[1], "feed_policy.py", "exec"), space)
    exec(compile(blocks("python")[3], "own.py", "exec"), space)
    law = space["OWN"]
    report = examine(space["FeedPolicy"], laws=[law], examples=5)  # type: ignore[arg-type, list-item] # out of a page
    assert report.sound
