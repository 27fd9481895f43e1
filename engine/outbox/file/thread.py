"""The thread that waits for the disk, so that the event loop does not."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

Job = tuple[Callable[[], object], Callable[[], object]]
"""What to do in the thread, and what to call in the loop then. What raises ends the thread."""


class FileThread(Thread):
    """Does one job after the other, and calls back in the event loop after each.

    It is a daemon: an engine that nobody closes must not keep the interpreter from ending. Raises
    `RuntimeError` where no thread can be started.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="recloser outbox", daemon=True)
        self._loop = loop
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        """None ends the thread. Nothing is called in a loop that is closed by then."""
        self.start()

    def run(self) -> None:
        """Do the jobs."""
        while (found := self.jobs.get()) is not None:
            job, done = found
            try:
                job()
            finally:
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(done)
            del found, job, done  # they would keep the engine alive while nothing is to be done
