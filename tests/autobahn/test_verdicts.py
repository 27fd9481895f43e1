"""The judgement of `make autobahn`: what failed is found, and compared with the library."""

import doctest
from pathlib import Path

import pytest

from tests.autobahn import verdicts
from tests.autobahn.suite import Unavailable, python27
from tests.autobahn.verdicts import OUTCOMES, failed, faults, outcome, table


def verdict(behavior: str, close: str = "OK") -> dict[str, str]:
    return {"behavior": behavior, "behaviorClose": close}


GOOD = verdict("OK")
BAD = verdict("FAILED", "FAILED")


def test_the_examples_hold() -> None:
    assert doctest.testmod(verdicts) == (0, 2)


@pytest.mark.parametrize("close", ["FAILED", "UNCLEAN", "WRONG CODE"])
@pytest.mark.parametrize("behavior", OUTCOMES)
def test_a_case_that_ended_badly_has_failed(behavior: str, close: str) -> None:
    assert outcome(verdict(behavior, close)) == "FAILED"


@pytest.mark.parametrize("behavior", OUTCOMES)
def test_a_case_that_ended_well_has_the_outcome_of_what_was_echoed(behavior: str) -> None:
    assert outcome(verdict(behavior, "INFORMATIONAL")) == behavior


def test_failures_come_in_the_order_of_the_suite() -> None:
    assert failed({"10.1": BAD, "9.2": GOOD, "9.10": BAD, "9.9": BAD}) == ["9.9", "9.10", "10.1"]


def test_a_failure_that_the_library_has_as_well_is_no_fault() -> None:
    ours = {"1.1": GOOD, "1.2": BAD, "1.3": BAD}
    assert faults(ours, {"1.1": BAD, "1.2": BAD, "1.3": GOOD}) == ["1.3"]


def test_a_case_that_one_of_them_has_not_played_is_a_fault() -> None:
    assert faults({"1.1": GOOD}, {"1.1": GOOD, "1.2": GOOD}) == ["1.2"]
    assert faults({"1.1": GOOD, "1.2": GOOD}, {"1.1": GOOD}) == ["1.2"]


def test_the_table_counts_by_section_and_in_all() -> None:
    assert table({"one": {"1.1": GOOD, "12.1": BAD}, "two": {"1.1": verdict("NON-STRICT")}}) == (
        "| section | one | two |\n"
        "| --- | --- | --- |\n"
        "| 1 framing | 1 OK | 1 NON-STRICT |\n"
        "| 12 compression | 1 FAILED |  |\n"
        "| all | 1 OK, 1 FAILED | 1 NON-STRICT |"
    )


def test_an_executable_that_is_no_python27_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="name its executable"):
        python27(str(tmp_path / "python2.7"))


def test_a_shim_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv puts one in PATH for every Python, also where none of that version is chosen."""
    shim, real = tmp_path / "bin" / "python2.7", tmp_path / "versions/2.7.18/bin/python2.7"
    for path, script in ((shim, "exit 127"), (real, "printf 2.7")):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert python27(None) == real
    real.unlink()
    with pytest.raises(Unavailable, match="PYTHON27="):
        python27(None)
