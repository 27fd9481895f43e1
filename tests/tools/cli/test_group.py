"""The `recloser` command as a whole: quick, lazy, and short about bad input."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from recloser.cli import COMMANDS, INTERRUPTED, LazyGroup, main
from tests.tools.cli.process import RECLOSER

HEAVY = {"aiohttp", "structlog", "transitions", "asyncio"}


def loaded(*arguments: str) -> set[str]:
    """Which of the heavy packages a run of the command has imported, in a fresh interpreter."""
    program = (
        "import json, sys\n"
        "from recloser.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as done:\n    assert not done.code, done.code\n"
        "print('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_none_of_the_dependencies(arguments: list[str]) -> None:
    assert loaded(*arguments) == set()


def test_a_diagram_needs_the_machine_alone() -> None:
    assert loaded("diagram") == {"transitions"}


def test_the_shell_is_offered_every_command() -> None:
    assert main.list_commands(click.Context(main)) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_what_its_entry_says(name: str) -> None:
    module, text = COMMANDS[name]
    command = import_module(module).command
    assert isinstance(command, click.Command)
    assert command.get_short_help_str(200), f"{name} has no help"
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert text in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing command"),
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
    ],
)
def test_bad_usage_gets_one_line(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert not result.stdout
    [line] = result.stderr.splitlines()
    assert line.startswith(f"recloser: {problem}")
    assert line.endswith("; see recloser --help")


def group(body: Callable[[], object]) -> LazyGroup:
    """A group whose only command does `body`."""

    class One(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return click.Command(cmd_name, callback=body)

    return One("recloser")


@pytest.mark.parametrize(("status", "code"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_returns_its_exit_status(status: int | None, code: int) -> None:
    assert CliRunner().invoke(group(lambda: status), ["x"]).exit_code == code


def test_an_interruption_has_the_status_of_shells() -> None:
    def body() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(group(body), ["x"]).exit_code == INTERRUPTED


def test_an_error_that_is_not_about_usage_gets_one_line() -> None:
    def body() -> None:
        raise click.ClickException("first\nsecond.")

    result = CliRunner().invoke(group(body), ["x"])
    assert (result.exit_code, result.stderr) == (2, "recloser: first second; see recloser --help\n")


def test_a_bug_is_not_dressed_up_as_bad_input() -> None:
    def body() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(group(body), ["x"]).exception, ZeroDivisionError)


def test_embedded_it_raises_and_returns_as_click_does() -> None:
    with pytest.raises(click.UsageError):
        main.main(["nonsense"], standalone_mode=False)
    assert group(lambda: "value").main(["x"], standalone_mode=False) == "value"


def test_a_module_without_a_command_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "broken", ("recloser.cli.broken", "Broken."))
    monkeypatch.setitem(sys.modules, "recloser.cli.broken", type(sys)("recloser.cli.broken"))
    sys.modules["recloser.cli.broken"].command = None  # type: ignore[attr-defined] # a fake module
    with pytest.raises(TypeError, match="is no click command"):
        main.get_command(click.Context(main), "broken")


@pytest.mark.spec("L7", "L6")
def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "recloser", "codes", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    [told] = done.stderr.splitlines()
    assert "unknown service 'nobody'" in told


@pytest.mark.spec("L6")
def test_a_command_that_needs_posix_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Windows gives: a module that is not there."""
    monkeypatch.delitem(sys.modules, "recloser.cli.connect", raising=False)
    monkeypatch.setitem(sys.modules, "termios", None)
    result = CliRunner().invoke(main, ["connect", "ws://x/"])
    assert result.exit_code == 2
    assert result.stderr == (
        "recloser: connect needs a POSIX system: this one has no termios; see recloser --help\n"
    )


def test_another_module_that_is_missing_is_no_matter_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(COMMANDS, "connect", ("recloser.cli.nowhere", "Nothing."))
    result = CliRunner().invoke(main, ["connect"])
    assert isinstance(result.exception, ModuleNotFoundError)


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "closed", "status", "problem"),
    [
        (["journal", "-"], (0,), 2, "no change of state in standard input"),
        (["top", "-"], (0, 1), 2, "no change of state in -"),
        (["diagram"], (0, 1), 0, ""),
        (["explain", "1006"], (1,), 0, ""),
    ],
)
def test_a_standard_stream_that_is_closed_is_empty(
    arguments: list[str], closed: tuple[int, ...], status: int, problem: str
) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    done = subprocess.run(
        [RECLOSER, *arguments], stderr=subprocess.PIPE, text=True, preexec_fn=close, check=False
    )
    assert done.returncode == status
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == bool(problem)


@pytest.mark.spec("L6")
@pytest.mark.parametrize("arguments", [["codes"], ["diagram"], ["check", "basic", "--quick"]])
def test_an_output_that_cannot_be_written_gets_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [RECLOSER, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "recloser: the output cannot be written (No space left on device)\n"


@pytest.mark.spec("L6")
@pytest.mark.parametrize("command", ["journal", "replay", "top", "inspect"])
def test_a_file_that_cannot_be_read_on_gets_one_line(command: str) -> None:
    """The first page of a process is never there, so a read of it fails."""
    more = ["--policy", "basic"] if command == "replay" else []
    result = CliRunner().invoke(main, [command, "/proc/self/mem", *more])
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith(f"recloser {command}: Invalid value for FILE: /proc/self/mem: Input")


@pytest.mark.spec("L6")
def test_a_module_that_ends_the_process_gets_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    result = CliRunner().invoke(main, ["explain", "1006", "--policy", "leaves:policy"])
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert "SystemExit: 3 while importing 'leaves'" in line
