"""`FileThread` waits for a disk, so that no event loop does."""

import sys
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio  # who reads a journal needs none of it

Job = Callable[[], object]
"""What to do in the thread. A job catches what it raises: an exception ends the thread."""


class FileThread:
    """Does one job after the other in a thread that the first job starts.

    The thread is a daemon: a disk that stalls must not keep the interpreter from ending. It ends
    after the last job once nobody has this object any more. A process that was forked has no
    thread until its own first job, and the jobs of its parent are not done twice. Calls come from
    one thread at a time.
    """

    __slots__ = ("_jobs", "_name", "_thread")

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._jobs = SimpleQueue[Job | None]()
        self._thread: Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs, in this process."""
        return self._thread is not None and self._thread.is_alive()

    def do(self, job: Job) -> None:
        """Do a job after those before it. Raises `OSError` where no thread can be started."""
        if not self.alive:
            jobs = SimpleQueue[Job | None]()
            thread = Thread(target=_work, args=(jobs,), name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise OSError(str(error)) from error
            self._jobs, self._thread = jobs, thread
        self._jobs.put(job)

    def do_for(self, loop: "asyncio.AbstractEventLoop", job: Job, done: Job) -> None:
        """Do a job, and call `done` in an event loop then, unless the loop is closed by then.

        Raises `OSError` where no thread can be started.
        """
        self.do(lambda: _call_back(loop, job, done))

    def wait(self) -> None:
        """Wait until the jobs so far are done. Raises `OSError` where no thread can be started.

        While the interpreter ends there is no wait: no daemon runs any more.
        """
        if sys.is_finalizing():
            return
        over = Event()
        self.do(over.set)
        over.wait()

    def end(self) -> None:
        """End the thread after the jobs so far."""
        self._jobs.put(None)

    __del__ = end

    def join(self) -> None:
        """End the thread, and wait until the jobs so far are done.

        While the interpreter ends no daemon runs any more, and from Python 3.13 on none ends.
        """
        self.end()
        if self._thread is not None and not sys.is_finalizing():
            self._thread.join()


def _work(jobs: SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job  # it would keep its owner alive while nothing is to be done


def _call_back(loop: "asyncio.AbstractEventLoop", job: Job, done: Job) -> None:
    try:
        job()
    finally:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(done)
