"""The settled view: online, offline or gave up, without the interruptions that nobody needs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from enum import Enum
from weakref import WeakSet, ref

from recloser import log
from recloser.clock import Alarm
from recloser.driver.driver import Driver
from recloser.ending import quiet
from recloser.fsm.change import StateChange
from recloser.fsm.states import State, Trigger
from recloser.seconds import check_seconds


class Status(Enum):
    """What people who do not care about dials and backoff want to know."""

    ONLINE = "online"
    """Messages flow, or will again in a moment."""
    OFFLINE = "offline"
    """They do not: resting, closed by the application, or not back for too long."""
    GAVE_UP = "gave up"
    """The engine has ended and the application did not ask for it; only `connect()` helps."""


class Settled:
    """The status of one engine, slow to change; made by `ws.settled(after)`.

    A status is shown once it has lasted `after` seconds, in both directions, so neither a
    short interruption nor a short connection shows. At once are shown: the first connection
    after the application asked for one, a rest, and the end. There is one timer while a
    change is pending and somebody watches, and none otherwise.
    """

    __slots__ = (
        "__weakref__",
        "_actual",
        "_after",
        "_alarm",
        "_driver",
        "_ear",
        "_first",
        "_iterations",
        "_listeners",
        "_shown",
        "_since",
        "_told",
    )

    def __init__(self, driver: Driver, after: float) -> None:
        check_seconds("after", after)
        self._driver = driver
        self._after = after
        self._actual = self._shown = self._told = _present(driver)
        self._since = 0.0
        """When `_actual` came about; matters only while it is not the one shown."""
        self._first = self._shown is not Status.ONLINE
        """Whether the next connection shows at once."""
        self._alarm = Alarm()
        self._listeners: tuple[tuple[object, Callable[[Status], object]], ...] = ()
        self._iterations: WeakSet[_Iteration] = WeakSet()
        self._ear = _Ear(self)

    @property
    def status(self) -> Status:
        """The status as of now."""
        if self._shown is self._actual:
            return self._shown
        due = self._driver.clock.monotonic() >= self._since + self._after
        return self._actual if due else self._shown

    def subscribe(self, callback: Callable[[Status], object]) -> Callable[[], None]:
        """Have `callback(status)` called when the status changes; the result takes that back.

        In the event loop; what it raises is logged. Raises `TypeError` for what cannot be
        called, and `WrongLoop`.
        """
        if not callable(callback):
            raise TypeError(f"a callback must be callable with one Status, not {callback!r}")
        self._watched()
        key = object()
        self._listeners += ((key, callback),)
        self._ear.kept = self
        self._arm()

        def unsubscribe() -> None:
            self._listeners = tuple(entry for entry in self._listeners if entry[0] is not key)
            if not self._listeners:
                self._ear.kept = None
            self._arm()

        return unsubscribe

    def __aiter__(self) -> AsyncIterator[Status]:
        """Iterate over the present status and those that follow; ends when the engine closes.

        A slow iteration is given the latest status, not each one.
        """
        self._watched()
        iteration = _Iteration(self)
        self._iterations.add(iteration)
        self._arm()
        return iteration

    def take(self, change: StateChange) -> None:
        """Take one change of the engine into account."""
        now = change.at
        self._settle(now)
        actual = _status(change)
        if actual is not self._actual:
            self._actual, self._since = actual, now
        asked = change.trigger is Trigger.CONNECT
        if asked and change.previous in (State.CLOSED, State.PASSIVE):
            self._first = True
        ended = change.current is State.CLOSED
        if actual is Status.ONLINE:
            at_once, self._first = self._first, False
        else:
            at_once = ended or change.current is State.PASSIVE or self._first
        if at_once:
            self._shown = actual
        self._settle(now)
        for iteration in self._iterations if ended else ():
            iteration.wake(ended=True)
        self._arm()

    def _watched(self) -> None:
        """Begin to tell from what is shown now, if nobody watched before."""
        self._driver.bind()
        if not self._listeners and not self._iterations:
            self._told = self._shown = self.status

    def _settle(self, now: float) -> None:
        """Show what has lasted long enough, and tell those who watch."""
        if now >= self._since + self._after:
            self._shown = self._actual
        if self._told is self._shown:
            return
        self._told = status = self._shown
        for iteration in self._iterations:
            iteration.wake()
        for entry in self._listeners:
            if self._told is not status:
                return  # one before it moved the engine, and everybody knows
            if entry not in self._listeners:
                continue  # taken back by one before it
            try:
                entry[1](status)
            # It must not stop the machine (I3); a cancelled future raises the second.
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see above
                log.failed(log.LISTENER_FAILED, self._driver.fields, entry[1], error)

    def _arm(self) -> None:
        pending = self._shown is not self._actual and (self._listeners or self._iterations)
        deadline = self._since + self._after if pending else None
        self._alarm.set(deadline, self._driver.clock, self._settle)


class _Ear:
    """Hears the engine for a view without keeping it alive, unless callbacks hang on it."""

    __slots__ = ("_stop", "_view", "kept")

    def __init__(self, view: Settled) -> None:
        self.kept: Settled | None = None
        self._stop = view._driver.observers.subscribe(self._hear)  # noqa: SLF001 - its own half
        self._view = ref(view, self._gone)

    def _hear(self, change: StateChange) -> None:
        view = self._view()
        if view is not None:
            view.take(change)

    def _gone(self, _: object) -> None:
        self._stop()


class _Iteration:
    """One `async for` over a view."""

    __slots__ = ("__weakref__", "_ended", "_given", "_view", "_waiter")

    def __init__(self, view: Settled) -> None:
        self._view = view
        self._given: Status | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    def wake(self, *, ended: bool = False) -> None:
        self._ended = self._ended or ended
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> AsyncIterator[Status]:
        return self

    async def __anext__(self) -> Status:
        if self._waiter is not None:
            raise RuntimeError("another task waits for this iterator: begin one a task")
        while True:
            status = self._view.status
            if status is not self._given:
                self._given = status
                return status
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


def _status(change: StateChange) -> Status:
    if change.current is State.OPEN:
        return Status.ONLINE
    gave_up = change.current is State.CLOSED and not quiet(change)
    return Status.GAVE_UP if gave_up else Status.OFFLINE


def _present(driver: Driver) -> Status:
    if driver.core.state is State.CLOSED and driver.last_change is not None:
        return _status(driver.last_change)
    return Status.ONLINE if driver.core.state is State.OPEN else Status.OFFLINE
