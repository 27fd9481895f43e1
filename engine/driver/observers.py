"""Delivers every change of state: to callbacks, to iterations, to tasks that wait for a state."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final
from weakref import WeakSet

from recloser import log
from recloser.checks import check_plain_function, refuse_coroutine
from recloser.clock import Clock
from recloser.fsm.change import StateChange
from recloser.fsm.states import State
from recloser.waiter import LiveIterator, Waiter

Listener = Callable[[StateChange], object]

SLOW: Final = 0.1
"""Seconds after which a synchronous listener is reported: it delays the whole event loop."""


class Observers:
    """The observers of one engine. An exception of a listener harms no other observer."""

    __slots__ = ("_iterators", "_listeners", "_waiters")

    def __init__(self) -> None:
        self._listeners: tuple[tuple[object, Listener], ...] = ()
        self._iterators: WeakSet[_ChangeIterator] | None = None
        """Weak: an iteration that nobody goes on with must not collect changes for ever."""
        self._waiters: tuple[_StateWaiter, ...] = ()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(change)` at every change; the returned function ends that.

        A function that is subscribed twice is called twice. Raises `TypeError` for what cannot
        be called, and for a coroutine function.
        """
        check_plain_function("a listener", "one change", listener)
        key = object()
        self._listeners += ((key, listener),)

        def unsubscribe() -> None:
            self._listeners = tuple(entry for entry in self._listeners if entry[0] is not key)

        return unsubscribe

    def changes(self) -> AsyncIterator[StateChange]:
        """Iterate over all changes from now on; ends after the change to closed."""
        iterator = _ChangeIterator()
        if self._iterators is None:
            self._iterators = WeakSet()
        self._iterators.add(iterator)
        return iterator

    async def wait_for(self, states: frozenset[State]) -> StateChange:
        """Wait for the next change to one of the states, or to closed."""
        waiter = _StateWaiter(states | {State.CLOSED})
        self._waiters += (waiter,)
        try:
            return await waiter.change()
        finally:
            self._waiters = tuple(each for each in self._waiters if each is not waiter)

    def notify(self, change: StateChange, clock: Clock, fields: Mapping[str, object]) -> None:
        """Deliver a change; to tasks first, since a slow listener must not delay them.

        `clock` measures the listeners, and `fields` are for the log.
        """
        for waiter in self._waiters:
            waiter.offer(change)
        if self._iterators is not None:
            for iterator in self._iterators:
                iterator.add(change)
            if change.current is State.CLOSED:
                self._iterators = None
        present = self._listeners
        if not present:
            return
        started = clock.monotonic()
        for key, listener in present:
            if present is not self._listeners and (key, listener) not in self._listeners:
                continue  # a listener before it has unsubscribed it
            try:
                if (result := listener(change)) is not None:
                    refuse_coroutine(result)
            # A listener must not stop the machine (I3); a cancelled future raises the second.
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see above
                log.failure(log.LISTENER_FAILED, fields, listener, error)
            ended = clock.monotonic()
            if ended - started > SLOW:
                log.slow_listener(fields, listener, ended - started)
                ended = clock.monotonic()  # a line takes its time
            started = ended


class _StateWaiter:
    """One task that waits for one of some states."""

    __slots__ = ("_change", "_states", "_waiter")

    def __init__(self, states: frozenset[State]) -> None:
        self._states = states
        self._change: StateChange | None = None
        self._waiter = Waiter()

    def offer(self, change: StateChange) -> None:
        """Keep the first change to one of the states."""
        if self._change is None and change.current in self._states:
            self._change = change
            self._waiter.wake()

    async def change(self) -> StateChange:
        """Wait for that change."""
        while self._change is None:
            await self._waiter.wait()
        return self._change


class _ChangeIterator(LiveIterator[StateChange]):
    """One asynchronous iteration; it misses no change."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        super().__init__()
        self._queue: deque[StateChange] = deque()

    def add(self, change: StateChange) -> None:
        self._queue.append(change)
        self.wake(ended=change.current is State.CLOSED)

    def _next(self) -> StateChange | None:
        return self._queue.popleft() if self._queue else None
