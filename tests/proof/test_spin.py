"""Spin verifies the exported model, and finds what is wrong in each of the changed tables.

`make prove` installs it and runs this.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from recloser.diagram.picture import Picture, live_rows
from recloser.diagram.promela import promela
from recloser.fsm.states import Guard, State, Trigger
from recloser.outbox.table import TABLE, MessageState, MessageTrigger, Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recloser.fsm.table import Row

pytestmark = pytest.mark.prove

_S, _T, _G, _M, _U = State, Trigger, Guard, MessageState, MessageTrigger
DEPTH = 3_000_000
"""Steps of the longest path; a search that is cut off says so, and the test fails."""


class Verdict(NamedTuple):
    """What Spin says of one search."""

    errors: int
    states: int
    broken: str


def verify(folder: Path, model: str, *, claim: bool = False) -> Verdict:
    """Search all states: for a failed assertion, or for a way on which the claim never holds."""
    for tool in ("spin", "gcc"):
        assert shutil.which(tool), f"no {tool}: run `make prove`, or install spin and gcc"
    (folder / "machine.pml").write_text(model)
    build = ["-DNFAIR=3", "-DCOLLAPSE"] if claim else ["-DSAFETY", "-DNOCLAIM"]
    for command in (["spin", "-a", "machine.pml"], ["gcc", *build, "-o", "pan", "pan.c"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    search = ["-a", "-f"] if claim else ["-E"]
    done = subprocess.run(
        ["./pan", f"-m{DEPTH}", *search], cwd=folder, capture_output=True, text=True, check=False
    )
    assert "max search depth too small" not in done.stdout, done.stdout
    errors = re.search(r"errors: (\d+)", done.stdout)
    states = re.search(r"(\d+) states, stored", done.stdout)
    assert errors is not None, done.stdout + done.stderr
    assert states is not None, done.stdout + done.stderr
    broken = re.search(r"pan:1: (.*) \(at depth", done.stdout)
    return Verdict(int(errors[1]), int(states[1]), "" if broken is None else broken[1])


@pytest.mark.spec("L1.9")
def test_no_order_of_events_breaks_a_clause(tmp_path: Path) -> None:
    verdict = verify(tmp_path, promela(Picture()))
    assert verdict.errors == 0, verdict
    assert verdict.states > 1_000_000


@pytest.mark.spec("L1.9")
def test_every_close_ends(tmp_path: Path) -> None:
    assert verify(tmp_path, promela(Picture()), claim=True).errors == 0


def test_a_close_that_never_ends_is_found(tmp_path: Path) -> None:
    model = promela(Picture())
    without_a_clock = model.replace("  :: atomic { deadline ->", "  :: atomic { false ->")
    assert without_a_clock != model
    assert verify(tmp_path, without_a_clock, claim=True).errors > 0


def machine(source: State, trigger: Trigger, guard: Guard | None, target: State | None) -> str:
    """The model with one row that leads elsewhere."""
    rows: Sequence[Row] = live_rows()
    changed = [
        row._replace(target=target) if row[:3] == (source, trigger, guard) else row for row in rows
    ]
    assert sum(row not in rows for row in changed) == 1
    return promela(Picture(rows=changed))


def outbox(source: MessageState, trigger: MessageTrigger, target: MessageState) -> str:
    """The model with one move of a message that leads elsewhere."""
    changed: list[Transition] = [
        row._replace(target=target) if (row.source, row.trigger) == (source, trigger) else row
        for row in TABLE
    ]
    assert sum(row not in TABLE for row in changed) == 1
    return promela(Picture(), changed)


A1 = "assertion violated (asked=="
C1 = "assertion violated (( !(up["
G1 = "assertion violated (((message["
DROPPED = "assertion violated ((message["
WRONG = {
    "a close dials": (machine(_S.CLOSING, _T.LOST, _G.CLOSE, _S.CONNECTING), A1),
    "a close waits": (machine(_S.CLOSING, _T.LOST, _G.CLOSE, _S.BACKOFF), A1),
    "a close in backoff dials": (machine(_S.BACKOFF, _T.CLOSE, None, _S.CONNECTING), A1),
    "a close in open is forgotten": (machine(_S.OPEN, _T.CLOSE, None, None), A1),
    "a close at rest waits": (machine(_S.PASSIVE, _T.CLOSE, None, _S.BACKOFF), A1),
    "a rest dials": (machine(_S.CLOSING, _T.LOST, _G.SUSPEND, _S.CONNECTING), A1),
    "a close while dialling waits": (machine(_S.CONNECTING, _T.CLOSE, None, _S.BACKOFF), C1),
    "what came back counts as sent": (outbox(_M.HANDED_OVER, _U.RETURN, _M.SETTLED), G1),
    "what nobody acknowledged is settled": (outbox(_M.UNACKNOWLEDGED, _U.RETURN, _M.SETTLED), G1),
    "a drop counts as sent": (outbox(_M.WAITING, _U.DROP, _M.SETTLED), G1),
    "what is accepted is dropped": (outbox(_M.OFFERED, _U.ADMIT, _M.DROPPED), DROPPED),
}


@pytest.mark.spec("L1.9")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_found(name: str, tmp_path: Path) -> None:
    model, broken = WRONG[name]
    verdict = verify(tmp_path, model)
    assert verdict.errors > 0
    assert verdict.broken.startswith(broken), verdict
