"""A part of a search that a forked process does meanwhile, where a processor is left for it."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

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
    """A process that does `work` and hands over what it returns, which JSON can write."""

    def __init__(self, work: Callable[[], object]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        read, write = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            _hand_over(work, write)
        os.close(write)
        self._answer = read

    def result(self) -> Any:
        """Wait for what the work returned; None if it raised, or if the process died."""
        with os.fdopen(self._answer, encoding="utf-8") as pipe:
            text = pipe.read()
        _, status = os.waitpid(self._child, 0)
        return json.loads(text) if text and status == 0 else None

    def stop(self) -> None:
        """End the process: nobody wants its result."""
        os.close(self._answer)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


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
