"""`recloser check`, as somebody types it."""

import json
import os
import pty
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recloser.cli import main
from recloser.testing import BrokenLaw
from recloser.testing.laws.groups import LAWS, OPTIONAL_LAWS

Check = Callable[..., Result]

POLICIES = '''
from recloser import Retry, Stop

class Loyal:
    """Redials after its own close."""
    def decide(self, close, context):
        return Retry(1 + context.roll, rule="loyal")

class Ends:
    def decide(self, close, context):
        return Stop(rule="over")

class Private:
    def decide(self, close, context):
        return Retry(0.0) if close.code == 4567 else Stop()

def make():
    return Ends()

ready = Ends()

class Asks:
    def __init__(self, url):
        pass

class Async:
    async def decide(self, close, context):
        return Stop()
'''


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Check]:
    """Run the command in a folder with policies of one's own."""
    (tmp_path / "checked_policies.py").write_text(POLICIES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["check", *arguments])

    yield invoke
    sys.modules.pop("checked_policies", None)


@pytest.mark.spec("K4")
@pytest.mark.parametrize("name", ["Ends", "make", "ready"])
def test_a_sound_policy_is_exit_status_0(check: Check, name: str) -> None:
    laws = ("--law", "drives-the-machine", "--law", "eventually-settles")
    result = check(f"checked_policies:{name}", *laws, "--examples", "10")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["law", "verdict", "what", "it", "says"]
    assert [line.split()[:2] for line in lines if "  holds  " in line] == [
        ["drives-the-machine", "holds"],
        ["eventually-settles", "holds"],
    ]
    assert lines[-1].startswith(f"checked_policies:{name} keeps all 2 laws (")


@pytest.mark.spec("K4", "K1.4")
def test_a_broken_law_is_exit_status_1_and_a_story(check: Check) -> None:
    result = check("checked_policies:Loyal", "--law", "intentional-stops", "--law", "strict-gaps")
    assert result.exit_code == 1
    for part in (
        "intentional-stops  broken",
        "strict-gaps        holds",
        "  Why:      The connection comes back after a logout",
        "  1.        0.000 s  the application calls connect()",
        "POLICY ERROR: answered Retry although the application ended the connection",
        "The path: closed -> connecting -> open -> closing -> closed",
        "from checked_policies import Loyal",
        "def test_intentional_stops():",
        "checked_policies:Loyal breaks 1 law of 2",
    ):
        assert part in result.stdout, part


@pytest.mark.spec("K4")
def test_the_test_that_is_printed_fails_until_the_flaw_is_gone(check: Check) -> None:
    laws = ("--law", "intentional-stops", "--examples", "0")
    result = check("checked_policies:Private", *laws, "--json")
    assert result.exit_code == 1
    [law] = json.loads(result.stdout)["laws"]
    assert "4567" in law["test"]
    Path("test_pasted.py").write_text(law["test"], encoding="utf-8")
    with pytest.raises(BrokenLaw):
        runpy.run_path("test_pasted.py")["test_intentional_stops"]()
    path = Path("checked_policies.py")
    path.write_text(path.read_text().replace("close.code == 4567", "False"))
    del sys.modules["checked_policies"]
    runpy.run_path("test_pasted.py")["test_intentional_stops"]()


@pytest.mark.spec("K4")
def test_json_has_a_verdict_and_a_story_for_each_law(check: Check) -> None:
    for name, verdict, groups, laws in (
        ("Ends", "holds", (), LAWS),
        ("Ends", "broken", ("--law", "optional"), OPTIONAL_LAWS),
    ):
        options = ("--json", "--examples", "10", "--seed", "3", *groups)
        result = check(f"checked_policies:{name}", *options)
        assert result.exit_code == (verdict == "broken")
        assert result.stderr == ""
        found = json.loads(result.stdout)
        assert (found["policy"], found["verdict"], found["seed"]) == (
            f"checked_policies:{name}",
            verdict,
            3,
        )
        assert [law["name"] for law in found["laws"]] == [law.name for law in laws]
        for law in found["laws"]:
            assert law["verdict"] in ("holds", "broken")
            assert (law["story"] is None) is (law["verdict"] == "holds")
            assert law["claim"]
    broken = {law["name"] for law in found["laws"] if law["verdict"] == "broken"}
    assert broken == {"peer-normal-returns", "never-gives-up"}


@pytest.mark.parametrize("name", ["standard", "pusher"])
def test_shipped_policies_go_by_name(check: Check, name: str) -> None:
    assert check(name, "--law", "strict-gaps", "--examples", "0").exit_code == 0


@pytest.mark.spec("K1.2")
def test_the_list_of_laws(check: Check) -> None:
    listed = check("--list")
    assert listed.exit_code == 0
    for law in (*LAWS, *OPTIONAL_LAWS):
        assert law.name in listed.stdout
    told = json.loads(check("--list", "--json").stdout)["laws"]
    assert sum(law["optional"] for law in told) == len(OPTIONAL_LAWS)


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "say which policy"),
        (("nonsense",), "unknown policy 'nonsense'"),
        (("no_such_module:x",), "no module 'no_such_module'"),
        (("checked_policies:missing",), "has no 'missing'"),
        (("checked_policies:Asks",), "cannot be made without arguments"),
        (("checked_policies:Async",), "never async"),
        (("checked_policies:",), "is not module:object"),
        (("standard", "--law", "no-hot-lop"), "did you mean no-hot-loop"),
        (("standard", "--examples", "-1"), "at least 0"),
        (("standard", "--examples", "x"), "not a valid integer"),
        (("standard", "--max-delay", "0"), "above 0"),
        (("standard", "--max-delay", "nan"), "above 0"),
        (("standard", "--nonsense"), "No such option"),
        (("standard", "basic"), "unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line(check: Check, arguments: tuple[str, ...], text: str) -> None:
    result = check(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.spec("K4")
def test_progress_shows_on_a_terminal_alone(check: Check, tmp_path: Path) -> None:
    program = "from recloser.cli import main; main()"
    laws = ("--law", "total", "--quick", "--examples", "5")
    arguments = ("check", "checked_policies:Ends", *laws)
    master, slave = pty.openpty()
    with os.fdopen(master, "rb", buffering=0) as terminal:
        try:
            done = subprocess.run(
                [sys.executable, "-c", program, *arguments],
                check=True,
                stdout=subprocess.PIPE,
                stderr=slave,
                cwd=tmp_path,
                timeout=120,
            )
            shown = b""
            while b"100%" not in shown:
                shown += terminal.read(65536)
        finally:
            os.close(slave)
    assert b"codes" in shown
    assert b"\r" not in done.stdout
