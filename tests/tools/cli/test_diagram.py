"""`recloser diagram`: prints or writes, and says in one line what was wrong."""

import json
import os
import pty
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recloser.cli import diagram, main
from recloser.cli.diagram import FORMATS
from recloser.diagram.canvas import ASCII
from recloser.diagram.dot import dot
from recloser.diagram.mermaid import mermaid
from recloser.diagram.picture import Picture, live_rows
from recloser.diagram.plantuml import plantuml
from recloser.diagram.promela import promela
from recloser.diagram.scxml import scxml
from recloser.diagram.terminal import terminal
from recloser.diagram.text import text
from recloser.diagram.theme import THEMES, follow_reader
from recloser.diagram.xstate import xstate
from recloser.fsm.states import State, Trigger
from recloser.fsm.table import TABLE

ROOT = Path(__file__).parent.parent.parent.parent
MACHINE = Picture(rows=live_rows())
TEXTS = {
    "mermaid": mermaid(MACHINE),
    "dot": dot(MACHINE),
    "text": text(MACHINE),
    "terminal": terminal(MACHINE),
    "plantuml": plantuml(MACHINE),
    "xstate": xstate(MACHINE),
    "scxml": scxml(MACHINE),
    "promela": promela(MACHINE),
}
OWN = """
from recloser.fsm import Retry, Stop

class Patient:
    def decide(self, close, context, /):
        return Stop(rule="done") if close.intentional else Retry(2.0, rule="patience")

class Hasty:
    def decide(self, close, context, /):
        return Retry(-1)
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["diagram", *arguments])


def good(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def shell(
    *arguments: str, isolated: str = "", **options: object
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process."""
    program = "from recloser.cli import main; main(prog_name='recloser')"
    return subprocess.run(
        [sys.executable, "-c", program, "diagram", *arguments],
        check=False,
        timeout=120,
        **{"capture_output": True, **options},  # type: ignore[call-overload] # options of any kind
    )


@pytest.mark.spec("L1.1")
@pytest.mark.parametrize("kind", TEXTS)
def test_it_prints(kind: str) -> None:
    assert good("--format", kind) == TEXTS[kind]
    assert good("machine", "-f", kind) == TEXTS[kind]


def test_the_default_is_a_drawing_for_the_terminal() -> None:
    assert good() == TEXTS["terminal"]


def test_ascii_is_drawn_when_asked_for_and_where_nothing_else_can_be_shown() -> None:
    assert good("--ascii") == terminal(MACHINE, ASCII)
    done = shell(env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("ascii") == terminal(MACHINE, ASCII)


@pytest.mark.parametrize("theme", THEMES)
def test_themes_are_those_of_the_renderers(theme: str) -> None:
    assert good("-f", "dot", "--theme", theme) == dot(MACHINE, THEMES[theme])
    assert good("-f", "mermaid", "--theme", theme) == mermaid(MACHINE, THEMES[theme])
    assert good("-f", "plantuml", "--theme", theme) == plantuml(MACHINE, THEMES[theme])


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".mmd", "mermaid"),
        (".dot", "dot"),
        (".gv", "dot"),
        (".puml", "plantuml"),
        (".scxml", "scxml"),
        (".pml", "promela"),
        (".txt", "terminal"),
        ("", "terminal"),
    ],
)
def test_the_name_of_the_file_tells_the_format(suffix: str, kind: str, tmp_path: Path) -> None:
    out = tmp_path / f"machine{suffix}"
    assert good("-o", str(out)) == ""
    assert out.read_text(encoding="utf-8") == TEXTS[kind]


@pytest.mark.spec("L1.1")
def test_svg_and_png_are_drawn_into_files_and_pipes(tmp_path: Path) -> None:
    pytest.importorskip("pygraphviz")
    good("-o", str(tmp_path / "machine.svg"))
    svg = (tmp_path / "machine.svg").read_bytes()
    assert b"<svg" in svg
    assert shell("-f", "svg").stdout == svg
    good("--theme", "auto", "-o", str(tmp_path / "auto.svg"))
    assert (tmp_path / "auto.svg").read_bytes() == follow_reader(svg)
    png = shell("-f", "png", "--theme", "dark")
    assert png.stdout.startswith(b"\x89PNG")
    assert png.stderr == b""


@pytest.mark.spec("L1.10")
def test_a_story_is_played_by_html(tmp_path: Path) -> None:
    pytest.importorskip("pygraphviz")
    moment = {"at": 0.0, "event": "it begins", "from": "closed", "to": "connecting", "decision": ""}
    told = {"laws": [{"name": "mine", "problem": "it is broken", "moments": [moment]}]}
    (tmp_path / "verdicts.json").write_text(json.dumps(told), encoding="utf-8")
    story = ("--story", str(tmp_path / "verdicts.json"))
    assert "give -f html, or -o with .html" in run(*story).stderr
    assert "mine: it is broken" in good(*story, "-f", "html")


def test_a_terminal_is_not_flooded_with_a_picture() -> None:
    controller, terminal_end = pty.openpty()
    try:
        done = shell("-f", "png", capture_output=False, stdout=terminal_end, stderr=subprocess.PIPE)
    finally:
        os.close(controller)
        os.close(terminal_end)
    assert done.returncode == 2
    assert b"png is not for a terminal: give -o FILE, or a pipe" in done.stderr


@pytest.fixture
def bare_site(tmp_path: Path) -> Path:
    """A folder with recloser, and of other packages only what this command must have."""
    site = tmp_path / "site"
    (site / "recloser").mkdir(parents=True)
    for folder in ("fsm", "policies", "transport"):
        (site / "recloser" / folder).symlink_to(ROOT / folder)
    for folder in ("engine", "tools"):
        for path in (ROOT / folder).iterdir():
            (site / "recloser" / path.name).symlink_to(path)
    for name in ("click", "transitions", "six"):
        origin = Path(import_module(name).__file__ or "")
        origin = origin.parent if origin.name == "__init__.py" else origin
        (site / origin.name).symlink_to(origin)
    return site


@pytest.mark.spec("L6")
@pytest.mark.parametrize("kind", FORMATS)
def test_without_pygraphviz_texts_are_drawn_and_pictures_say_what_to_install(
    kind: str, bare_site: Path
) -> None:
    """In a real environment that lacks it."""
    program = (
        f"import sys; sys.path.insert(0, {str(bare_site)!r})\n"
        "from recloser.cli import main\n"
        "main(prog_name='recloser')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", program, "diagram", "-f", kind],
        capture_output=True,
        timeout=120,
        check=False,
    )
    if kind in TEXTS:
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode() == TEXTS[kind]
        return
    assert (done.returncode, done.stdout) == (2, b"")
    [line] = done.stderr.decode().splitlines()
    assert f"{kind} needs pygraphviz: pip install pygraphviz" in line


@pytest.mark.spec("L1.2")
def test_a_policy_stands_on_the_ways_of_an_end() -> None:
    rows = json.loads(good("--policy", "standard", "--json"))["rows"]
    for row in rows:
        assert ("rules" in row) is (row["trigger"] == "lost")
    [refused] = [r for r in rows if (r["from"], r["guard"]) == ("connecting", "stop")]
    assert "no-credential" in refused["rules"]
    assert "13 rules: rejected, no-credential" in good("--policy", "standard")
    assert "rules of the policy standard" in good("--policy", "standard", "-f", "dot")


@pytest.mark.spec("L1.1")
def test_a_path_is_highlighted() -> None:
    found = json.loads(good("--highlight", "open,backoff,connecting", "--json"))
    lit = [state["name"] for state in found["states"] if state["highlighted"]]
    assert lit == ["connecting", "open", "backoff"]
    ways = {(row["from"], row["to"]) for row in found["rows"] if row["highlighted"]}
    assert ways == {("open", "backoff"), ("backoff", "connecting")}


def test_json_says_all_of_the_table() -> None:
    found = json.loads(good("--json"))
    assert [state["name"] for state in found["states"]] == [state.value for state in State]
    assert [s["name"] for s in found["states"] if s["rest"]] == ["passive"]
    assert [s["name"] for s in found["states"] if s["start"] and s["end"]] == ["closed"]
    assert len(found["rows"]) == len(TABLE)
    assert len(json.loads(good("close-event", "--json"))) == 8


LOGGED = [
    {"event": "websocket.state_changed", "timestamp": "2026-01-01T00:00:00Z", "from": a, "to": b}
    | {"trigger": trigger, "generation": 1, "attempt": 0}
    for a, b, trigger in [
        ("closed", "connecting", "connect"),
        ("connecting", "open", "opened"),
        ("open", "closing", "close"),
        ("open", "closed", "connect"),
    ]
]


@pytest.mark.spec("L1.3")
def test_a_journal_is_counted_on_the_ways(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    lines = [json.dumps(LOGGED[at]) for at in (0, 1, 2, 0, 1)]
    file.write_text("\n".join(lines), encoding="utf-8")
    rows = json.loads(good("--journal", str(file), "--json"))["rows"]
    counts = {(r["from"], r["trigger"], r["to"]): r["count"] for r in rows if "count" in r}
    assert counts.pop(("closed", "connect", "connecting")) == 2
    assert counts.pop(("connecting", "opened", "open")) == 2
    assert counts.pop(("open", "close", "closing")) == 1
    assert set(counts.values()) == {0}
    drawing = good("--journal", str(file))
    assert "opened \N{MULTIPLICATION SIGN}2" in drawing
    assert drawing.endswith("5 changes of feed.jsonl\n")


@pytest.mark.spec("L1.3")
def test_lines_that_cannot_be_counted_are_skipped_and_told(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    lines = [
        "{broken",
        "{}",
        '{"event": "other"}',
        *map(json.dumps, LOGGED),
        '{"v": 99, "trigger": 1}',
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    result = run("--journal", str(file))
    assert result.exit_code == 0
    [line] = result.stderr.splitlines()
    assert line.endswith(
        "not counted: 1 broken, 1 of a later version, 1 changes that this machine does not have"
    )
    assert result.stdout.endswith("3 changes of feed.jsonl\n")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


def test_a_policy_of_ones_own_is_asked(own: str) -> None:
    rows = json.loads(good("--policy", f"{own}:Patient", "--json"))["rows"]
    found = {
        (r["from"], r["guard"]): r["rules"] for r in rows if r["trigger"] == Trigger.LOST.value
    }
    for state in ("connecting", "open"):
        assert found[state, "retry"] == ["patience"]
        assert found[state, "hold"] == found[state, "stop"] == []
    assert found["closing", "last wish is close"] == ["done"]


def test_a_policy_that_fails_is_a_finding(own: str) -> None:
    result = run("--policy", f"{own}:Hasty")
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("recloser diagram: the policy raised ValueError")


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--format", "gif"],
            "'gif' is not one of 'mermaid', 'dot', 'svg', 'png', 'html', 'plantuml'",
        ),
        (["--nonsense"], "No such option"),
        (["extra"], "'extra' is not one of 'machine', 'close-event'"),
        (["machine", "extra"], "unexpected extra argument"),
        (["-o", "."], "is a directory"),
        (["-o", "no/such/folder/x"], "No such file or directory"),
        (["-o"], "requires an argument"),
        (["-o", "machine.pdf"], "the suffix .pdf stands for no format: give --format too"),
        (["--theme", "pink"], "'pink' is not one of 'light', 'dark', 'auto'"),
        (["--theme", "dark"], "terminal has no colours: leave out --theme"),
        (["-f", "text", "--theme", "dark"], "text has no colours"),
        (["-f", "xstate", "--theme", "dark"], "xstate has no colours"),
        (["close-event", "-f", "scxml"], "scxml is for the machine: leave out close-event"),
        (["-o", "machine.json"], "the suffix .json stands for no format: give --format too"),
        (["-f", "png", "--theme", "auto"], "png cannot follow its reader: give --theme light"),
        (["-f", "mermaid", "--theme", "auto"], "mermaid cannot follow its reader"),
        (["-f", "html", "--theme", "dark"], "html follows its reader: leave out --theme"),
        (["outbox", "-f", "html"], "html is for the machine: leave out outbox"),
        (["--story", "verdicts.json"], "--story is played by html: give -f html, or -o with"),
        (["-o", "x.html", "--story", "no-such-file"], "no-such-file: No such file"),
        (["-o", "x.html", "--story", str(Path(__file__))], "write it with recloser check POLICY"),
        (["-f", "dot", "--ascii"], "--ascii is for the format terminal, not for dot"),
        (["--json", "-f", "dot"], "--json has no --format"),
        (["--policy", "nonsense"], "unknown policy 'nonsense'"),
        (["--policy", "no_such_module:x"], "no module 'no_such_module'"),
        (["--highlight", "nowhere"], "'nowhere' is no state: give closed, connecting"),
        (["--highlight", "closed,open"], "nothing leads from closed to open: closed leads to"),
        (["--journal", "no-such-file"], "No such file or directory"),
        (["--journal", "."], "is a directory"),
        (["--journal", str(Path(__file__))], "lines tells of a change of state"),
        (["close-event", "--policy", "standard"], "--policy is for the machine"),
        (["close-event", "--highlight", "open"], "--highlight is for the machine"),
    ],
)
def test_bad_input_gets_one_line(arguments: list[str], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert not result.stdout
    [line] = result.stderr.splitlines()
    assert line.startswith("recloser")
    assert line.endswith(" --help")
    assert problem in line


@pytest.mark.spec("L6")
def test_a_full_disk_gets_one_line() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no device that is always full")
    result = run("-o", str(full))
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr


def test_every_format_and_theme_is_tested() -> None:
    assert {*TEXTS, "svg", "png", "html"} == set(FORMATS)
    assert (*THEMES, "auto") == diagram.THEMES


@pytest.mark.parametrize(
    "arguments",
    [[], ["--policy", "standard"], ["--journal", "{journal}"], ["close-event"], ["--json"]],
)
def test_it_loads_no_network_and_no_logging(arguments: list[str], tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    file.write_text(json.dumps(LOGGED[0]))
    program = (
        "import sys\n"
        "from recloser.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as done:\n    assert not done.code\n"
        "heavy = {'aiohttp', 'structlog', 'hypothesis', 'pygraphviz', 'asyncio'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "policies = any(name.startswith('recloser.policies') for name in sys.modules)\n"
        "journal = 'recloser.journal' in sys.modules\n"
        "print(f'\\n{policies} {journal}')\n"
    )
    given = [each.format(journal=file) for each in arguments]
    done = subprocess.run(
        [sys.executable, "-c", program, "diagram", *given],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"{'--policy' in given} {'--journal' in given}"
