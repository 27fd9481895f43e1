"""A change that no test runs survives."""

from pathlib import Path

from tests.mutants.forks import forked
from tests.mutants.lines import Lines
from tests.mutants.trial import run


def test_what_no_test_runs_has_survived(tmp_path: Path) -> None:
    file = tmp_path / "lines.json"
    file.write_text('{"seconds": {}, "lines": {}}', encoding="utf-8")
    lines = Lines(file)
    assert [*forked([()], lambda items: run(items, lines))] == [((), "survived")]
