"""One dial with everything that belongs to it: its task, its wire and its scope."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from recloser import log
from recloser.driver.scope import Scope
from recloser.driver.watchdog import Watchdog
from recloser.fsm.events import Advise, Event, Expired, Fail, Wait
from recloser.fsm.record import Close, varied

if TYPE_CHECKING:
    from recloser.transport.wire import Wire


class Watch(Protocol):
    """What ends a generation by a time of its own."""

    def stop(self) -> None:
        """Watch no longer."""
        ...


class Owner(Protocol):
    """The driver, as a generation sees it."""

    fields: Mapping[str, object]

    def feed(self, event: Event) -> None:
        """Take the wait for a permit."""
        ...

    def withdraw(self, generation: "Generation") -> None:
        """Ask for no permit any more: the dial is cancelled."""
        ...

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
        "_context",
        "_end",
        "_left_at",
        "_owner",
        "_scope",
        "dial",
        "farewell",
        "number",
        "task",
        "waits",
        "watches",
        "wire",
        "wire_ended",
    )

    def __init__(self, number: int, owner: Owner) -> None:
        self.number: int = number
        self.task: asyncio.Task[None] | None = None
        self.waits: bool = False
        """Whether the dial waits for its permit, so that its deadline does not count."""
        self.dial: Callable[[object], Coroutine[Any, Any, None]] | None = None
        """What its task is to run, called with the permit; None once it does."""
        self._context: Context | None = None
        """That of who caused the dial, while this waits and has no task."""
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

    def begin(self, permit: object = None) -> None:
        """Run the dial in a task of its own, once; without a permit it asks for one."""
        dial, self.dial = self.dial, None
        if dial is not None:
            loop = asyncio.get_running_loop()
            self.task = loop.create_task(dial(permit), name=f"recloser dial {self.number}")
            self.task.add_done_callback(self.dialled)

    def answered(self, permit: object) -> None:
        """Begin with a permit, or with the record of another dial that stands for this one."""
        context, self._context = self._context, None
        if context is None:
            self.begin(permit)
        else:
            context.run(self.begin, permit)

    def wait(self) -> None:
        """Wait for `answered`, and have no task until then; the dial keeps this context."""
        self._context, self.waits = copy_context(), True

    def permitted(self) -> None:
        """Let the deadline of the dial count from now on: the wait for its permit is over."""
        self.waits = False
        self._owner.feed(Wait(self.number))

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
        self._cancel()

    def abort(self) -> None:
        """Abort the wire and cancel the dial."""
        if self.wire is not None and not self.wire_ended:
            self.wire_ended = True
            self.wire.abort()
        self._cancel()

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
        elif self._context is not None:
            self._owner.withdraw(self)

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
