"""Liveness of one wire: ping on schedule, and notice when nothing comes back (F1-F4)."""

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Final, Protocol

from recloser.transport.heartbeat import Heartbeat
from recloser.transport.ticker import TICK

NEAR: Final = 2 * TICK
"""Seconds before an act is due from which a timer is set: a tick may be late, a timer not."""

UNHURRIED: Final = 20 * NEAR
"""Seconds of an interval from which a tick pings by itself, up to `EARLY` too soon. A timer, which
keeps the moment, takes more than the ping where ten thousand are set."""

EARLY: Final = NEAR + TICK
"""Seconds by which such a ping may come too soon."""

MISSED: Final = 3
"""Pings in a row without a pong, while data flows, that show that a peer hears us no more."""


class Living(Protocol):
    """The wire whose liveness is judged."""

    def ping(self, message: str | bytes | None) -> None:
        """Ask the peer for a sign of life, by this message, or by a WebSocket ping."""
        ...

    def last_received(self, now: float) -> float:
        """Return the moment of the last received bytes, on the clock of `now`."""
        ...

    def last_exchange(self, now: float) -> float:
        """Return the earlier of the moments at which bytes last came and last left.

        It is asked by a heartbeat with `quiet_only`; `-inf` if nobody knows.
        """
        ...

    @property
    def full(self) -> bool:
        """Whether reading has paused, so that a pong would not be seen."""
        ...

    def condemned(self, error: Exception | None) -> None:
        """End the connection: the peer is silent, or this error came from the message function."""
        ...

    def pings_missed(self, count: int, *, answered_before: bool) -> None:
        """Report that so many pings in a row got no pong, while data flowed."""
        ...

    def deaf(self) -> None:
        """End the connection: the peer sends, and hears us no more."""
        ...

    def postpone(self, until: float) -> None:
        """Call `tick` at this moment of `time.monotonic`: the next act is due later than before."""
        ...


class Liveness:
    """The next act that is due for one wire, and a timer for it when it is near.

    A timer costs 0.3 KiB while it is set, so none is set for most of an interval: a tick of the
    wire sets it in time.
    """

    __slots__ = (
        "_answered",
        "_asked",
        "_due",
        "_handle",
        "_heartbeat",
        "_missed",
        "_pinged",
        "_wire",
    )

    def __init__(self, heartbeat: Heartbeat, wire: Living) -> None:
        self._heartbeat = heartbeat
        self._wire = wire
        self._asked: float | None = None
        """The moment of the first ping since the last received bytes."""
        self._answered = False
        """Whether the peer has ever answered a ping by a pong."""
        self._missed = 0
        """Pings in a row without a pong, each an interval or more after the one before."""
        self._pinged: float | None = None
        """The moment of the last counted WebSocket ping without a pong."""
        now = monotonic()
        self._due = now + heartbeat.interval
        self._handle: asyncio.Handle | None = None
        if heartbeat.interval <= NEAR:
            self._wait(now)

    def tick(self) -> float:
        """Ping or set the timer if it is time for that; return when to be called again.

        That is infinite while the timer is set.
        """
        if self._handle is not None:
            return inf
        now = monotonic()
        if self._heartbeat.interval >= UNHURRIED and now >= self._due - EARLY:
            self._listen(now)
            if self._asked is None and not self._spared(now, EARLY):
                self._ask(now)
        until = self.until
        if until > now:
            return until
        self._wait(now)
        return self.until

    @property
    def until(self) -> float:
        """The moment at which to call `tick`: infinite while the timer is set."""
        return inf if self._handle is not None else self._when - NEAR

    def stop(self) -> None:
        """Stop pinging and judging."""
        if self._handle is not None:
            self._handle.cancel()

    def pong(self) -> None:
        """Take note of a pong: the peer hears us."""
        self._answered, self._missed, self._pinged = True, 0, None

    def probe(self) -> None:
        """Ping now, whatever the traffic; the next ping is due an interval later."""
        self.stop()
        self._due = monotonic()
        self._look(probing=True)

    def _look(self, *, probing: bool = False) -> None:
        now = monotonic()
        self._listen(now)
        if self._asked is not None and now >= self._asked + self._heartbeat.timeout:
            # Two turns of the loop: after a block it reads the bytes that wait in the kernel.
            loop = asyncio.get_running_loop()
            self._handle = loop.call_soon(self._grace, self._grace_over)
            return
        if now >= self._due and (probing or not self._spared(now)):
            self._ask(now)
        else:
            self._wait(now)

    def _spared(self, now: float, early: float = 0.0) -> bool:
        """Leave a ping out where bytes have come and left within the interval, if that is wanted.

        The next one is due when either has been missing for an interval.
        """
        if not self._heartbeat.quiet_only or self._asked is not None:
            return False
        due = self._wire.last_exchange(now) + self._heartbeat.interval
        if due <= now + early:
            return False
        self._due = due
        return True

    def _ask(self, now: float) -> None:
        self._due = now + self._heartbeat.interval
        if self._asked is None:
            self._asked = now
        self._wait(now)
        if self._heard(now):
            self._ping()
        else:
            # Two turns of the loop, as above: a pong may wait in the kernel.
            self.stop()
            loop = asyncio.get_running_loop()
            self._handle = loop.call_soon(self._grace, self._deaf)

    def _ping(self) -> None:
        try:
            message = self._heartbeat.ping()
        except Exception as error:  # noqa: BLE001 - the application's function; the record has it
            self._wire.condemned(error)
        else:
            if message is not None:
                self._pinged = None  # the service answers in a way of its own, or not
            self._wire.ping(message)

    def _heard(self, now: float) -> bool:
        """Count a ping without a pong; return whether the peer may still hear us.

        A probe between two scheduled pings is not counted: its pong may be under way. Nor is a
        ping in silence, which `timeout` judges.
        """
        if self._wire.full or self._pinged is None:
            self._missed, self._pinged = 0, now
            return True
        if self._asked is not None and self._asked < now:
            return True
        if now - self._pinged < 0.9 * self._heartbeat.interval:
            return True
        self._missed, self._pinged = self._missed + 1, now
        if self._missed == (1 if self._answered else MISSED):
            self._wire.pings_missed(self._missed, answered_before=self._answered)
        return not self._answered or self._missed < MISSED

    def _deaf(self) -> None:
        if self._missed >= MISSED:
            self._wire.deaf()
        else:
            self._wait(monotonic())

    def _listen(self, now: float) -> None:
        if self._asked is not None and self._wire.last_received(now) > self._asked:
            self._asked = None

    @property
    def _when(self) -> float:
        """The moment of the next act."""
        if self._asked is None:
            return self._due
        return min(self._due, self._asked + self._heartbeat.timeout)

    def _wait(self, now: float) -> None:
        when = self._when
        if when - now > NEAR:
            self._handle = None
            self._wire.postpone(when - NEAR)
        else:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(max(0.0, when - now), self._look)

    def _grace(self, then: Callable[[], None]) -> None:
        self._handle = asyncio.get_running_loop().call_soon(then)

    def _grace_over(self) -> None:
        self._listen(monotonic())
        if self._asked is None:
            self._look()
        else:
            self._wire.condemned(None)
