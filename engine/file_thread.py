"""`FileThread` waits for a disk, so that no event loop does."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio  # who reads a journal needs none of it

Job = Callable[[], object]
"""What to do in the thread. A job catches what it raises: an exception ends the thread."""

FORK_DEADLINE: Final = 1.0
"""Seconds for which a fork waits for the jobs under way."""


class FileThread:
    """Does one job after the other in a thread that the first job starts.

    The thread is a daemon: a disk that stalls must not keep the interpreter from ending. It ends
    after the last job once nobody has this object any more. A process that was forked has no
    thread until its own first job, and the jobs of its parent are not done twice. A fork waits
    for the job under way, `FORK_DEADLINE` at most: SQLite's locks, held at a fork, stay held in
    the child for ever. Calls come from one thread at a time.
    """

    __slots__ = ("_between", "_jobs", "_name", "_thread")

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._between = Lock()
        """Held while the thread does a job."""
        self._jobs = SimpleQueue[Job | None]()
        self._thread: Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs, in this process."""
        return self._thread is not None and self._thread.is_alive()

    def do(self, job: Job) -> None:
        """Do a job after those before it. Raises `OSError` where no thread can be started."""
        if not self.alive:
            jobs, between = SimpleQueue[Job | None](), Lock()
            thread = Thread(target=_work, args=(jobs, between), name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise OSError(str(error)) from error
            self._jobs, self._between, self._thread = jobs, between, thread
        self._jobs.put(job)

    def do_for(self, loop: "asyncio.AbstractEventLoop", job: Job, done: Job) -> None:
        """Do a job, and call `done` in an event loop then, unless the loop is closed by then.

        Raises `OSError` where no thread can be started.
        """
        self.do(lambda: _call_back(loop, job, done))

    def pause(self, seconds: float) -> None:
        """Sleep, in a job; a fork does not wait for that."""
        self._between.release()
        try:
            time.sleep(seconds)
        finally:
            self._between.acquire()

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


def _work(jobs: SimpleQueue[Job | None], between: Lock) -> None:
    _forks.add(between)
    try:
        while (job := jobs.get()) is not None:
            with between:
                job()
            del job  # it would keep its owner alive while nothing is to be done
    finally:
        _forks.discard(between)


def _call_back(loop: "asyncio.AbstractEventLoop", job: Job, done: Job) -> None:
    try:
        job()
    finally:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(done)


class _Forks:
    """Lets the process fork between the jobs of all threads."""

    def __init__(self) -> None:
        self._locks: set[Lock] = set()
        """Of each thread: held while it does a job."""
        self._fork = Lock()
        """Held during a fork: two threads do not fork at a time, and no new one begins a job."""
        self._held: list[Lock] = []

    def add(self, between: Lock) -> None:
        with self._fork:
            self._locks.add(between)

    def discard(self, between: Lock) -> None:
        self._locks.discard(between)

    def before(self) -> None:
        self._fork.acquire()
        over = time.monotonic() + FORK_DEADLINE
        for between in tuple(self._locks):
            if between.acquire(timeout=max(0.0, over - time.monotonic())):
                self._held.append(between)

    def in_parent(self) -> None:
        while self._held:
            self._held.pop().release()
        self._fork.release()

    def in_child(self) -> None:
        """Forget the threads of the parent; a new one has a lock of its own."""
        self._locks.clear()
        self._held.clear()
        self._fork.release()


_forks: Final = _Forks()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_forks.before,
        after_in_parent=_forks.in_parent,
        after_in_child=_forks.in_child,
    )
