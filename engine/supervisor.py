"""`Supervisor`: runs many engines in one service and stops them in good order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Final, Self

from recloser import log
from recloser.client import ReconnectingWebSocket, end_soon
from recloser.closed import closed_error
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import NORMAL, check_close
from recloser.fsm.errors import ConnectionClosed, PolicyError, RecloserError
from recloser.fsm.numbers import check_seconds
from recloser.fsm.states import State
from recloser.hints.signals import SignalHandler
from recloser.transport.errors import NotOpen

Handler = Callable[[ReconnectingWebSocket], Awaitable[object]]

_CANCELLING: Final = 1.0
"""Seconds for cancelled handlers to end (J3)."""


class Supervisor:
    """Owns engines and the tasks that handle their messages.

        async with recloser.Supervisor(signals=(signal.SIGTERM,), code=1001) as supervisor:
            for url in urls:
                supervisor.add(recloser.connect(url), handle)
            await supervisor.wait()

    An engine that gives up, or a handler that raises, is logged and kept in `failures`; the
    others go on. The handler of an engine that gave up may end by itself, or call
    `ws.connect()`, within `deadline` seconds; then it is cancelled, whatever it waits for.

    The end of the block takes three steps. It sends the messages in the outboxes of open engines,
    in half of `deadline` seconds at most; it closes all engines with `code` and `reason`; and it
    waits until the handlers have returned, and cancels those that have not within `deadline`. An
    exception that leaves the block, or a cancellation, ends everything within a second.

    code: 1000 for a client that is done, 1001 for a service that goes away (RFC 6455 section
        7.4.1).
    signals: make `wait()` return; a second one cancels the handlers without waiting for
        `deadline`. Main thread only. After the block each signal has its earlier handler again.
        Meanwhile a callback of `loop.add_signal_handler` is called too, and an outer supervisor
        gets the signals of an inner one; no other handler is called.

    Raises `TypeError` or `ValueError` for what cannot work.
    """

    def __init__(
        self,
        *,
        code: int = NORMAL,
        reason: str = "",
        deadline: float = 10.0,
        signals: Iterable[signal.Signals] = (),
    ) -> None:
        check_close(code, reason)
        check_seconds("deadline", deadline)
        self._code, self._reason = code, reason
        self._deadline = deadline
        self._signals = tuple(signal.Signals(each) for each in signals)
        self._engines: dict[str, ReconnectingWebSocket] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._failures: dict[str, Exception] = {}
        self._cancellations: dict[str, asyncio.TimerHandle] = {}
        """Timers that cancel the handlers of engines that gave up, by name."""
        self._restore_signals: Callable[[], None] = ExitStack().close
        self._progress: asyncio.Event | None = None
        """Set when a handler ends or `stop()` is called; None outside the block."""
        self.stopping = False
        """Whether `stop()` was called, a signal came, or the block was left."""

    @property
    def engines(self) -> Mapping[str, ReconnectingWebSocket]:
        """All engines by name, also those that have ended."""
        return MappingProxyType(self._engines)

    @property
    def failures(self) -> Mapping[str, Exception]:
        """The errors of failed engines and handlers, by name."""
        return MappingProxyType(self._failures)

    def states(self) -> dict[str, State]:
        """Return the present state of every engine by name: for a health check."""
        return {name: ws.state for name, ws in self._engines.items()}

    def add(self, ws: ReconnectingWebSocket, handler: Handler, *, name: str | None = None) -> None:
        """Connect `ws` now, and run `handler(ws)` once it is open or passive.

        When the handler returns, `ws` is closed. Raises `RuntimeError` outside the block and
        once stopping, `ValueError` for an engine or a name that is supervised already.
        """
        if self._progress is None:
            raise RuntimeError("add engines inside 'async with supervisor'")
        if self.stopping:
            raise RuntimeError("the supervisor is stopping: check supervisor.stopping before add")
        if not callable(handler):
            raise TypeError(f"handler must be a coroutine function of the engine, not {handler!r}")
        name = f"engine {len(self._engines) + 1}" if name is None else name
        if name in self._engines or any(each is ws for each in self._engines.values()):
            raise ValueError(f"{name!r} is supervised already: one engine, one name, one handler")
        ws.connect()
        self._engines[name] = ws
        coro = self._run(name, ws, handler)
        task = asyncio.get_running_loop().create_task(coro, name=f"recloser supervised {name}")
        self._tasks[task] = name
        unsubscribe = ws.subscribe(partial(self._changed, name, task))
        task.add_done_callback(partial(self._done, unsubscribe))

    def wake(self) -> None:
        """Pass a hint on to every engine: see `ReconnectingWebSocket.wake`."""
        for ws in self._engines.values():
            ws.wake()

    def stop(self) -> None:
        """Make `wait()` return, so that the block is left."""
        self.stopping = True
        if self._progress is not None:
            self._progress.set()

    async def wait(self) -> None:
        """Wait until every handler has ended, `stop()` was called, or a signal came."""
        while self._progress is not None and self._tasks and not self.stopping:
            self._progress.clear()
            await self._progress.wait()

    async def __aenter__(self) -> Self:
        if self._progress is not None or self.stopping:
            raise RuntimeError("a supervisor is used once: make another")
        with ExitStack() as stack:
            for each in self._signals:
                handler = SignalHandler(each, self._signalled)
                handler.install()
                stack.callback(handler.restore)
            self._restore_signals = stack.pop_all().close
        self._progress = asyncio.Event()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        try:
            if kind is None:
                await self._drain()
        finally:
            try:
                await self._cancel()
            finally:
                self._progress = None
                self._restore_signals()

    async def _drain(self) -> None:
        """Close every engine, and wait for the handlers."""
        loop = asyncio.get_running_loop()
        closing = [
            loop.create_task(self._leave(ws))
            for ws in self._engines.values()
            if ws.state is not State.CLOSED
        ]
        try:
            pending = {*closing, *self._tasks}
            if pending:
                await asyncio.wait(pending, timeout=self._deadline)
        finally:
            for task in closing:
                task.cancel()

    async def _leave(self, ws: ReconnectingWebSocket) -> None:
        """Send the queued messages of an open engine, in half of the time at most, and close it."""
        if ws.state is State.OPEN:
            with suppress(TimeoutError, RecloserError):  # the change to closed says how many stay
                async with asyncio.timeout(self._deadline / 2):
                    await ws.drain()
        await ws.close(self._code, self._reason)

    async def _cancel(self) -> None:
        """Close the engines and cancel the handlers, before the first wait: it may be cancelled."""
        for task, name in self._tasks.items():
            end_soon(self._engines[name])  # a task that has not begun would not close it
            task.cancel()
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=_CANCELLING)
            for task in stuck:
                ws = self._engines[self._tasks[task]]
                log.task_stuck(ws.fields, task.get_name(), _CANCELLING)

    async def _run(self, name: str, ws: ReconnectingWebSocket, handler: Handler) -> None:
        try:
            async with ws:
                await handler(ws)
        except Exception as error:  # noqa: BLE001 - a handler that fails must not end the others
            if not (self._expected(error) or (name in self._failures and _only_closed(error))):
                self._record_failure(name, error)

    def _changed(self, name: str, task: asyncio.Task[None], change: StateChange) -> None:
        """Note an engine that gave up, and give its handler the time to end or to connect."""
        if change.previous is State.CLOSED and name in self._cancellations:
            self._cancellations.pop(name).cancel()
            del self._failures[name]
        if change.gave_up:
            self._record_failure(name, closed_error(change))
            later = asyncio.get_running_loop().call_later
            self._cancellations[name] = later(self._deadline, task.cancel)

    def _record_failure(self, name: str, error: Exception) -> None:
        self._failures.setdefault(name, error)
        log.failure(log.SUPERVISED_FAILED, self._engines[name].fields, name, error)

    def _expected(self, error: BaseException) -> bool:
        """Whether an error only says that the application closed the engine."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._expected(each) for each in error.exceptions)
        if isinstance(error, ConnectionClosed):
            return error.change is not None and error.change.deliberate
        return self.stopping and isinstance(error, NotOpen | ConnectionError)

    def _done(self, unsubscribe: Callable[[], None], task: asyncio.Task[None]) -> None:
        unsubscribe()
        if timer := self._cancellations.pop(self._tasks.pop(task), None):
            timer.cancel()
        if self._progress is not None:
            self._progress.set()

    def _signalled(self) -> None:
        if self.stopping:
            for task in self._tasks:
                task.cancel()
        self.stop()


def _only_closed(error: BaseException) -> bool:
    """Whether an error says no more than that the engine is closed."""
    if isinstance(error, BaseExceptionGroup):
        return all(_only_closed(each) for each in error.exceptions)
    return isinstance(error, ConnectionClosed | PolicyError)
