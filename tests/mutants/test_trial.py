"""A trial runs the program with the change in it, and a change that no test runs survives."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.forks import forked
from tests.mutants.layers import ROOT
from tests.mutants.lines import Lines
from tests.mutants.trial import run

SEEN = """
from tests.mutants.change import changes
from tests.mutants.forks import forked
from tests.mutants.layers import ROOT
from tests.mutants.trial import collect, install, installed

found = changes(ROOT / "fsm/decisions.py")
change = next(each for each in found if each.before().startswith("MIN_GAP"))
BEFORE
install(change)

def seen(items):
    from recloser.fsm.decisions import MIN_GAP
    return f"{len(items) > 0} {MIN_GAP} {installed(change)}"

[(_, answer)] = forked(["tests/fsm/test_run.py"], lambda file: collect([file], seen))
print(answer)
"""
"""What tests see of a changed constant, and whether its file was imported with the change."""


@pytest.mark.parametrize(
    ("before", "seen"), [("", "True 2.0 True"), ("import recloser.fsm.decisions", "True 1.0 False")]
)
def test_a_change_is_seen_unless_its_file_was_imported_before(before: str, seen: str) -> None:
    program = SEEN.replace("BEFORE", before)
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (seen, "")


ENDLESS = """
from tests.mutants import trial
from tests.mutants.change import changes
from tests.mutants.forks import forked
from tests.mutants.layers import ROOT

found = changes(ROOT / "engine/outbox/table.py")
loop = (each for each in found if each.before().startswith("while more"))
change = next(each for each in loop if each.operator.endswith("Sub_BitXor"))
trial.IMPORT = 0.5

def imported(change):
    trial.install(change)
    import recloser.outbox.table
    return "imported"

[(_, answer)] = forked([change], imported)
print(answer)
"""
"""A rule of the table is checked when it is imported; with the change its loop never ends."""


def test_an_import_that_does_not_end_is_noticed() -> None:
    """Two of them had kept a run busy until it was stopped."""
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (f"signal {signal.SIGPROF.value}", "")


LEFT = """
from tests.mutants.forks import forked
from tests.mutants.trial import collect

class Left:
    def __del__(self):
        raise ResourceWarning("it was never closed")

def work(items):
    left = Left()
    left.cycle = left
    return "done"

[(_, answer)] = forked(["tests/fsm/test_run.py"], lambda file: collect([file], work))
print(answer)
"""
"""Something that a test has left is found when pytest ends."""


def test_what_a_test_has_left_does_not_end_the_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("done", "")


def test_what_no_test_runs_has_survived(tmp_path: Path) -> None:
    file = tmp_path / "lines.json"
    file.write_text('{"seconds": {}, "lines": {}}', encoding="utf-8")
    lines = Lines([file])
    assert [*forked([()], lambda items: run(items, lines))] == [((), "survived")]
