"""`Supervisor`: runs many engines in one service and stops them in good order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Final, Self

from recloser import log
from recloser.checks import check_plain_function, refuse_coroutine
from recloser.client import ReconnectingWebSocket, driver_of
from recloser.closed import closed_error
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import NORMAL, check_close
from recloser.fsm.decisions import Policy, Retry, check_decides
from recloser.fsm.errors import ConnectionClosed, PolicyError, RecloserError, bare
from recloser.fsm.numbers import check_seconds
from recloser.fsm.states import State
from recloser.hints.signals import signal_handlers
from recloser.ownership import begin_to_close
from recloser.restarts import Restarts
from recloser.transport.errors import NotOpen

Handler = Callable[[ReconnectingWebSocket], Awaitable[object]]

_CANCELLING: Final = 1.0
"""Seconds for cancelled handlers to end (J3)."""
_MOST_FAILURES: Final = 1000
"""So many failures are kept, the latest."""


class Supervisor:
    """Owns engines and the tasks that handle their messages.

        async with recloser.Supervisor(signals=(signal.SIGTERM,), code=1001) as supervisor:
            for url in urls:
                supervisor.add(recloser.connect(url), handle)
            await supervisor.wait()

    An engine that gives up, or a handler that raises, is logged and kept in `failures`; the
    others go on. The handler of an engine that gave up may end by itself, or call
    `ws.connect()`, within `deadline` seconds; then it is cancelled, whatever it waits for. When
    a handler has ended, its engine is closed and let go of.

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
    restart: a policy that is asked when a handler raises, as after an end with cause HOOK. After
        `Retry` the handler runs again on its engine, which is not dialled for that; after `Hold`
        and `Stop` it has ended. None: a handler that raises has ended.
    on_failure: a plain function that is called with name and error of each failure, at once.

    Raises `TypeError` or `ValueError` for what cannot work.
    """

    def __init__(
        self,
        *,
        code: int = NORMAL,
        reason: str = "",
        deadline: float = 10.0,
        signals: Iterable[signal.Signals] = (),
        restart: Policy | None = None,
        on_failure: Callable[[str, Exception], object] | None = None,
    ) -> None:
        check_close(code, reason)
        check_seconds("deadline", deadline)
        _check_restart(restart)
        if on_failure is not None:
            check_plain_function("on_failure", "name and error", on_failure)
        self._code, self._reason = code, reason
        self._deadline = deadline
        self._signals = tuple(signal.Signals(each) for each in signals)
        self._restart = restart
        self._on_failure = on_failure
        self._added = 0
        self._engines: dict[str, ReconnectingWebSocket] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._failures: dict[str, Exception] = {}
        self._cancellations: dict[str, asyncio.TimerHandle] = {}
        """Timers that cancel the handlers of engines that gave up, by name."""
        self._restore_signals: Callable[[], None] = ExitStack().close
        self._progress: asyncio.Event | None = None
        """Set when a handler ends or `stop()` is called; None outside the block."""
        self.stopping: bool = False
        """Whether `stop()` was called, a signal came, or the block was left."""

    @property
    def engines(self) -> Mapping[str, ReconnectingWebSocket]:
        """The engines by name whose handlers have not ended."""
        return MappingProxyType(self._engines)

    @property
    def failures(self) -> Mapping[str, Exception]:
        """The errors of failed engines and handlers, by name; the latest thousand.

        They have no traceback: the log has it. The error of a handler that runs again, and of an
        engine that is back, is no longer there.
        """
        return MappingProxyType(self._failures)

    def states(self) -> dict[str, State]:
        """Return the present state of every engine by name: for a health check."""
        return {name: ws.state for name, ws in self._engines.items()}

    def add(
        self,
        ws: ReconnectingWebSocket,
        handler: Handler,
        *,
        name: str | None = None,
        restart: Policy | None = None,
    ) -> None:
        """Connect `ws` now, and run `handler(ws)` once it is open or passive.

        When the handler returns, `ws` is closed. `restart` takes the place of that of the
        supervisor. Raises `RuntimeError` outside the block and once stopping, `TypeError` for
        what is no function or no policy, and `ValueError` for an engine or a name that is
        supervised already.
        """
        self._check(ws, handler, restart)
        self._added += 1
        name = f"engine {self._added}" if name is None else name
        if name in self._engines:
            raise ValueError(f"{name!r} is supervised already: replace or discard it")
        ws.connect()
        self._engines[name] = ws
        self._failures.pop(name, None)
        policy = self._restart if restart is None else restart
        restarts = None if policy is None else Restarts(policy)
        coro = self._run(name, ws, handler, restarts)
        task = asyncio.get_running_loop().create_task(coro, name=f"recloser supervised {name}")
        self._tasks[task] = name
        unsubscribe = ws.subscribe(partial(self._changed, name, task))
        task.add_done_callback(partial(self._done, unsubscribe))

    async def discard(self, name: str) -> None:
        """Close the engine of this name as the end of the block does, and let go of it.

        Waits for its handler within `deadline`, then cancels it; its failure is forgotten.
        Raises `ValueError` for a name that is neither supervised nor in `failures`, and
        `RuntimeError` in the handler itself.
        """
        if name not in self._engines and name not in self._failures:
            raise ValueError(f"{name!r} is not supervised: see supervisor.engines for the names")
        tasks = [task for task, each in self._tasks.items() if each == name]
        if asyncio.current_task() in tasks:
            raise RuntimeError("a handler ends its own engine by returning: discard others alone")
        try:
            await self._drain(tasks)
        finally:
            await self._cancel(tasks)
        self._failures.pop(name, None)

    async def replace(
        self,
        name: str,
        ws: ReconnectingWebSocket,
        handler: Handler,
        *,
        restart: Policy | None = None,
    ) -> None:
        """Discard the engine of this name, and add another in its place; raises as both do."""
        self._check(ws, handler, restart)
        await self.discard(name)
        self.add(ws, handler, name=name, restart=restart)

    def _check(self, ws: ReconnectingWebSocket, handler: Handler, restart: Policy | None) -> None:
        if self._progress is None:
            raise RuntimeError("add engines inside 'async with supervisor'")
        if self.stopping:
            raise RuntimeError("the supervisor is stopping: check supervisor.stopping before add")
        if not callable(handler):
            raise TypeError(f"handler must be a coroutine function of the engine, not {handler!r}")
        _check_restart(restart)
        if any(each is ws for each in self._engines.values()):
            raise ValueError(f"{ws!r} is supervised already: one engine, one name, one handler")

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
            stack.enter_context(signal_handlers(self._signals, self._signalled))
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
                await self._drain(self._tasks)
        finally:
            try:
                await self._cancel(self._tasks)
            finally:
                self._progress = None
                self._restore_signals()

    async def _drain(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Close the engines of these handlers, and wait for the handlers."""
        loop = asyncio.get_running_loop()
        handlers = set(tasks)
        engines = [self._engines[self._tasks[task]] for task in handlers]
        closing = [
            loop.create_task(self._leave(ws)) for ws in engines if ws.state is not State.CLOSED
        ]
        try:
            pending = {*closing, *handlers}
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

    async def _cancel(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Close the engines and cancel the handlers, before the first wait: it may be cancelled."""
        handlers = {task for task in tasks if task in self._tasks}
        for task in handlers:
            begin_to_close(
                driver_of(self._engines[self._tasks[task]])
            )  # one that has not begun would not close it
            task.cancel()
        if handlers:
            _, stuck = await asyncio.wait(handlers, timeout=_CANCELLING)
            for task in stuck:
                ws = self._engines[self._tasks[task]]
                log.task_stuck(ws.fields, task.get_name(), _CANCELLING)

    async def _run(
        self,
        name: str,
        ws: ReconnectingWebSocket,
        handler: Handler,
        restarts: Restarts | None,
    ) -> None:
        try:
            async with ws:
                await self._handle(name, ws, handler, restarts)
        except Exception as error:  # noqa: BLE001 - a handler that fails must not end the others
            known = self._failures.get(name)
            if not (error is known or self._expected(error) or (known and _only_closed(error))):
                self._record_failure(name, ws, error)
            if self._failures.get(name) is error:
                bare(error)  # its frames would keep the engine alive; the log has the traceback

    async def _handle(
        self,
        name: str,
        ws: ReconnectingWebSocket,
        handler: Handler,
        restarts: Restarts | None,
    ) -> None:
        """Run the handler, and run it again where the policy says so and the engine lives."""
        loop = asyncio.get_running_loop()
        while True:
            if restarts is not None:
                restarts.started(loop.time())
            try:
                await handler(ws)
            except Exception as error:
                if restarts is None or ws.state is State.CLOSED or self._expected(error):
                    raise
                decision = restarts.failed(error, loop.time())
                if not isinstance(decision, Retry):
                    raise
                self._record_failure(name, ws, error)
                if await _closed_within(ws, decision.delay):
                    raise
                self._failures.pop(name, None)
            else:
                return

    def _changed(self, name: str, task: asyncio.Task[None], change: StateChange) -> None:
        """Note an engine that gave up, and give its handler the time to end or to connect."""
        if change.previous is State.CLOSED and name in self._cancellations:
            self._cancellations.pop(name).cancel()
            del self._failures[name]
        if change.gave_up:
            self._record_failure(name, self._engines[name], closed_error(change))
            later = asyncio.get_running_loop().call_later
            self._cancellations[name] = later(self._deadline, task.cancel)

    def _record_failure(self, name: str, ws: ReconnectingWebSocket, error: Exception) -> None:
        self._failures.setdefault(name, error)
        if len(self._failures) > _MOST_FAILURES:
            del self._failures[next(iter(self._failures))]
        log.failure(log.SUPERVISED_FAILED, ws.fields, name, error)
        if self._on_failure is not None:
            try:
                refuse_coroutine(self._on_failure(name, error))
            except Exception as raised:  # noqa: BLE001 - a callback must not end the others
                log.failure(log.LISTENER_FAILED, ws.fields, self._on_failure, raised)

    def _expected(self, error: BaseException) -> bool:
        """Whether an error only says that the application closed the engine."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._expected(each) for each in error.exceptions)
        if isinstance(error, ConnectionClosed):
            return error.change is not None and error.change.deliberate
        return self.stopping and isinstance(error, NotOpen | ConnectionError)

    def _done(self, unsubscribe: Callable[[], None], task: asyncio.Task[None]) -> None:
        unsubscribe()
        name = self._tasks.pop(task)
        del self._engines[name]
        if timer := self._cancellations.pop(name, None):
            timer.cancel()
        if self._progress is not None:
            self._progress.set()

    def _signalled(self) -> None:
        if self.stopping:
            for task in self._tasks:
                task.cancel()
        self.stop()


async def _closed_within(ws: ReconnectingWebSocket, seconds: float) -> bool:
    """Wait for so long, or until the engine is closed; return whether it is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ws.wait_for(State.CLOSED)
    return ws.state is State.CLOSED


def _check_restart(restart: object) -> None:
    if restart is not None:
        check_decides("restart", restart)


def _only_closed(error: BaseException) -> bool:
    """Whether an error says no more than that the engine is closed."""
    if isinstance(error, BaseExceptionGroup):
        return all(_only_closed(each) for each in error.exceptions)
    return isinstance(error, ConnectionClosed | PolicyError)
