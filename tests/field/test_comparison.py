"""What a second run reports: differences between versions, and no noise of a busy machine."""

from dataclasses import replace

import pytest

from recloser.policies.field import FieldRow
from tests.field.comparison import differences, merged

ROW = FieldRow(
    software="server",
    variant="",
    version="1.0",
    event="stop",
    how="SIGTERM",
    end="close frame",
    code=1012,
    reason="",
    status=None,
    tcp="FIN",
    seconds=0.1,
    away=1.0,
    policy="standard",
    rule="restart",
    should="spread",
    note="",
    date="2026-11-29",
)
NEWER = replace(ROW, version="2.0", date="2027-01-01")

pytestmark = pytest.mark.spec("B23.1")


def test_another_version_that_does_the_same_is_no_difference() -> None:
    noise = replace(NEWER, tcp="RST", seconds=1.4, away=3.0)
    assert list(differences([ROW], [noise])) == []


def test_another_code_is_told_with_both_versions() -> None:
    gone = replace(NEWER, code=1001, rule="going-away")
    assert list(differences([ROW], [gone])) == [
        'server 2.0, stop (SIGTERM): wire was 1012 "" (1.0), and is 1001 ""',
        "server 2.0, stop (SIGTERM): rule was restart (1.0), and is going-away",
    ]


def test_another_time_is_told_where_it_is_no_noise() -> None:
    slow = replace(NEWER, seconds=30.0)
    [line] = differences([ROW], [slow])
    assert line == "server 2.0, stop (SIGTERM): it ended after 0.1 s (1.0), now 30 s"
    assert list(differences([ROW], [slow], timed=False)) == []
    gone = replace(slow, code=1001)
    assert len(list(differences([ROW], [gone], timed=False))) == 1


def test_a_row_that_was_not_there_is_new() -> None:
    other = replace(NEWER, event="kill", how="SIGKILL", end="cut", code=None)
    assert list(differences([ROW], [other])) == ["server 2.0, kill (SIGKILL): a new row: cut"]


def test_rows_that_were_not_run_are_kept_and_others_take_their_place() -> None:
    kill = replace(ROW, event="kill", how="SIGKILL", end="cut", code=None)
    assert merged([kill, ROW], [NEWER]) == [NEWER, kill]
