"""Admission: a server takes as many connections as it can, and says to all others when to come.

It is the server's half of what the standard policy understands: 503 with a Retry-After of one's
own (RFC 9110 section 10.2.3), and 1012 with a spread in its reason. docs/admission.md has the
convention.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from math import inf

from recloser.admission.turns import Turns
from recloser.fsm.closecodes import SERVICE_RESTART
from recloser.fsm.numbers import check_seconds

CloseConnection = Callable[[int, str], Awaitable[None]]
"""Closes one connection with this code and reason, and returns when it is closed."""


def _check_rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"capacity must be a number of connections a second, not {value!r}")
    if not 0 < value < inf:
        raise ValueError(f"capacity must be finite and above 0, not {value!r}")
    return float(value)


class Admission:
    """The connections of one server.

    capacity: connections a second that it takes; a burst of one second's worth is taken at once.
    window: seconds over which the clients are asked to come back after `drain`.
    longest: the most seconds that a refused client is told to stay away.
    clock: a monotonic clock, in seconds.
    roll: draws a number in [0, 1).

    Raises `TypeError` or `ValueError` unless the three figures are finite and above 0.
    """

    def __init__(
        self,
        capacity: float,
        *,
        window: float = 30.0,
        longest: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        roll: Callable[[], float] = random.random,
    ) -> None:
        capacity = _check_rate(capacity)
        self._window = check_seconds("window", window, positive=True)
        longest = check_seconds("longest", longest, positive=True)
        self._turns = Turns(capacity, longest=longest)
        self._clock = clock
        self._roll = roll
        self._open: dict[object, CloseConnection] = {}
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def draining(self) -> bool:
        """Whether `drain` has begun: nobody is admitted any more."""
        return self._draining

    @property
    def open(self) -> int:
        """The number of connections."""
        return len(self._open)

    @property
    def reason(self) -> str:
        """The reason of the close frames: it says over how many seconds to come back."""
        return f"restart; spread={self._window:g}"

    def ask(self) -> int | None:
        """Admit a client, or return the whole seconds after which it may come again."""
        if self._draining:
            return 1 + int(self._roll() * self._window)
        return self._turns.ask(self._clock(), self._roll())

    def enter(self, connection: object, close: CloseConnection) -> None:
        """Count a connection that has been admitted; `close` will close it."""
        self._open[connection] = close
        self._empty.clear()

    def leave(self, connection: object) -> None:
        """Count no longer a connection that has ended."""
        self._open.pop(connection, None)
        if not self._open:
            self._empty.set()

    async def drain(self, *, over: float = 0.0, within: float = 5.0) -> int:
        """Refuse who comes from now on, and close every connection with 1012 and the spread.

        over: seconds over which the close frames are sent. within: seconds after the last of them
        for the answers. Returns the number of connections that are left then; the server drops
        them as it stops. Raises `TypeError` or `ValueError` for what is no time.
        """
        over, within = check_seconds("over", over), check_seconds("within", within)
        self._draining = True
        waiting = [*self._open.items()]
        gap = over / len(waiting) if waiting else 0.0
        async with asyncio.TaskGroup() as tasks:
            for connection, close in waiting:
                if connection in self._open:
                    tasks.create_task(self._close(connection, close, within))
                if gap:
                    await asyncio.sleep(gap)
        try:
            async with asyncio.timeout(within):
                await self._empty.wait()
        except TimeoutError:
            return len(self._open)
        return 0

    async def _close(self, connection: object, close: CloseConnection, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                await close(SERVICE_RESTART, self.reason)
        except OSError:  # a time-out is one
            return  # it is counted among those that are left, unless its handler has ended
        self.leave(connection)
