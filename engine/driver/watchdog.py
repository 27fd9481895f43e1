"""`Watchdog`: notices that a connection, or one subscription on it, gives nothing any more."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from recloser.clock import Alarm, Clock
from recloser.driver.inbound import Inbound
from recloser.fsm.closecodes import TIMEOUT
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import State
from recloser.transport.wire import Wire

if TYPE_CHECKING:
    from recloser.contract import Position


class Watchdog:
    """Ends its generation when it is not fed for `after` seconds. Made by `ws.scope.watchdog`.

    The time begins when it is made, and anew with each `feed()`. It costs one timer, which is
    set once in `after` seconds, however often it is fed.
    """

    __slots__ = ("_after", "_alarm", "_bite", "_clock", "_excused", "_fed", "_over")

    def __init__(
        self,
        after: float,
        clock: Clock,
        *,
        excused: Callable[[], bool],
        bite: Callable[[], None],
    ) -> None:
        """Begin to watch.

        excused: whether nothing can be said now, because messages wait unread.
        bite: called once, when it was not fed in time.
        """
        self._after = after
        self._clock = clock
        self._excused = excused
        self._bite = bite
        self._fed = clock.monotonic()
        self._over = False
        self._alarm = Alarm()
        self._wait()

    def feed(self) -> None:
        """Say that something came: the time begins anew."""
        self._fed = self._clock.monotonic()

    def hear(self, message: str | bytes) -> str | bytes:
        """Feed on an incoming message, and pass it on."""
        self._fed = self._clock.monotonic()
        return message

    def stop(self) -> None:
        """Watch no longer; the end of the generation does it, too."""
        self._over = True
        self._alarm.set(None, self._clock, self._due)

    def _wait(self) -> None:
        self._alarm.set(self._fed + self._after, self._clock, self._due)

    def _due(self, deadline: float) -> None:
        del deadline
        if self._clock.monotonic() < self._fed + self._after:
            self._wait()
        else:
            # Two turns of the loop: after a block it reads what waits in the kernel (F11.3).
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._judge)

    def _judge(self) -> None:
        if self._over:
            return
        if self._excused():
            self.feed()
        if self._clock.monotonic() < self._fed + self._after:
            self._wait()
        else:
            self.stop()
            self._bite()


class Watched(Protocol):
    """The engine, as its watchdogs see it."""

    @property
    def core(self) -> "Position":
        """The machine."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock of the engine."""
        ...

    @property
    def inbound(self) -> Inbound:
        """The messages that wait for the application."""
        ...

    def fail(self, close: Close, code: int, *, number: int) -> None:
        """End the open generation of this number with this record."""
        ...


def watch_messages(engine: Watched, number: int, after: float, wire: Wire) -> Watchdog:
    """Watch all messages of the wire of a generation that has opened."""
    bite = partial(_stale, engine, number, f"no message for {after:g} s")
    dog = Watchdog(after, engine.clock, excused=lambda: wire.full, bite=bite)
    wire.intercept(dog.hear)
    return dog


def watch_subscription(engine: Watched, number: int, after: float, name: str) -> Watchdog:
    """Watch what the application says it got; excused while the application is behind."""
    return Watchdog(
        after,
        engine.clock,
        excused=lambda: engine.core.state is State.CONNECTING or engine.inbound.unread > 0,
        bite=partial(_stale, engine, number, f"nothing of {name!r} for {after:g} s"),
    )


def _stale(engine: Watched, number: int, what: str) -> None:
    engine.fail(Close.by_engine(Cause.STALE, error=TimeoutError(what)), TIMEOUT, number=number)
