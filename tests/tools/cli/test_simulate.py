"""`recloser simulate`, as somebody types it."""

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from recloser.cli import main

START = ("--start", "--storms", "0")
SMALL = ("--engines", "60", "--outage", "5", "--capacity", "20")
FIGURES = {
    "policy",
    "t50",
    "t99",
    "t100",
    "dials_per_engine",
    "dials_after_return",
    "peak_after_return",
    "optimum",
}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command in a folder with a policy of one's own."""
    (tmp_path / "own_policies.py").write_text(
        "from recloser import Retry, Stop\n"
        "class Calm:\n"
        "    def decide(self, close, context):\n"
        "        return Retry(3 * context.roll)\n"
        "class Broken:\n"
        "    def decide(self, close, context):\n"
        "        return Retry(1 / (2 - context.attempt))\n"
        "class Counts:\n"
        "    def __init__(self):\n"
        "        self.asked = 0\n"
        "    def decide(self, close, context):\n"
        "        self.asked += 1\n"
        "        return Retry(2.0 + min(self.asked, 500) / 100)\n"
        "class Quitter:\n"
        "    def decide(self, close, context):\n"
        "        return Stop()\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "90")

    def invoke(*arguments):
        return CliRunner().invoke(main, ["simulate", *arguments])

    yield invoke
    sys.modules.pop("own_policies", None)


def figures(result):
    assert result.exit_code == 0, result.output
    return {each["policy"]: each for each in json.loads(result.stdout)["policies"]}


@pytest.mark.spec("L4")
def test_several_policies_in_one_run(run):
    result = run(*SMALL, "-p", "standard", "-p", "full-jitter", "-p", "own_policies:Calm")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "60 engines, outage 5 s, optimum 8.0 s"
    assert [line.split()[0] for line in lines[3:6]] == [
        "standard",
        "full-jitter",
        "own_policies:Calm",
    ]
    charts = [line for line in lines if line.endswith("and share recovered")]
    assert len(charts) == 3
    assert max(map(len, lines)) <= 90


@pytest.mark.spec("L4")
def test_json_gives_every_figure(run):
    found = figures(run(*SMALL, "-p", "full-jitter", "-p", "fixed", "--json"))
    assert list(found) == ["full-jitter", "fixed"]
    for each in found.values():
        assert set(each) >= FIGURES
        assert each["optimum"] == 8.0
        assert each["optimum"] <= each["t100"]
        assert each["t50"] <= each["t99"] <= each["t100"]
        assert 1 <= each["dials_after_return"] <= each["dials_per_engine"]


def test_never_is_null(run):
    found = figures(run(*SMALL, "-p", "own_policies:Quitter", "--json"))["own_policies:Quitter"]
    assert (found["t50"], found["t99"], found["t100"]) == (None, None, None)
    assert (found["stopped"], found["dials_per_engine"]) == (60, 0)


@pytest.mark.spec("D8")
def test_a_seed_repeats_the_storm(run):
    one, two, other = (
        run(*SMALL, "-p", "full-jitter", "--json", "--seed", seed).stdout for seed in "112"
    )
    assert one == two != other


def test_the_options_reach_the_storm(run):
    common = (*SMALL, "-p", "standard", "--json")
    plain = figures(run(*common))["standard"]
    hinted = figures(run(*common, "--spread-hint", "20", "--retry-after"))["standard"]
    assert hinted["t50"] > plain["t50"]
    silent = figures(run(*common, "--refusal", "timeout", "--connect-timeout", "3"))["standard"]
    assert (silent["refused"], plain["hung"]) == (0, 0)
    alone = figures(run(*common, "--alone", "0.5"))["standard"]
    assert (alone["engines"], alone["alone"]["engines"]) == (30, 30)
    busy = figures(run(*common, "--down", "timeout"))["standard"]
    assert busy["unheard"] < plain["unheard"]
    ended = figures(run(*common, "--horizon", "5.01"))["standard"]
    assert (ended["horizon"], ended["t100"]) == (5.01, None)
    slow = figures(run(*common, "--round-trip", "2", "--refusal-cost", "0"))["standard"]
    assert slow["t50"] > plain["t50"]
    told = figures(run(*common, "--close", "1012"))["standard"]
    assert told["peak"] < plain["peak"]
    governed = figures(run(*common, "--governor", "fleet"))["standard"]
    ramped = figures(run(*common, "--governor", "fleet", "--ramp", "1.05"))["standard"]
    assert ramped["t99"] > governed["t99"]
    crowd = (*common, "--governor", "fleet", "--engines", "1000", "--capacity", "30")
    again = figures(run(*crowd, "--storms", "2"))["standard"]
    assert again["refused"] < figures(run(*crowd))["standard"]["refused"] / 5
    after = figures(run(*crowd, "--start"))["standard"]
    assert after["refused"] < figures(run(*crowd))["standard"]["refused"] / 5
    start = figures(run(*crowd, "--start", "--storms", "0", "--outage", "0"))["standard"]
    assert (start["unheard"], start["recovered"]) == (0, 1000)
    assert start["t50"] < after["t50"]
    alone = ("--start", "--storms", "0", "--engines", "40", "-p", "basic")
    told = run(*alone).stdout
    assert "40 engines start, optimum 0.0 s" in told
    assert "share open" in told
    assert "^ engines start" in told
    assert "outage" not in told
    assert "server is back" not in told
    assert run(*alone, "--sweep").stdout.splitlines()[1].split()[-1] == "0/6"
    queued = figures(run(*common, "--queue", "--engines", "18"))["standard"]
    assert queued["recovered"] == 18
    assert figures(run(*common, "--queue"))["standard"]["t99"] != plain["t99"]


@pytest.mark.spec("L4")
@pytest.mark.parametrize("more", [(), ("--sweep", "--outages", "5", "--windows", "3")])
def test_a_policy_that_remembers_is_pointed_out(run, more):
    small = SMALL if not more else ("--engines", "60")
    done = run("--policy", "own_policies:Counts", "--policy", "own_policies:Calm", *small, *more)
    assert done.exit_code == 0
    [line] = done.stderr.splitlines()
    assert "own_policies:Counts remembers: one question got Retry(2.01) at first, and" in line
    assert "run recloser check own_policies:Counts --law pure" in line


def test_a_sweep(run):
    arguments = ("--sweep", "--engines", "40", "--outages", "1,5", "--windows", "20")
    result = run(*arguments, "-p", "full-jitter", "--spread-hint", "window", "--retry-after")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].split()[-1] == "0/4"
    found = figures(run(*arguments, "-p", "full-jitter", "-p", "fixed", "--json"))
    assert {each["cases"] for each in found.values()} == {4}
    assert found["fixed"]["dials_per_engine"] > found["full-jitter"]["dials_per_engine"]


@pytest.mark.parametrize("suffix", ["png", "SVG"])
def test_a_picture(run, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    result = run(*SMALL, "-p", "full-jitter", "--plot", f"storm.{suffix}")
    assert result.exit_code == 0, result.output
    assert (tmp_path / f"storm.{suffix}").stat().st_size > 5000


def test_without_matplotlib_a_picture_is_refused_before_the_storm(run, monkeypatch):
    monkeypatch.setattr("recloser.simulate.curves.find_spec", lambda name: None)
    result = run("--engines", "9999999", "--plot", "storm.png")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "pip install matplotlib" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--engines", "0"), "engines must be 1 to"),
        (("--engines", "-3"), "engines must be 1 to"),
        (("--engines", "many"), "'many' is not a valid integer"),
        (("--capacity", "0"), "capacity must be above 0"),
        (("--capacity", "nan"), "capacity must be a finite number"),
        (("--outage", "-1"), "outage must be at least 0"),
        (("--refusal-cost", "1.5"), "refusal_cost must be below 1"),
        (("--refusal", "maybe"), "'maybe' is not one of"),
        (("--storms", "0"), "storms must be at least 1, not 0"),
        (("--start",), "a start before a storm needs a governor that searches for its pace"),
        (("--start", "--storms", "0", "--outage", "5"), "outage must be 0, not 5"),
        (("--storms", "2"), "storms need a governor that searches for its pace: process, fleet"),
        (("--ramp", "1.1"), "ramp needs a governor that searches for its pace: process, fleet"),
        (("--governor", "fleet-rate", "--ramp", "1.1"), "ramp needs a governor that searches"),
        (("--governor", "fleet", "--ramp", "0.9"), "ramp must be at least 1, not 0.9"),
        (("--governor", "fleet", "--ramp", "inf"), "ramp must be a finite number"),
        (("--alone", "1"), "alone must be at least 0 and below 1"),
        (("--processes", "0"), "processes must be 1 to engines"),
        (("--engines", "5", "--processes", "6"), "processes must be 1 to engines (5), not 6"),
        (("--horizon", "3"), "horizon must lie after the return"),
        (("--spread-hint", "soon"), "neither a number of seconds nor 'window'"),
        (("--spread-hint", "-2"), "spread must be above 0"),
        (("--policy", "no-such-policy"), "no-such-policy"),
        (("--policy", "no_such_module:policy"), "no_such_module"),
        (("--policy", "own_policies:missing"), "missing"),
        (("--plot", "storm.pdf"), "must end in .png or .svg"),
        (("--plot", "missing/storm.png"), "no folder"),
        (("--outages", "1,2"), "--outages has no effect here: it needs --sweep"),
        (("--queue", "--connect-timeout", "1"), "connect_timeout must be above 1.05"),
        (
            ("--queue", "--regions", "50", "--engines", "50", "--capacity", "5"),
            "connect_timeout must be above 10.05",
        ),
        (("--sweep", "--outage", "3"), "--outage has no effect here: leave it out with --sweep"),
        (("--sweep", "--plot", "storm.png"), "--plot has no effect here"),
        (("--refusal", "timeout", "--retry-after"), "--retry-after has no effect here: no 503"),
        *(
            ((*START, *given), f"{given[0]} has no effect here: a start without a storm")
            for given in (("--close", "1012"), ("--down", "busy"), ("--spread-hint", "10"))
        ),
        (("--sweep", "--outages", "1;2"), "no list of seconds"),
        (("--sweep", "--windows", "0"), "windows must be above 0"),
        (("--sweep", "--outages", "-1"), "outage must be at least 0"),
        (("--speed", "3"), "No such option"),
        (("storm",), "unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line(run, arguments, text):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.spec("B4.1", "L6")
@pytest.mark.parametrize("more", [(), ("--sweep", "--outages", "1")])
def test_a_policy_that_fails_is_a_finding_of_one_line(run, more):
    size = ("--engines", "60")
    result = run(*size, *more, "-p", "own_policies:Broken")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    for part in ("own_policies:Broken", "ZeroDivisionError", "Close(code=1006", "attempt=2"):
        assert part in result.stderr


def test_ctrl_c_ends_it_cleanly(run, tmp_path):
    (tmp_path / "slow_policies.py").write_text(
        "import sys\n"
        "from recloser import Retry\n"
        "class Slow:\n"
        "    def decide(self, close, context):\n"
        "        print('under way', flush=True)\n"
        "        return Retry(0.0)\n",
        encoding="utf-8",
    )
    code = "from recloser.cli import main; main()"
    arguments = ("simulate", "--engines", "100", "--outage", "1e6", "-p", "slow_policies:Slow")
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "under way\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.strip() == ""


def test_the_simulator_loads_no_network():
    code = (
        "import sys; from recloser.cli import main\n"
        "main(['simulate', '--engines', '5', '-p', 'fixed', '--json'], standalone_mode=False)\n"
        "assert not {'aiohttp', 'asyncio', 'matplotlib'} & set(sys.modules), 'too much'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
