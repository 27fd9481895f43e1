"""One dial and everything born from it, and its release once it is over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from recloser import log
from recloser.driver.scope import Scope
from recloser.fsm.events import Expired
from recloser.fsm.record import Close
from recloser.transport.base import Transport

if TYPE_CHECKING:
    from recloser.transport.base import Wire


class Generation:
    """Owns the dial task, the wire and the scope of one generation."""

    __slots__ = ("_fields", "_left_at", "_lost", "_scope", "number", "over", "task", "wire")

    def __init__(
        self,
        number: int,
        fields: Mapping[str, object],
        lost: Callable[["Generation", Close], None],
    ) -> None:
        self.number = number
        self.task: asyncio.Task[None] | None = None
        self.wire: Wire | None = None
        self.over = False
        """The wire has told its end, or was aborted."""
        self._fields = fields
        self._lost = lost
        self._scope: Scope | None = None
        self._left_at: float | None = None

    @property
    def up(self) -> bool:
        """Whether there is a wire that has not ended."""
        return self.wire is not None and not self.over

    @property
    def scope(self) -> Scope:
        """The scope, made when first asked for: most generations need none."""
        if self._scope is None:
            self._scope = Scope(self._fields)
            if self._left_at is not None:
                self._scope.end()
        return self._scope

    def ended(self, close: Close) -> None:
        """Take the end of the wire, and pass it on."""
        self.over = True
        self._lost(self, close)

    def spare(self, task: asyncio.Task[Any] | None) -> None:
        """Leave the task that asks for the end alone, if it is one of the scope's."""
        if self._scope is not None:
            self._scope.spare(task)

    def leave(self) -> None:
        """End the scope: what is in it must not outlive the open state."""
        if self._left_at is None:
            self._left_at = asyncio.get_running_loop().time()
            if self._scope is not None:
                self._scope.end()

    def shut(self, code: int, reason: str) -> None:
        """Close the wire, or give up the dial; `on_open`, if it is running, is cancelled."""
        if self.wire is not None and not self.over:
            self.wire.close(code, reason)
        if self.task is not None:
            self.task.cancel()

    def abort(self) -> None:
        """Drop the wire and the dial at once."""
        if self.wire is not None and not self.over:
            self.over = True
            self.wire.abort()
        if self.task is not None:
            self.task.cancel()

    def expired(self, deadline: float, unread: int) -> Expired:
        """Return the event of a deadline that has passed, with what the wire knows."""
        if self.wire is None:
            return Expired(deadline, unread=unread)
        return Expired(deadline, self.wire.sent_code, self.wire.unsent, unread)

    def waits_for(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether `settled` waits for this task."""
        return task is not None and (
            task is self.task or (self._scope is not None and self._scope.holds(task))
        )

    async def settled(self, bound: float) -> None:
        """Wait for the tasks that `leave` and `abort` have cancelled.

        Those that are there `bound` seconds after `leave` are named in the log and left.
        """
        pending = set() if self._scope is None else self._scope.left()
        if self.task is not None:
            pending.add(self.task)
        if pending:
            waited = asyncio.get_running_loop().time() - (self._left_at or 0.0)
            _, stuck = await asyncio.wait(pending, timeout=max(0.0, bound - waited))
            for task in stuck:
                log.trouble(log.TASK_STUCK, self._fields, task=task.get_name(), waited=bound)


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
                    await self._free(generation.wire.wait_closed(), "wire")
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
