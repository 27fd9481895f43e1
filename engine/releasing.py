"""Frees what ended generations held, one after the other, and lets others wait for that."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from recloser import log
from recloser.generation import Generation
from recloser.transport.base import Transport


class Releasing:
    """The releases of one engine: at most one task, which waits for the one before it."""

    __slots__ = ("_also", "_bound", "_ended", "_fields", "_task", "_transport")

    def __init__(
        self,
        transport: Transport,
        also: Callable[[], Awaitable[None]],
        *,
        bound: float,
        fields: Mapping[str, object],
    ) -> None:
        self._transport = transport
        self._also = also  # frees what the outlet holds
        self._bound = bound
        self._fields = fields
        self._ended: tuple[Generation, ...] = ()
        """Generations that are being released."""
        self._task: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to release."""
        return self._task is None

    def start(
        self, loop: asyncio.AbstractEventLoop, generation: Generation | None, *, last: bool
    ) -> None:
        """End a generation now and free it soon; the transport's own things too if `last`."""
        if generation is not None:
            generation.leave()
            generation.abort()
            self._ended += (generation,)
        task = loop.create_task(
            self._release(self._task, generation, last=last), name="recloser release"
        )
        self._task = task
        task.add_done_callback(self._done)

    async def wait(self, patience: float | None = None) -> None:
        """Wait until all that has ended so far is free, or for `patience` seconds.

        Returns at once to a task that is itself waited for: a task of the scope that closes
        the engine while it is being cancelled.
        """
        task = self._task
        if task is None:
            return
        current = asyncio.current_task()
        if not any(generation.waits_for(current) for generation in self._ended):
            await asyncio.wait({task}, timeout=patience)

    def forget(self) -> None:
        """Begin anew on another event loop; that of the release has gone."""
        self._task, self._ended = None, ()

    async def _release(
        self, before: asyncio.Task[None] | None, generation: Generation | None, *, last: bool
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        try:
            if generation is not None:
                await generation.settled(self._bound)
                if generation.wire is not None:
                    await self._free(generation.wire.released(), "wire")
                generation.wire = None
                self._ended = tuple(each for each in self._ended if each is not generation)
        finally:
            if last:
                await self._free(self._transport.aclose(), "transport")
                await self._free(self._also(), "outbox")

    async def _free(self, what: Awaitable[None], name: str) -> None:
        try:
            async with asyncio.timeout(self._bound):
                await what
        except Exception as error:  # noqa: BLE001 - a broken transport must not stop the engine
            log.failed(log.RELEASE_FAILED, self._fields, name, error)

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self.forget()
