"""`recloser explain`, as it is run from a shell, and the bad input of it and of `codes`."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from recloser import policies
from recloser.cli import main
from recloser.explain.question import PolicyQuestion, ask, make_close, phase_of
from recloser.fsm import Cause, Close, Context, Phase, Retry

OWN = """
from recloser.fsm import Retry, Stop

class Patient:
    def decide(self, close, context, /):
        return Stop() if close.intentional else Retry(2.0 + context.roll, rule="patience")

def make():
    return Patient()

ready = Patient()
number = 7

class Hasty:
    def decide(self, close, context, /):
        return Retry(-1)

class Later:
    async def decide(self, close, context, /):
        return Stop()

def needy(argument):
    return Patient()
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def answer(*arguments: str) -> dict[str, Any]:
    result = run("explain", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with policies in the current folder."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


@pytest.mark.spec("L2")
def test_one_answer_as_json_says_all_that_is_promised() -> None:
    found = answer("1012")
    assert found["policy"] == "standard"
    assert found["code"] == 1012
    assert (found["decision"], found["refresh"]) == ("retry", False)
    assert (found["delay_min"], found["delay_max"]) == (1.0, 5.0)
    assert found["rule"] == "restart"
    assert found["why"].startswith("Most restarts are over")
    assert "IANA" in found["source"]


@pytest.mark.spec("L2")
@pytest.mark.parametrize(
    ("arguments", "decision", "low", "high", "rule"),
    [
        (["1000"], "retry", 0.5, 1.5, "peer-normal"),
        (["1000", "--attempt", "3"], "retry", 0.0, 29.0, "peer-normal-again"),
        (["1000", "--intentional"], "stop", None, None, "asked"),
        (["--intentional"], "stop", None, None, "asked"),
        (["1000", "--reason", "Token EXPIRED"], "retry", 0.0, 0.0, "token-expired"),
        (["1006"], "retry", 0.0, 1.0, "alone"),
        (["1006", "--uptime", "3"], "retry", 0.0, 5.0, "abnormal"),
        (["1006", "--phase", "dial"], "retry", 1.0, 6.0, "no-connection"),
        (["--cause", "dns"], "retry", 1.0, 6.0, "no-connection"),
        (["--cause", "unauthorized"], "stop", None, None, "no-credential"),
        (["1015"], "stop", None, None, "certificate"),
        (["--status", "429", "--retry-after", "30"], "retry", 30.0, 37.5, "rate-limited"),
        (["--status", "401"], "retry", 0.0, 0.0, "unauthorized-refresh"),
        (["--status", "401", "--attempt", "2"], "stop", None, None, "unauthorized"),
        (["--status", "401", "--no-refresh"], "stop", None, None, "unauthorized"),
        (["--status", "404"], "stop", None, None, "refused"),
        (["--status", "404", "--been-open"], "retry", 1.0, 6.0, "refused-doubted"),
        (["1012", "--engines", "500"], "retry", 5.0, 30.0, "restart"),
        (["1001", "--spread", "60"], "retry", 0.0, 60.0, "going-away"),
        (["1011", "--advice", "stop"], "stop", None, None, "advised-stop"),
        (["4321", "--attempt", "3"], "stop", None, None, "unknown-repeated"),
        (["4004", "--policy", "pusher"], "stop", None, None, "pusher-4004"),
        (["4004", "--policy", "basic"], "retry", 0.0, 0.0, "other-first"),
        (["1012", "--budget-in", "600"], "retry", 600.0, 630.0, "budget-spent"),
        (["1000", "--intentional", "--budget-in", "600"], "stop", None, None, "asked"),
        (["1006", "--cause", "heartbeat", "--origin", "engine"], "retry", 0.0, 1.0, "silent"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_answers(
    arguments: list[str], decision: str, low: float | None, high: float | None, rule: str
) -> None:
    found = answer(*arguments)
    assert (found["decision"], found["delay_min"], found["delay_max"], found["rule"]) == (
        decision,
        low,
        high,
        rule,
    )


@pytest.mark.spec("L2", "D9.2")
def test_the_budget_is_told_as_the_reason() -> None:
    assert answer("1012", "--budget-in", "600")["why"].startswith("The budget has no dial left")
    text = run("explain", "1012", "--budget-in", "600").stdout
    assert re.search(r"^rule +budget-spent$", text, re.MULTILINE)
    assert re.search(r"^why +The budget has no dial left before that", text, re.MULTILINE)


@pytest.mark.spec("L2")
def test_a_credential_that_would_be_asked_for_is_told() -> None:
    assert answer("--status", "401")["refresh"] is True
    assert answer("--status", "401")["status"] == 401
    text = run("explain", "--status", "401").stdout
    assert "new credential, retry at once" in text
    assert re.search(r"^why +The credential was not accepted", text, re.MULTILINE)


@pytest.mark.spec("L2")
def test_the_same_end_again_goes_through_the_counters_of_the_core() -> None:
    """The ninth window and the rest of the eighth, and a busy answer holds its window."""
    assert answer("1001", "--attempt", "9", "--uptime", "0")["delay_max"] == 60.0
    assert answer("--status", "503", "--attempt", "3")["delay_max"] == 15.0


@pytest.mark.spec("L2")
@pytest.mark.parametrize("policy", ["standard", "basic", "nats", "graphql"])
def test_all_covers_every_code_and_status_without_gaps(policy: str) -> None:
    result = run("explain", "--all", "--policy", policy, "--json")
    answers = json.loads(result.stdout)
    for fact, low, high in (("code", 0, 5000), ("status", 100, 600)):
        refused = fact == "status"
        rows = [
            each
            for each in answers
            if (each["status"] is not None) is refused and each["numbers"][0].isdigit()
        ]
        numbers: list[int] = []
        for each in rows:
            ends = [int(end) for end in each["numbers"].split("-")]
            assert each[fact] == ends[0]
            numbers += range(ends[0], ends[-1] + 1)
        assert numbers == list(range(low, high))
    assert {"dns", "heartbeat", "unauthorized"} <= {each["numbers"] for each in answers}


@pytest.mark.spec("L2", "B13.1")
def test_what_all_says_of_a_range_holds_for_each_number_of_it() -> None:
    for name in ("standard", "pusher"):
        policy = policies.standard() if name == "standard" else policies.for_service(name)
        for each in json.loads(run("explain", "--all", "-p", name, "--json").stdout):
            if each["status"] is None and "-" in each["numbers"]:
                low, high = map(int, each["numbers"].split("-"))
                for code in range(low, high + 1):
                    close = make_close(code, None)
                    reply = ask(policy, PolicyQuestion(close, phase_of(close)))
                    assert reply.decision.rule == each["rule"], code


@pytest.mark.spec("L2")
def test_tables_for_people() -> None:
    table = run("explain", "--all").stdout
    assert re.search(r"^1012 +Service Restart +retry in 1-5 s", table, re.MULTILINE)
    assert re.search(r"^status 429 +Too Many Requests", table, re.MULTILINE)
    text = run("explain", "--all", "--format", "markdown").stdout
    assert (
        "| restart | code 1012; attempt 1 | retry, after 1-5 s alone, 5-30 s with 500 engines"
        in text
    )
    assert "| 1012 | Service Restart | retry in 1-5 s |" in text
    assert run("explain", "1006", "--format", "markdown").stdout.startswith("|  |  |\n| --- |")
    assert "no close code; for an HTTP status: --status 401" in run("explain", "401").stdout


@pytest.mark.spec("L2")
@pytest.mark.parametrize("kind", ["Patient", "make", "ready"])
def test_a_policy_of_ones_own_is_found_in_the_current_folder(own: str, kind: str) -> None:
    found = answer("1006", "--policy", f"{own}:{kind}")
    assert (found["rule"], found["delay_min"], found["delay_max"]) == ("patience", 2.0, 3.0)
    assert (found["why"], found["source"]) == ("", "")
    every = json.loads(run("explain", "--all", "--json", "--policy", f"{own}:{kind}").stdout)
    assert {each["rule"] for each in every} == {"patience"}


@pytest.mark.spec("L6", "B4.1")
def test_a_policy_that_fails_is_a_finding(own: str) -> None:
    result = run("explain", "1006", "--policy", f"{own}:Hasty")
    assert result.exit_code == 1
    assert result.stderr.startswith("recloser explain: the policy raised ValueError for code 1006")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain"], "give a CODE, --status, --cause, --server or --all"),
        (["explain", "abc"], "'abc' is no close code: give a number from 0 to 65535"),
        (["explain", "-1"], "-1"),
        (["explain", "99999999999999999999"], "is no close code"),
        (["explain", "²"], "is no close code"),
        (["explain", "1000", "--status", "401"], "a refused upgrade has no close code"),
        (["explain", "--status", "9"], "'9' is no status: give a number from 100 to 999"),
        (["explain", "--status", "503", "--retry-after", "nan"], "at least 0"),
        (["explain", "1000", "--attempt", "0"], "attempt"),
        (["explain", "1000", "--attempt", "1000000000"], "attempt"),
        (["explain", "1000", "--cause", "bad"], "'bad' is not one of"),
        (["explain", "1000", "--all"], "leave CODE and the facts out"),
        (["explain", "1000", "--policy", "pushr"], "did you mean 'pusher'?"),
        (["explain", "1000", "--policy", "no_such_module:x"], "no module 'no_such_module'"),
        (["explain", "1000", "--policy", "json:nothing"], "module 'json' has no 'nothing'"),
        (["explain", "1000", "--policy", ":x"], "is not module:object"),
        (["explain", "1000", "--policy", "json:"], "is not module:object"),
        (["explain", "1000", "--policy", "json:dumps"], "cannot be made without arguments"),
        (["explain", "1000", "--policy", "json:__name__"], "has no decide(close, context)"),
        (["explain", "1000", "--policy", "json:JSONDecoder"], "has no decide(close, context)"),
        (["codes", "pusherr"], "did you mean 'pusher'?"),
        (["codes", "pusher", "more"], "more"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_gets_one_line_and_status_2(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.spec("L6", "B4.6")
@pytest.mark.parametrize(
    ("kind", "said"),
    [("Later", "never async"), ("number", "has no decide"), ("needy", "without arguments")],
)
def test_what_is_no_policy_is_refused(own: str, kind: str, said: str) -> None:
    result = run("explain", "1006", "--policy", f"{own}:{kind}")
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.spec("L6")
def test_a_module_that_fails_is_named(own: str) -> None:
    Path(f"{own}_bad.py").write_text("1 / 0")
    result = run("explain", "1006", "--policy", f"{own}_bad:x")
    assert result.exit_code == 2
    assert "ZeroDivisionError: division by zero while importing" in result.stderr


def test_the_answer_is_that_of_the_policy_at_its_rolls() -> None:
    """The range is asked for, not computed from the rules."""

    class Jumpy:
        def decide(self, close: Close, context: Context, /) -> Retry:
            assert close.cause is Cause.EOF
            return Retry(1.0 if context.roll < 0.5 else 7.0 * context.attempt)

    reply = ask(Jumpy(), PolicyQuestion(make_close(1006, None), Phase.OPEN, attempt=2))
    assert (reply.delay_min, reply.delay_max, reply.decision.rule) == (1.0, 14.0, "Jumpy")


@pytest.mark.spec("L2")
@pytest.mark.parametrize(
    "arguments", [["explain", "--all"], ["codes", "pusher"], ["codes"], ["field", "nginx"]]
)
def test_they_load_none_of_the_heavy_libraries(arguments: list[str]) -> None:
    code = f"""
import sys
from recloser.cli import main
main({arguments!r}, standalone_mode=False)
heavy = {{"aiohttp", "structlog", "transitions", "asyncio"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
