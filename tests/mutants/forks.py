"""Work in forks of this process, a few at once."""

import os
import selectors
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def forked(
    jobs: Iterable[T], work: Callable[[T], str], at_once: int = 1
) -> Iterator[tuple[T, str]]:
    """Do each job in a fork of its own, and give its answer when it is there.

    The answer of a fork that dies of a signal is "signal" and its number. One that raises an error
    ends the work with it.
    """
    waiting = iter(jobs)
    with selectors.DefaultSelector() as running:
        while True:
            for job in islice(waiting, at_once - len(running.get_map())):
                pid, answer = _fork(job, work)
                running.register(answer, selectors.EVENT_READ, (job, pid))
            if not running.get_map():
                return
            for key, _ in running.select():
                answer = key.fd
                running.unregister(answer)
                job, pid = key.data
                text = _read(answer)
                _, status = os.waitpid(pid, 0)
                if os.WIFSIGNALED(status):
                    text = f"signal {os.WTERMSIG(status)}"
                elif status:
                    raise RuntimeError(text)
                yield job, text


def _fork(job: T, work: Callable[[T], str]) -> tuple[int, int]:
    answer, own = os.pipe()
    pid = os.fork()
    if pid:
        os.close(own)
        return pid, answer
    status = 0
    try:
        text = work(job)
    except BaseException:  # noqa: BLE001 - it is told to the process that waits, which raises it
        text, status = traceback.format_exc(), 1
    with os.fdopen(own, "w", encoding="utf-8") as file:
        file.write(text)
    os._exit(status)


def _read(answer: int) -> str:
    with os.fdopen(answer, "rb") as file:
        return file.read().decode("utf-8")
