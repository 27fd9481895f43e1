"""One dial with everything that belongs to it, and the release of all that after its end."""

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from recloser import log
from recloser.driver.scope import Scope
from recloser.driver.watchdog import Watchdog
from recloser.fsm.events import Advise, Expired, Fail
from recloser.fsm.record import Close, varied
from recloser.fsm.timeouts import FAREWELL
from recloser.transport.wire import Transport, Wire


class Watch(Protocol):
    """What ends a generation by a time of its own."""

    def stop(self) -> None:
        """Watch no longer."""
        ...


class Owner(Protocol):
    """The driver, as a generation sees it."""

    fields: Mapping[str, object]

    def dialled(self, generation: "Generation", task: asyncio.Task[None] | None) -> None:
        """Take the end of the dial's task, or, without one, that the dial has succeeded."""
        ...

    def wire_ended(self, generation: "Generation", close: Close) -> None:
        """Take the end of the wire."""
        ...

    def watch(self, number: int, after: float, name: str) -> Watchdog:
        """Watch one subscription of the generation of this number."""
        ...


class Generation:
    """Owns the dial task, the wire and the scope of one generation."""

    __slots__ = (
        "_end",
        "_left_at",
        "_owner",
        "_scope",
        "farewell",
        "number",
        "task",
        "watches",
        "wire",
        "wire_ended",
    )

    def __init__(self, number: int, owner: Owner) -> None:
        self.number: int = number
        self.task: asyncio.Task[None] | None = None
        self.wire: Wire | None = None
        self.wire_ended: bool = False
        """Whether the wire has reported its end, or was aborted."""
        self.farewell: tuple[int, str] | None = None
        """Code and reason of the close frame to send when the generation is given up."""
        self._end: asyncio.Event | None = None
        self._owner = owner
        self.watches: tuple[Watch, ...] = ()
        """The limits of this generation, where the application has set any."""
        self._scope: Scope | None = None
        self._left_at: float | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a wire that has not ended."""
        return self.wire is not None and not self.wire_ended

    @property
    def scope(self) -> Scope:
        """The scope; it is made when first used, since most generations need none."""
        if self._scope is None:
            self._scope = Scope(self._owner.fields, partial(self._owner.watch, self.number))
            if self._left_at is not None:
                self._scope.end()
        return self._scope

    def begin(self, dial: Coroutine[Any, Any, None]) -> None:
        """Run the dial in a task of its own."""
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(dial, name=f"recloser dial {self.number}")
        self.task.add_done_callback(self.dialled)

    def dialled(self, task: asyncio.Task[None]) -> None:
        """Take the end of the dial's task, and pass it on."""
        self.task = None
        self._owner.dialled(self, task)

    def succeeded(self) -> None:
        """Pass on that the dial has succeeded; its task calls this last, and spares a turn.

        A task that somebody has cancelled tells by its end, as one does that fails; so does one
        that an eager loop has run before `begin` knows it.
        """
        task = self.task
        if task is not None and not task.cancelling():
            task.remove_done_callback(self.dialled)
            self.task = None
            try:
                self._owner.dialled(self, None)
            except (KeyboardInterrupt, SystemExit):
                # It leaves the loop by itself; asyncio must not call it an error of this task too.
                task.add_done_callback(asyncio.Task.exception)
                raise

    def ended(self, close: Close) -> None:
        """Take the end of the wire, and pass it on."""
        self.wire_ended = True
        if self._end is not None:
            self._end.set()
        self._owner.wire_ended(self, close)

    def detach(self, task: asyncio.Task[Any] | None) -> None:
        """Do not cancel or await this task of the scope: it is the caller of `close()`."""
        if self._scope is not None:
            self._scope.detach(task)

    def leave(self) -> None:
        """End the scope: its tasks and callbacks must not outlive the open state."""
        if self._left_at is None:
            self._left_at = asyncio.get_running_loop().time()
            for watch in self.watches:
                watch.stop()
            if self._scope is not None:
                self._scope.end()

    def shut(self, code: int, reason: str) -> None:
        """Close the wire and cancel the dial; `on_open` is part of the dial."""
        if self.wire is not None and not self.wire_ended:
            self.wire.close(code, reason)
        if self.task is not None:
            self.task.cancel()

    def abort(self) -> None:
        """Abort the wire and cancel the dial."""
        if self.wire is not None and not self.wire_ended:
            self.wire_ended = True
            self.wire.abort()
        if self.task is not None:
            self.task.cancel()

    def give_up(self) -> None:
        """Close the wire with the farewell, if there is one; otherwise abort it."""
        if self.farewell is not None and self.connected:
            self._end = asyncio.Event()
            self.shut(*self.farewell)
        else:
            self.abort()

    async def finish(self, bound: float) -> None:
        """Wait for the answer to the farewell, `bound` seconds at most; then abort."""
        if self._end is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(bound):
                    await self._end.wait()
        self.abort()

    def expired(self, deadline: float, undelivered: int) -> Expired:
        """Make the event of a deadline that has passed, with what the wire knows."""
        if self.wire is None:
            return Expired(deadline, undelivered=undelivered)
        return Expired(deadline, self.wire.sent_code, self.wire.unsent, undelivered)

    def failed(
        self, close: Close, code: int | None, reason: str, advice: Advise | None, undelivered: int
    ) -> Fail:
        """Make the event that ends the open generation, with what the wire knows.

        Where messages are in the write buffer that go out again on the next connection, the
        socket is dropped without a close frame: they must not leave now, too.
        """
        unsent = 0 if self.wire is None else self.wire.unsent
        again = self.wire is not None and unsent > 0 and self.wire.undelivered.resend
        close = varied(close, sent_code=None if again else code, unsent=unsent)
        return Fail(self.number, close, advice, reason, undelivered)

    def owns(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether `join` waits for this task."""
        return task is not None and (
            task is self.task or (self._scope is not None and task in self._scope.tasks())
        )

    @property
    def lingers(self) -> bool:
        """Whether its release waits for more than its socket: for a task, or for an answer."""
        tasks = self._scope is not None and bool(self._scope.tasks())
        return tasks or self.task is not None or self._end is not None

    async def join(self, bound: float) -> None:
        """Wait for the tasks that `leave` and `abort` have cancelled.

        A task that still runs `bound` seconds after `leave` is named in the log; nobody waits
        for it any more.
        """
        pending = set() if self._scope is None else self._scope.tasks()
        if self.task is not None:
            pending.add(self.task)
        if pending:
            waited = asyncio.get_running_loop().time() - (self._left_at or 0.0)
            _, stuck = await asyncio.wait(pending, timeout=max(0.0, bound - waited))
            for task in stuck:
                log.task_stuck(self._owner.fields, task.get_name(), bound)


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
