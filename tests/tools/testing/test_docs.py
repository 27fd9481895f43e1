"""docs/testing.md is walked through as a new user would; what it prints is what comes out."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recloser.cli import main
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
        env=os.environ | {"COLUMNS": "96"},
        timeout=120,
    )


FLAWS = ("--law", "total", "--law", "intentional-stops")


def check(*options: str) -> Result:
    """Run the command as the page does, with a policy that was just written."""
    sys.modules.pop("feed_policy", None)
    arguments = ["check", "feed_policy:FeedPolicy", *options]
    return CliRunner().invoke(main, arguments, env={"COLUMNS": "96"})


@pytest.mark.spec("K1.4", "K4")
def test_the_walk_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flawed, mended, suite = blocks("python")[:3]
    policy = tmp_path / "feed_policy.py"
    policy.write_text(flawed, encoding="utf-8")
    found = check(*FLAWS)
    assert (found.exit_code, found.stderr) == (1, "")
    for story in blocks("text")[:2]:
        assert story in found.stdout
    policy.write_text(mended, encoding="utf-8")
    (tmp_path / "test_feed.py").write_text(suite, encoding="utf-8")
    assert check(*FLAWS, "--examples", "0").exit_code == 0
    assert f"ends with `keeps all {len(LAWS)} laws` and exit status 0" in PAGE
    monkeypatch.syspath_prepend(tmp_path)
    tests = runpy.run_path("test_feed.py")
    [test] = [tests[name] for name in tests if name.startswith("test_")]
    test()
    del sys.modules["feed_policy"]


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
