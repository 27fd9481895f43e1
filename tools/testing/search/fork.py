"""A part of a search that a forked process does meanwhile, where a processor is left for it."""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, TextIO

_THREADS: Final = Path("/proc/self/task")
"""One entry for each thread of this process, those included that Python knows nothing of."""


def processors() -> int:
    """Return how many processes it pays to have: 1 where a fork is not safe.

    It is safe on Linux, and while there is one thread: the locks of the others would stay locked in
    the new process. Its end must be told to this process alone: where SIGCHLD is ignored it is told
    to nobody, and a handler may have waited for it.
    """
    if sys.platform != "linux" or signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL:
        return 1
    try:
        threads = len(list(_THREADS.iterdir()))
    except OSError:  # no /proc here, or no descriptor left: nobody knows
        return 1
    return 1 if threads > 1 else len(os.sched_getaffinity(0))


class Fork:
    """A process that does `work` and hands over what it returns, which JSON can write.

    The end of its `with` ends a process that still works: nobody wants its result. Where the system
    gives no process there is none, and no result.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._answer: TextIO | None = None
        self._child: int | None = None
        """The process while it works."""
        with suppress(OSError):
            self._begin(work)

    def _begin(self, work: Callable[[], object]) -> None:
        read, write = os.pipe()
        self._answer = os.fdopen(read, encoding="utf-8")
        try:
            self._child = os.fork()
            if self._child == 0:
                _hand_over(work, write)
        finally:
            os.close(write)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._answer is not None:
            self._answer.close()
        if self._child is not None:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def result(self) -> Any:
        """Wait for what the work returned; None if it raised, or if the process died."""
        if self._answer is None or self._child is None:
            return None
        text = self._answer.read()
        _, status = os.waitpid(self._child, 0)
        self._child = None
        return json.loads(text) if text and status == 0 else None


def _hand_over(work: Callable[[], object], write: int) -> None:
    """Write the result and end; the exits of the process that forked are not run twice."""
    status = 1
    try:
        text = json.dumps(work())
        with os.fdopen(write, "w", encoding="utf-8") as pipe:
            pipe.write(text)
        status = 0
    finally:
        os._exit(status)
