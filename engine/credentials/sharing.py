"""One call of a provider that many dials wait for (E4)."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """A task that is cancelled when the last of its waiters is cancelled."""

    __slots__ = ("_loop", "_task", "_waiting")

    def __init__(self, call: Coroutine[Any, Any, T], *, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(call, name=name)
        self._task.add_done_callback(_retrieve)
        self._waiting = 0

    @property
    def joinable(self) -> bool:
        """Whether a task of the running loop may wait for it: it runs, and others wait for it."""
        task = self._task
        return (
            self._loop is asyncio.get_running_loop() and not task.done() and not task.cancelling()
        )

    async def result(self) -> T:
        """Wait for the outcome; cancelling this cancels the call if no other task waits."""
        self._waiting += 1
        try:
            await asyncio.wait((self._task,))
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._task.cancel()
                await asyncio.wait((self._task,))
        return self._task.result()


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # retrieved, or asyncio reports it
