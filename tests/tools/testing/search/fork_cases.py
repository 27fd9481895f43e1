"""Searches by two processes; each case needs a process of one thread, and a test runner has more.

python -m tests.tools.testing.search.fork_cases NAME
"""

import contextlib
import errno
import os
import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from recloser import Close, Context, Retry, Stop, policies
from recloser.fsm import Decision, Policy
from recloser.testing import examine
from recloser.testing.gallery import CountsItself, NoJitter, RedialsAfterLogout, ResetOnOpen
from recloser.testing.search.fork import Fork, processors


class Pids:
    """A maker of policies that notes in a file which process asks for one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> Policy:
        with self._path.open("a") as noted:
            noted.write(f"{os.getpid()}\n")
        return policies.standard()

    def seen(self) -> set[int]:
        """Return who has asked since the last time."""
        found = {int(each) for each in self._path.read_text().split()}
        self._path.write_text("")
        return found


def a_sound_policy() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pids = Pids(Path(folder) / "pids")
        one = examine(pids, quick=True)
        alone = pids.seen()
        two = examine(pids, quick=True, processes=2)
        together = pids.seen()
    assert one.sound
    assert one == two
    assert alone == {os.getpid()}
    assert len(together) == 2
    assert os.getpid() in together


def broken_laws() -> None:
    """By a question, by a life, by a fleet, and by a policy that remembers."""
    for make in (RedialsAfterLogout, ResetOnOpen, NoJitter, CountsItself):
        one, two = (examine(make, quick=True, processes=each) for each in (1, 2))
        assert not one.sound
        assert one == two


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


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deaths() -> None:
    for fail in (lambda: os._exit(0), lambda: os._exit(3), _killed, sys.exit):
        one, two = (examine(Elsewhere(fail), quick=True, processes=each) for each in (1, 2))
        assert one.sound
        assert one == two


def other_threads() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with tempfile.TemporaryDirectory() as folder:
        pids = Pids(Path(folder) / "pids")
        try:
            assert processors() == 1
            assert examine(pids, quick=True, processes=2).sound
        finally:
            done.set()
            thread.join()
        assert pids.seen() == {os.getpid()}
    assert processors() == 2


def nobody_is_told_of_its_end() -> None:
    """A parent that ignores SIGCHLD hands that on; the search ended with "No such process"."""
    for disposition in (signal.SIG_IGN, lambda *_: os.waitpid(-1, os.WNOHANG)):
        signal.signal(signal.SIGCHLD, disposition)
        assert processors() == 1
        assert examine(policies.standard, quick=True, processes=2).sound
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    assert processors() == 2


def no_descriptor_is_left() -> None:
    """The search ended with "Too many open files"; the lives of a client need some, too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    for left in (0, 1):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, hard))
        assert processors() == 2 - (left == 0)
        with Fork(list) as fork:
            assert fork.result() is None


def no_process_is_left() -> None:
    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    os.fork = refused  # the limit of processes does not bind root
    assert examine(policies.standard, quick=True, processes=2).sound


def nobody_waits() -> None:
    with contextlib.suppress(KeyboardInterrupt), Fork(signal.pause):
        raise KeyboardInterrupt
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError("the process is still there")


CASES = {
    case.__name__: case
    for case in (
        *(a_sound_policy, broken_laws, deaths, other_threads, nobody_waits),
        *(nobody_is_told_of_its_end, no_descriptor_is_left, no_process_is_left),
    )
}

if __name__ == "__main__":
    os.sched_getaffinity = lambda _pid: {0, 1}  # also where there is one processor
    CASES[sys.argv[1]]()
