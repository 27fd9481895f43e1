"""Runs many engines in one service: start, watch, stop all, in good order on a signal."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Final, Self

from recloser import log
from recloser.client import ReconnectingWebSocket, end_soon
from recloser.ending import error_of, quiet
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import NORMAL, check_close
from recloser.fsm.errors import ConnectionClosed, NotOpen, PolicyError, RecloserError
from recloser.fsm.states import State
from recloser.hints.signals import SignalHandler
from recloser.seconds import check_seconds

Handler = Callable[[ReconnectingWebSocket], Awaitable[object]]

_LEAVING: Final = 1.0
"""Seconds for what was cancelled to end (J3)."""


class Supervisor:
    """Owns engines and the tasks that handle their messages.

        async with recloser.Supervisor(signals=(signal.SIGTERM,), code=1001) as supervisor:
            for url in urls:
                supervisor.add(recloser.connect(url), handle)
            await supervisor.wait()

    An engine that gives up, or a handler that raises, is logged and kept in `failures`; the
    others go on. The handler of an engine that gave up may end by itself, or call
    `ws.connect()`, within `deadline` seconds; then it is cancelled, whatever it waits for.

    Leaving the block sends what an open engine's outbox holds, in half of `deadline` seconds at
    most, closes all engines with `code` and `reason`, waits until the handlers have ended by
    themselves, and cancels those that have not within `deadline`. 1000 is the code of whoever is
    done, 1001 that of a service that goes away (RFC 6455 section 7.4.1). An exception that leaves
    the block, or a cancellation, ends everything within a second.

    signals: make `wait()` return; a second one cancels the handlers without waiting for
        `deadline`. Main thread only. What handled a signal before handles it again after the
        block. A callback of `loop.add_signal_handler` is called meanwhile, too, and an outer
        supervisor hears of the signals of an inner one; no other handler is called.

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
        self._patience: dict[str, asyncio.TimerHandle] = {}
        """What cancels the handler of an engine that gave up, by name."""
        self._restore_signals: Callable[[], None] = ExitStack().close
        self._turn: asyncio.Event | None = None
        """Set when a handler ends or `stop()` is called; there is one inside the block."""
        self.stopping = False
        """Whether `stop()` was called, a signal came, or the block was left."""

    @property
    def engines(self) -> Mapping[str, ReconnectingWebSocket]:
        """All engines by name, those that have ended too."""
        return MappingProxyType(self._engines)

    @property
    def failures(self) -> Mapping[str, Exception]:
        """Why engines or handlers have failed, by name."""
        return MappingProxyType(self._failures)

    def states(self) -> dict[str, State]:
        """Give the present state of every engine: for a health check."""
        return {name: ws.state for name, ws in self._engines.items()}

    def add(self, ws: ReconnectingWebSocket, handler: Handler, *, name: str | None = None) -> None:
        """Connect `ws` now, and run `handler(ws)` once it is open or passive.

        When the handler returns, `ws` is closed. Raises `RuntimeError` outside the block and
        once stopping, `ValueError` for an engine or a name that is there already.
        """
        if self._turn is None:
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
        if self._turn is not None:
            self._turn.set()

    async def wait(self) -> None:
        """Wait until every handler has ended, `stop()` was called, or a signal came."""
        while self._turn is not None and self._tasks and not self.stopping:
            self._turn.clear()
            await self._turn.wait()

    async def __aenter__(self) -> Self:
        if self._turn is not None or self.stopping:
            raise RuntimeError("a supervisor is used once: make another")
        with ExitStack() as stack:
            for each in self._signals:
                handler = SignalHandler(each, self._signalled)
                handler.install()
                stack.callback(handler.restore)
            self._restore_signals = stack.pop_all().close
        self._turn = asyncio.Event()
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
                self._turn = None
                self._restore_signals()

    async def _drain(self) -> None:
        """Close every engine, and let the handlers end."""
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
        """Send what is queued if it can go now, in half of the time at most, and close."""
        if ws.state is State.OPEN:
            with suppress(TimeoutError, RecloserError):  # what stays is reported with the close
                async with asyncio.timeout(self._deadline / 2):
                    await ws.drain()
        await ws.close(self._code, self._reason)

    async def _cancel(self) -> None:
        """End what is left. All is asked for before the first wait, which may be cancelled."""
        for task, name in self._tasks.items():
            end_soon(self._engines[name])  # a task that has not begun would not close it
            task.cancel()
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=_LEAVING)
            for task in stuck:
                ws = self._engines[self._tasks[task]]
                fields = ws._driver.fields  # noqa: SLF001 - a part of the engine
                log.trouble(log.TASK_STUCK, fields, task=task.get_name(), waited=_LEAVING)

    async def _run(self, name: str, ws: ReconnectingWebSocket, handler: Handler) -> None:
        try:
            async with ws:
                await handler(ws)
        except Exception as error:  # noqa: BLE001 - one that fails must not take the others along
            if not (self._asked(error) or (name in self._failures and _only_closed(error))):
                self._failed(name, error)

    def _changed(self, name: str, task: asyncio.Task[None], change: StateChange) -> None:
        """Note an engine that gave up, and give its handler the time to end or to connect."""
        if change.previous is State.CLOSED and name in self._patience:
            self._patience.pop(name).cancel()
            del self._failures[name]
        if change.current is State.CLOSED and not quiet(change):
            self._failed(name, error_of(change))
            later = asyncio.get_running_loop().call_later
            self._patience[name] = later(self._deadline, task.cancel)

    def _failed(self, name: str, error: Exception) -> None:
        self._failures.setdefault(name, error)
        fields = self._engines[name]._driver.fields  # noqa: SLF001 - a part of the engine
        log.failed(log.SUPERVISED_FAILED, fields, name, error)

    def _asked(self, error: BaseException) -> bool:
        """Whether an error only says that the application closed the engine."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._asked(each) for each in error.exceptions)
        if isinstance(error, ConnectionClosed):
            return error.change is not None and quiet(error.change)
        return self.stopping and isinstance(error, NotOpen | ConnectionError)

    def _done(self, unsubscribe: Callable[[], None], task: asyncio.Task[None]) -> None:
        unsubscribe()
        if patience := self._patience.pop(self._tasks.pop(task), None):
            patience.cancel()
        if self._turn is not None:
            self._turn.set()

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
