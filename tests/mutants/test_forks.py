"""Work in forks: every job has an answer, also one whose fork dies."""

import os
import signal

import pytest

from tests.mutants.forks import forked


def test_each_job_is_done_in_a_process_of_its_own() -> None:
    answers = dict(forked(range(5), lambda job: f"{job} {os.getpid()}", at_once=2))
    assert sorted(answers) == [0, 1, 2, 3, 4]
    pids = {each.split()[1] for each in answers.values()}
    assert len(pids) == 5
    assert str(os.getpid()) not in pids


def test_a_fork_that_dies_of_a_signal_answers_with_it() -> None:
    def work(job: int) -> str:
        if job:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    assert dict(forked([0, 1], work)) == {0: "done", 1: "signal 9"}


def test_an_error_of_a_fork_is_raised_here() -> None:
    def work(job: int) -> str:
        raise ValueError(f"job {job}")

    with pytest.raises(RuntimeError, match="ValueError: job 7"):
        list(forked([7], work))
