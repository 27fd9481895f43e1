"""Two processes search for the same verdicts as one does, also where one of them dies."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from recloser import Close, Context, Retry, Stop, policies
from recloser.fsm import Decision, Policy
from recloser.testing import examine
from recloser.testing.gallery import CountsItself, NoJitter, RedialsAfterLogout, ResetOnOpen
from recloser.testing.search.fork import Fork, processors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})


class Pids:
    """A maker of policies that notes in a file which process asks for one."""

    def __init__(self, path: Path, make: Callable[[], Policy] = policies.standard) -> None:
        self._path = path
        self._make = make

    def __call__(self) -> Policy:
        with self._path.open("a") as noted:
            noted.write(f"{os.getpid()}\n")
        return self._make()

    def seen(self) -> set[int]:
        return {int(each) for each in self._path.read_text().split()}


@pytest.mark.spec("K1.2", "K4")
def test_a_sound_policy_is_searched_by_two_processes_with_one_report(tmp_path: Path) -> None:
    alone, together = Pids(tmp_path / "alone"), Pids(tmp_path / "together")
    one = examine(alone, quick=True)
    two = examine(together, quick=True, processes=2)
    assert (one.sound, one.questions, one.stories) == (two.sound, two.questions, two.stories)
    assert one.verdicts == two.verdicts
    assert alone.seen() == {os.getpid()}
    assert len(together.seen()) == 2
    assert os.getpid() in together.seen()


@pytest.mark.spec("K1.2", "K1.4", "K4")
@pytest.mark.parametrize("make", [RedialsAfterLogout, ResetOnOpen, NoJitter, CountsItself])
def test_a_law_that_is_broken_is_told_alike(make: Callable[[], Policy]) -> None:
    """By a question, by a life, by a fleet, and by a policy that remembers."""
    one, two = (examine(make, quick=True, processes=each) for each in (1, 2))
    assert not one.sound
    assert one == two


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Elsewhere:
    """Fails in every process but the first."""

    home = os.getpid()

    def __init__(self, fail: Callable[[], object]) -> None:
        self._fail = fail

    def decide(self, close: Close, context: Context) -> Decision:
        if os.getpid() != self.home:
            self._fail()
        if close.intentional:
            return Stop()
        return Retry(min(60.0, 2.0 ** min(context.attempt, 6)) * (0.5 + context.roll / 2))


@pytest.mark.spec("K4")
@pytest.mark.parametrize("fail", [lambda: os._exit(0), lambda: os._exit(3), killed, sys.exit])
def test_a_part_whose_process_dies_is_searched_here(fail: Callable[[], object]) -> None:
    one, two = (examine(Elsewhere(fail), quick=True, processes=each) for each in (1, 2))
    assert one.sound
    assert one == two


def test_beside_other_threads_nothing_is_forked(tmp_path: Path) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert processors() == 1
        pids = Pids(tmp_path / "pids")
        assert examine(pids, quick=True, processes=2).sound
    finally:
        done.set()
        thread.join()
    assert pids.seen() == {os.getpid()}
    assert processors() == 2


def test_a_process_that_nobody_waits_for_ends_at_once() -> None:
    fork = Fork(signal.pause)
    fork.stop()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("processes", [0, -1, True, 1.5])
def test_processes_are_a_whole_number(processes: int) -> None:
    with pytest.raises(ValueError, match="processes must be a whole number of at least 1"):
        examine(policies.standard, processes=processes)
