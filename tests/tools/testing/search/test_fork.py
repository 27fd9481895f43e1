"""Two processes search for the same verdicts as one does, also where one of them dies."""

import subprocess
import sys
from pathlib import Path

import pytest

from recloser import policies
from recloser.testing import examine
from tests.tools.testing.search import fork_cases


def play(case: str) -> None:
    """Play a case in a process that has one thread; its assertions say what went wrong."""
    command = [sys.executable, "-W", "error", "-m", fork_cases.__name__, case]
    root = Path(__file__).parents[4]
    ended = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.spec("K1.2", "K4")
@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_sound_policy_is_searched_by_two_processes_with_one_report() -> None:
    play("a_sound_policy")


@pytest.mark.spec("K1.2", "K1.4", "K4")
@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_law_that_is_broken_is_told_alike() -> None:
    play("broken_laws")


@pytest.mark.spec("K4")
@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_part_whose_process_dies_is_searched_here() -> None:
    play("deaths")


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_beside_other_threads_nothing_is_forked() -> None:
    play("other_threads")


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_process_that_nobody_waits_for_ends_at_once() -> None:
    play("nobody_waits")


@pytest.mark.spec("K4")
@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
@pytest.mark.parametrize(
    "case", ["nobody_is_told_of_its_end", "no_descriptor_is_left", "no_process_is_left"]
)
def test_where_no_process_can_be_had_the_first_one_searches_all(case: str) -> None:
    play(case)


@pytest.mark.parametrize("processes", [0, -1, True, 1.5])
def test_processes_are_a_whole_number(processes: int) -> None:
    with pytest.raises(ValueError, match="processes must be a whole number of at least 1"):
        examine(policies.standard, processes=processes)
