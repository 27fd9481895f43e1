"""A part of a search that a forked process does meanwhile, where a processor is left for it."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

_THREADS: Final = Path("/proc/self/task")
"""One entry for each thread of this process, those included that Python knows nothing of."""


def processors() -> int:
    """Return how many processes it pays to have: 1 where a fork is not safe.

    It is safe on Linux, and while there is one thread: the locks of the others would stay locked in
    the new process.
    """
    if sys.platform != "linux" or len(list(_THREADS.iterdir())) > 1:
        return 1
    return len(os.sched_getaffinity(0))


class Fork:
    """A process that does `work` and hands over what it returns, which JSON can write.

    The end of its `with` ends a process that still works: nobody wants its result.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        read, write = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            _hand_over(work, write)
        os.close(write)
        self._answer = os.fdopen(read, encoding="utf-8")
        self._works = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        if self._works:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def result(self) -> Any:
        """Wait for what the work returned; None if it raised, or if the process died."""
        text = self._answer.read()
        _, status = os.waitpid(self._child, 0)
        self._works = False
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
