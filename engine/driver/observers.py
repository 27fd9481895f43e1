"""Who is told of a change: callbacks, asynchronous watchers, and tasks that wait for a state."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final
from weakref import WeakSet

from recloser import log
from recloser.clock import Clock
from recloser.fsm.change import StateChange
from recloser.fsm.states import State

Listener = Callable[[StateChange], object]

SLOW: Final = 0.1
"""Seconds after which a synchronous listener is reported: it delays the whole event loop."""


class Observers:
    """Everybody who watches one engine. What a listener raises harms nobody else."""

    __slots__ = ("_listeners", "_waiters", "_watchers")

    def __init__(self) -> None:
        self._listeners: tuple[tuple[object, Listener], ...] = ()
        self._watchers: WeakSet[_Watcher] | None = None
        """Weak: an iteration that was broken off would collect changes for ever."""
        self._waiters: tuple[tuple[frozenset[State], asyncio.Future[StateChange]], ...] = ()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener(change)` called at every change; the result takes that back.

        Each subscription is its own, also of a function that is subscribed twice.
        """
        if not callable(listener):
            raise TypeError(f"a listener must be callable with one change, not {listener!r}")
        key = object()
        self._listeners += ((key, listener),)

        def unsubscribe() -> None:
            self._listeners = tuple(entry for entry in self._listeners if entry[0] is not key)

        return unsubscribe

    def watch(self) -> AsyncIterator[StateChange]:
        """Iterate over all changes from now on; ends after the change to closed."""
        watcher = _Watcher()
        if self._watchers is None:
            self._watchers = WeakSet()
        self._watchers.add(watcher)
        return watcher

    async def until(self, states: frozenset[State]) -> StateChange:
        """Wait for the next change to one of the states, or to closed."""
        future: asyncio.Future[StateChange] = asyncio.get_running_loop().create_future()
        entry = (states | {State.CLOSED}, future)
        self._waiters += (entry,)
        try:
            return await future
        finally:
            self._waiters = tuple(each for each in self._waiters if each is not entry)

    def tell(self, change: StateChange, clock: Clock, fields: Mapping[str, object]) -> None:
        """Tell everybody, tasks first: a slow listener must not delay them."""
        for states, future in self._waiters:
            if change.current in states and not future.done():
                future.set_result(change)
        for watcher in self._watchers or ():
            watcher.tell(change)
        if change.current is State.CLOSED:
            self._watchers = None
        present = self._listeners
        for entry in present:
            if present is not self._listeners and entry not in self._listeners:
                continue  # taken back by a listener before it
            listener = entry[1]
            started = clock.monotonic()
            try:
                listener(change)
            # A listener must not stop the machine (I3); a cancelled future raises the second.
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see above
                log.failed(log.LISTENER_FAILED, fields, listener, error)
            took = clock.monotonic() - started
            if took > SLOW:
                log.slow(fields, listener, took)


class _Watcher:
    """One asynchronous iteration: misses nothing, delays nobody."""

    __slots__ = ("__weakref__", "_ended", "_queue", "_waiter")

    def __init__(self) -> None:
        self._queue: deque[StateChange] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    def tell(self, change: StateChange) -> None:
        self._queue.append(change)
        self._ended = change.current is State.CLOSED
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> AsyncIterator[StateChange]:
        return self

    async def __anext__(self) -> StateChange:
        if self._waiter is not None:
            raise RuntimeError("another task waits for this iterator: call changes() once a task")
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()
