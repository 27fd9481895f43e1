"""The settled view of an engine: online, offline or gave up, without short interruptions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from enum import Enum
from weakref import WeakSet, ref

from recloser import log
from recloser.checks import check_plain_function, refuse_coroutine
from recloser.clock import Alarm
from recloser.driver.driver import Driver
from recloser.driver.observers import Observers
from recloser.fsm.change import StateChange
from recloser.fsm.numbers import check_seconds
from recloser.fsm.states import State, Trigger
from recloser.waiter import LiveIterator


class Status(Enum):
    """The status for people who do not care about dials and backoff."""

    ONLINE = "online"
    """Messages flow, or will again in a moment."""
    OFFLINE = "offline"
    """They do not: the engine rests, the application ended it, or it is not back for too long."""
    GAVE_UP = "gave up"
    """The engine has ended: a policy answered `Stop`, or failed; only `connect()` helps."""


class Settled:
    """The status of one engine, slow to change; made by `ws.settled(after)`.

    A status shows after it has lasted `after` seconds: neither a short interruption nor a short
    connection shows. Three things show at once: the first connection after the application
    asked for one, a rest, and the end. There is one timer while a change is pending and
    somebody watches, and none otherwise.
    """

    __slots__ = (
        "__weakref__",
        "_actual",
        "_after",
        "_alarm",
        "_announced",
        "_driver",
        "_first",
        "_iterators",
        "_listener",
        "_listeners",
        "_shown",
        "_since",
    )

    def __init__(self, driver: Driver, after: float) -> None:
        check_seconds("after", after)
        self._driver = driver
        self._after = after
        self._actual = self._shown = self._announced = _present(driver)
        self._since = 0.0
        """The moment at which `_actual` began; used only while another status is shown."""
        self._first = self._shown is not Status.ONLINE
        """Whether the next connection shows at once."""
        self._alarm = Alarm()
        self._listeners: tuple[tuple[object, Callable[[Status], object]], ...] = ()
        self._iterators: WeakSet[_StatusIterator] = WeakSet()
        self._listener = _ChangeListener(self, driver.observers)

    @property
    def status(self) -> Status:
        """The status as of now."""
        if self._shown is self._actual:
            return self._shown
        due = self._driver.clock.monotonic() >= self._since + self._after
        return self._actual if due else self._shown

    def subscribe(self, callback: Callable[[Status], object]) -> Callable[[], None]:
        """Call `callback(status)` when the status changes; the returned function ends that.

        The call is in the event loop; an exception of the callback is logged. Raises `TypeError`
        for what cannot be called, and `WrongLoop`.
        """
        check_plain_function("a callback", "one Status", callback)
        self._begin()
        key = object()
        self._listeners += ((key, callback),)
        self._listener.kept_alive = self
        self._arm()

        def unsubscribe() -> None:
            self._listeners = tuple(entry for entry in self._listeners if entry[0] is not key)
            if not self._listeners:
                self._listener.kept_alive = None
            self._arm()

        return unsubscribe

    def __aiter__(self) -> AsyncIterator[Status]:
        """Iterate over the present status and those that follow; ends when the engine closes.

        A slow iteration gets the latest status, not each one. A second task that waits for the
        same iterator raises `ConcurrentReceive`.
        """
        self._begin()
        iterator = _StatusIterator(self)
        self._iterators.add(iterator)
        self._arm()
        return iterator

    def update(self, change: StateChange) -> None:
        """Take one change of the engine into account."""
        now = change.at
        self._settle(now)
        actual = status_after(change)
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
        for iterator in self._iterators if ended else ():
            iterator.wake(ended=True)
        self._arm()

    def _begin(self) -> None:
        """Announce changes from now on, if nobody watched before."""
        self._driver.bind()
        if not self._listeners and not self._iterators:
            self._announced = self._shown = self.status

    def _settle(self, now: float) -> None:
        """Show a status that has lasted long enough, and announce it."""
        if now >= self._since + self._after:
            self._shown = self._actual
        if self._announced is self._shown:
            return
        self._announced = status = self._shown
        for iterator in self._iterators:
            iterator.wake()
        for entry in self._listeners:
            if self._announced is not status:
                return  # a callback has moved the engine: the newer status is announced already
            if entry not in self._listeners:
                continue  # a callback before it has unsubscribed it
            try:
                refuse_coroutine(entry[1](status))
            # A callback must not stop the machine (I3); a cancelled future raises CancelledError.
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see above
                log.failure(log.LISTENER_FAILED, self._driver.fields, entry[1], error)

    def _arm(self) -> None:
        pending = self._shown is not self._actual and (self._listeners or self._iterators)
        deadline = self._since + self._after if pending else None
        self._alarm.set(deadline, self._driver.clock, self._settle)


class _ChangeListener:
    """Passes changes on to a view, and keeps the view alive only while it has callbacks."""

    __slots__ = ("_unsubscribe", "_view", "kept_alive")

    def __init__(self, view: Settled, observers: Observers) -> None:
        self.kept_alive: Settled | None = None
        self._unsubscribe = observers.subscribe(self._pass_on)
        self._view = ref(view, self._forget)

    def _pass_on(self, change: StateChange) -> None:
        view = self._view()
        if view is not None:
            view.update(change)

    def _forget(self, _: object) -> None:
        self._unsubscribe()


class _StatusIterator(LiveIterator[Status]):
    """One `async for` over a view."""

    __slots__ = ("_last", "_view")

    def __init__(self, view: Settled) -> None:
        super().__init__()
        self._view = view
        self._last: Status | None = None

    def _next(self) -> Status | None:
        status = self._view.status
        if status is self._last:
            return None
        self._last = status
        return status


def status_after(change: StateChange) -> Status:
    """Return the status that a change leads to, before it has settled."""
    if change.current is State.OPEN:
        return Status.ONLINE
    return Status.GAVE_UP if change.gave_up else Status.OFFLINE


def _present(driver: Driver) -> Status:
    if driver.core.state is State.CLOSED and driver.last_change is not None:
        return status_after(driver.last_change)
    return Status.ONLINE if driver.core.state is State.OPEN else Status.OFFLINE
