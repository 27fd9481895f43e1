"""The release of what belonged to a generation, after its end."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final, Protocol

from recloser import log
from recloser.driver.generation import Generation
from recloser.fsm.timeouts import FAREWELL
from recloser.transport.wire import Transport

_TURNS: Final = 2
"""Turns of the event loop after an end: a wire tells of it before it closes its socket, which a
transport of asyncio does one turn after it is asked."""


class Releasable(Protocol):
    """What belongs to an engine longer than to a generation: its sender, its lease."""

    async def released(self) -> None:
        """Let go of what is held: every generation is released."""
        ...


class Releaser:
    """Releases the ended generations of one engine, one after the other.

    There is at most one task that the engine waits for: it waits for the task before it.
    """

    __slots__ = (
        "_bound",
        "_ended",
        "_fields",
        "_lease",
        "_sender",
        "_task",
        "_transport",
        "unowned",
    )

    def __init__(
        self,
        transport: Transport,
        sender: Releasable,
        lease: Releasable | None,
        *,
        bound: float,
        fields: Mapping[str, object],
    ) -> None:
        self._transport = transport
        self._sender = sender
        self._lease = lease
        self._bound = bound
        self._fields = fields
        self._ended: tuple[Generation, ...] = ()
        """Generations that are being released."""
        self._task: asyncio.Task[None] | None = None
        self.unowned: bool = False
        """Whether the application has lost the engine: then nothing is awaited any more."""

    @property
    def idle(self) -> bool:
        """Whether everything is released."""
        return self._task is None and (self.unowned or not self._ended)

    def start(self, generation: Generation | None, *, last: bool) -> None:
        """Release a generation that was left soon; with `last` also the transport and the outbox.

        Without a generation the lease alone is released, if there is one.
        """
        if generation is None and not last and self._lease is None:
            return
        if generation is not None:
            generation.give_up()
            if self.unowned:
                generation.abort()
            self._ended += (generation,)
        if self.unowned:
            if last:
                self._close_transport_now()
            return
        at_once = last or self._lease is not None or self._task is not None
        if generation is None or at_once or generation.lingers:
            self._begin(() if generation is None else (generation,), last=last)
        elif generation.wire is None:
            self._forget(generation)  # a dial that failed: it left nothing behind
        else:
            asyncio.get_running_loop().call_soon(self._look, generation, _TURNS)

    def _look(self, generation: Generation, turns: int) -> None:
        """Forget a generation whose socket is closed within `turns` of the loop, as most are.

        A task and its timers would be a tenth of what a return costs.
        """
        if self._task is not None or generation not in self._ended:
            return  # somebody has asked, and a task releases it
        wire = generation.wire
        if wire is not None and wire.closed:
            generation.wire = None
            self._forget(generation)
        elif turns > 1:
            asyncio.get_running_loop().call_soon(self._look, generation, turns - 1)
        else:
            self._begin(())

    def _begin(self, generations: tuple[Generation, ...], *, last: bool = False) -> None:
        """Release these generations in a task; the first task takes all that have ended."""
        whose = self._ended if self._task is None else generations
        task = asyncio.get_running_loop().create_task(
            self._release(self._task, whose, last=last), name="recloser release"
        )
        self._task = task
        task.add_done_callback(self._done)

    async def wait(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - no error
        """Wait until everything that has ended is released, or for `timeout` seconds.

        Returns at once in a task that the release itself waits for: a task of the scope that
        closes the engine while it is being cancelled.
        """
        if self._task is None and self._ended and not self.unowned:
            self._begin(())
        task = self._task
        if task is None:
            return
        current = asyncio.current_task()
        if not any(generation.owns(current) for generation in self._ended):
            await asyncio.wait({task}, timeout=timeout)

    def abandon(self) -> None:
        """Begin anew: the event loop of the release is closed, or the release has ended."""
        self._task, self._ended = None, ()

    def drop_wires(self, *generations: Generation | None) -> None:
        """Close the sockets of these generations and of the ended: the event loop is closed."""
        for generation in (*generations, *self._ended):
            if generation is not None and generation.wire is not None:
                try:
                    generation.wire.drop()
                except Exception as error:  # noqa: BLE001 - a broken wire must not keep the others
                    log.failure(log.RELEASE_FAILED, self._fields, "wire", error)

    async def _release(
        self,
        before: asyncio.Task[None] | None,
        generations: tuple[Generation, ...],
        *,
        last: bool,
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        try:
            for generation in generations:
                await generation.join(self._bound)
                await generation.finish(FAREWELL)
                if generation.wire is not None and not generation.wire.closed:
                    await self._attempt(generation.wire.wait_closed(), "wire")
                generation.wire = None
                self._forget(generation)
        finally:
            if self._lease is not None:
                await self._attempt(self._lease.released(), "lease")
            if last:
                await self._attempt(self._transport.aclose(), "transport")
                await self._attempt(self._sender.released(), "outbox")

    def _close_transport_now(self) -> None:
        """Close the transport as far as that needs no waiting."""
        closing = self._transport.aclose()
        try:
            closing.send(None)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - a broken transport must not stop the engine
            log.failure(log.RELEASE_FAILED, self._fields, "transport", error)
        else:
            closing.close()

    async def _attempt(self, release: Awaitable[None], name: str) -> None:
        try:
            async with asyncio.timeout(self._bound):
                await release
        except Exception as error:  # noqa: BLE001 - a broken transport must not stop the engine
            log.failure(log.RELEASE_FAILED, self._fields, name, error)

    def _forget(self, generation: Generation) -> None:
        if self._ended == (generation,):
            self._ended = ()  # most often there is one
        else:
            self._ended = tuple(each for each in self._ended if each is not generation)

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self.abandon()
