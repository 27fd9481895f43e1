"""Waiting for another part of the engine: one task, and an iteration in one task."""

import asyncio
from abc import ABC, abstractmethod
from typing import Generic, Self, TypeVar

from recloser.transport.errors import ConcurrentReceive

T = TypeVar("T")


class Waiter:
    """Suspends one task until it is woken.

    A wake is not remembered. The task looks at what it waits for before each `wait()`, and
    again after it.
    """

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a task waits."""
        return self._future is not None

    def wake(self) -> None:
        """Let the task that waits go on, if there is one."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Wait for the next wake; raises `ConcurrentReceive` if another task waits already."""
        if self._future is not None:
            raise ConcurrentReceive
        self._future = asyncio.get_running_loop().create_future()
        try:
            await self._future
        finally:
            self._future = None


class LiveIterator(ABC, Generic[T]):
    """An iteration over what is still to come, in one task; it delays nobody else."""

    __slots__ = ("__weakref__", "_ended", "_waiter")

    def __init__(self) -> None:
        self._waiter = Waiter()
        self._ended = False

    def wake(self, *, ended: bool = False) -> None:
        """Say that there is something new, or with `ended` that nothing more will come."""
        self._ended = self._ended or ended
        self._waiter.wake()

    @abstractmethod
    def _next(self) -> T | None:
        """Return the next item if there is one, else None."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._waiter.waiting:
            raise ConcurrentReceive
        while (item := self._next()) is None:
            if self._ended:
                raise StopAsyncIteration
            await self._waiter.wait()
        return item
