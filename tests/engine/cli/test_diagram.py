"""`recloser diagram`: prints or writes, and says in one line what was wrong."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from recloser.cli import main
from recloser.diagram import FORMATS, edges


@pytest.mark.spec("L1")
@pytest.mark.parametrize("kind", FORMATS)
def test_it_prints(kind: str) -> None:
    result = CliRunner().invoke(main, ["diagram", "--format", kind])
    assert result.exit_code == 0
    assert result.stdout == FORMATS[kind](edges())
    assert not result.stderr


def test_the_default_is_readable_in_a_terminal() -> None:
    assert CliRunner().invoke(main, ["diagram"]).stdout == FORMATS["text"](edges())


def test_it_writes_a_file_and_prints_nothing(tmp_path: Path) -> None:
    out = tmp_path / "machine.mmd"
    result = CliRunner().invoke(main, ["diagram", "--format", "mermaid", "-o", str(out)])
    assert (result.exit_code, result.output) == (0, "")
    assert out.read_text(encoding="utf-8") == FORMATS["mermaid"](edges())


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--format", "svg"], "'svg' is not one of 'mermaid', 'text'"),
        (["--nonsense"], "No such option"),
        (["extra"], "unexpected extra argument"),
        (["-o", "."], "is a directory"),
        (["-o", "no/such/folder/x"], "No such file or directory"),
        (["-o"], "requires an argument"),
    ],
)
def test_bad_input_gets_one_line(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(main, ["diagram", *arguments])
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
    result = CliRunner().invoke(main, ["diagram", "-o", str(full)])
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
