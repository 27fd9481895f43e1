"""Admission: a server takes as many connections as it can, and says to all others when to come.

It is the server's half of what the standard policy understands: 503 with a Retry-After of one's
own (RFC 9110 section 10.2.3), and 1012 with a spread in its reason. docs/admission.md has the
convention.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Final

from recloser.admission.turns import Turns
from recloser.fsm.closecodes import SERVICE_RESTART
from recloser.fsm.numbers import check_order, check_seconds

CloseConnection = Callable[[int, str], Awaitable[None]]
"""Closes one connection with this code and reason, and returns when it is closed.

Raises `OSError` if the connection is gone.
"""
_SAYABLE: Final = (0.001, 99_999.0)
"""Seconds: the least and the most that the reason of a close frame can say (docs/admission.md)."""
_IN_A_ROW: Final = 16
"""Closes that begin before the loop may do something else: together they take a millisecond."""


def _check_rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"capacity must be a number of connections a second, not {value!r}")
    if not 0 < value < inf:
        raise ValueError(f"capacity must be finite and above 0, not {value!r}")
    return float(value)


class Admission:
    """The connections of one server.

    capacity: connections a second that it takes; a burst of one second's worth is taken at once.
    window: seconds over which the clients are asked to come back after `drain`; 0.001 to 99,999.
    longest: the most seconds that a refused client is told to stay away; at most 99,999.
    clock: a monotonic clock, in seconds.
    roll: draws a number in [0, 1).

    Raises `TypeError` or `ValueError` for another window or longest, and unless capacity is finite
    and above 0.
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
        least, most = _SAYABLE
        check_order("the least that a reason can say", least, "window", window)
        check_order("window", window, "the most that a reason can say", most)
        check_order("longest", longest, "the most that a reason can say", most)
        self._turns = Turns(capacity, longest=longest)
        self._clock = clock
        self._roll = roll
        self._open: dict[object, CloseConnection] = {}
        self._closing: dict[object, asyncio.Task[None]] = {}
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
        return f"restart; spread={f'{self._window:.3f}'.rstrip('0').rstrip('.')}"

    def ask(self) -> int | None:
        """Admit a client, or return the whole seconds after which it may come again."""
        if self._draining:
            return 1 + int(self._roll() * self._window)
        return self._turns.ask(self._clock(), self._roll())

    def enter(self, connection: object, close: CloseConnection) -> None:
        """Count a connection that has been admitted; `close` will close it.

        One that was admitted before a drain and opens during it is closed at once.
        """
        self._open[connection] = close
        self._empty.clear()
        if self._draining:
            self._begin_close(connection)

    def leave(self, connection: object) -> None:
        """Count no longer a connection that has ended."""
        self._open.pop(connection, None)
        if not self._open:
            self._empty.set()

    async def drain(self, *, over: float = 0.0, within: float = 5.0) -> int:
        """Refuse who comes from now on, and close every connection with 1012 and the spread.

        over: seconds over which the close frames are sent. within: seconds after the last of them
        for the answers. Returns as soon as no connection is left, else after that time the number
        of those that are; the server drops them as it stops. A drain during or after another one
        closes the rest at once, or over its own time. Raises `TypeError` or `ValueError` for what
        is no time.
        """
        over, within = check_seconds("over", over), check_seconds("within", within)
        self._draining = True
        waiting = [*self._open]
        loop = asyncio.get_running_loop()
        began, in_a_row = loop.time(), 0
        for number, connection in enumerate(waiting):
            # By the clock: a timer takes a millisecond at least, and a fleet has shorter gaps.
            early = began + over * number / len(waiting) - loop.time()
            if early > 0:
                await self._emptied(early)
                in_a_row = 0
            elif in_a_row == _IN_A_ROW:
                await asyncio.sleep(0)
                in_a_row = 0
            if connection in self._open:
                self._begin_close(connection)
                in_a_row += 1
        await self._emptied(within)
        return len(self._open)

    async def _emptied(self, seconds: float) -> None:
        """Wait until no connection is left, for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def _begin_close(self, connection: object) -> None:
        """Close a connection, unless a drain is about to: its close outlives the drain's call."""
        if connection not in self._closing:
            task = asyncio.create_task(self._close(connection), name="recloser drain")
            self._closing[connection] = task

    async def _close(self, connection: object) -> None:
        try:
            if connection in self._open:
                await self._open[connection](SERVICE_RESTART, self.reason)
        except OSError:
            return  # it is gone, and counts until its handler has ended
        except Exception as error:  # noqa: BLE001 - of any server, and told to the loop
            context = {
                "message": "a connection could not be closed for the drain",
                "exception": error,
            }
            asyncio.get_running_loop().call_exception_handler(context)
            return
        finally:
            del self._closing[connection]
        self.leave(connection)
