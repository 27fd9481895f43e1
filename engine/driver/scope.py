"""Tasks and callbacks that end with one generation."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, Unpack

from recloser import log
from recloser.checks import check_plain_function, refuse_coroutine
from recloser.driver.watchdog import Watchdog
from recloser.fsm.numbers import check_seconds

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Scope:
    """Owns the tasks and callbacks of one generation: pollers, listeners and the like.

    They end with the open state, whatever ends it, once and in reverse order: tasks are
    cancelled, callbacks are called. An exception of a task or a callback is logged.
    """

    __slots__ = ("_entries", "_exchanges", "_fields", "_watch", "ended", "on_quiet")

    def __init__(
        self, fields: Mapping[str, object], watch: Callable[[float, str], Watchdog]
    ) -> None:
        self._entries: dict[asyncio.Task[Any] | partial[object], None] = {}
        self._fields = fields
        self._watch = watch
        self._exchanges = 0
        self.on_quiet: Callable[[], object] | None = None
        """Called when the last exchange is over; a planned end waits for it."""
        self.ended: bool = False

    def create_task(
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None
    ) -> asyncio.Task[T]:
        """Start a task that is cancelled when the generation ends.

        Raises `RuntimeError` after that.
        """
        if self.ended:
            coro.close()
            raise RuntimeError("this generation has ended: start tasks in on_open or while open")
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._entries[task] = None
        task.add_done_callback(self._done)
        return task

    def callback(self, function: Callable[[Unpack[Ts]], object], *args: *Ts) -> Callable[[], None]:
        """Register `function(*args)` to be called when the generation ends.

        The function that this returns takes the registration back. Raises `RuntimeError` after
        the end of the generation, and `TypeError` for a coroutine function.
        """
        check_plain_function("function", "its arguments", function)
        if self.ended:
            raise RuntimeError("this generation has ended: register in on_open or while open")
        entry: partial[object] = partial(function, *args)
        self._entries[entry] = None
        return lambda: self._entries.pop(entry, None)

    def watchdog(self, after: float, name: str = "") -> Watchdog:
        """Watch one subscription: the generation ends unless `feed()` is called in time.

        `after` is in seconds, and `name` stands in the record. The end has the cause STALE, and
        the policy decides. While the application has messages to receive, nothing ends. Raises
        `TypeError` or `ValueError` for seconds that are not finite and above 0, `TypeError` for a
        name that is no str, and `RuntimeError` after the end of the generation.
        """
        if not isinstance(name, str):
            raise TypeError(f"the name of a subscription is a str, not {type(name).__name__}")
        seconds = check_seconds("after", after, positive=True)
        if self.ended:
            raise RuntimeError("this generation has ended: watch in on_open or while open")
        dog = self._watch(seconds, name)
        self.callback(dog.stop)
        return dog

    @property
    def quiet(self) -> bool:
        """Whether no exchange is under way."""
        return not self._exchanges

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Say that an answer, or the rest of one, is awaited: a planned end waits for it.

            with ws.scope.exchange():
                await ws.send(question)
                ...  # receive the answer

        `max_age` waits for a bounded time; every other end comes when it comes. `Queries` does
        this by itself.
        """
        self._exchanges += 1
        try:
            yield
        finally:
            self._exchanges -= 1
            if self.quiet and self.on_quiet is not None:
                self.on_quiet()

    def detach(self, task: asyncio.Task[Any] | None) -> None:
        """Do not cancel or await this task: it is the caller of `close()`."""
        if isinstance(task, asyncio.Task):
            self._entries.pop(task, None)

    def end(self) -> None:
        """End everything in reverse order; a second call does nothing."""
        if self.ended:
            return
        self.ended = True
        for entry in reversed(list(self._entries)):
            if isinstance(entry, asyncio.Task):
                entry.cancel()
                continue
            if entry not in self._entries:
                continue
            del self._entries[entry]
            try:
                refuse_coroutine(entry())
            # One callback must not keep the others alive; a cancelled future raises the second.
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see above
                log.failure(log.LISTENER_FAILED, self._fields, entry.func, error)

    def tasks(self) -> set[asyncio.Task[Any]]:
        """Return the tasks of this scope that still run."""
        return {entry for entry in self._entries if isinstance(entry, asyncio.Task)}

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._entries.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.failure(log.TASK_FAILED, self._fields, task.get_name(), error)
