"""Signs of life of one wire: when something last came in, from the kernel or by counting."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from recloser.transport import kernel
from recloser.transport.base import Frame

SLACK: Final = 0.02
"""Seconds by which the kernel's times may be off: it counts in ticks of up to 10 ms."""


def last_heard(transport: asyncio.Transport, now: float) -> float:
    """Ask the kernel when something last came in, on the clock of `now`.

    Asked once per judgement, so that a blocked event loop cannot mislead it (F3). While
    reading is paused the peer may have no room to send data, so that an acknowledgement counts
    too: its kernel is there.
    """
    found = kernel.look(transport)
    if found is None:
        return now  # the socket is gone: that is noticed elsewhere
    age = found.data
    if not transport.is_reading():
        age = min(age, found.acknowledged)
    return now - age + SLACK


class CountedSigns:
    """Counts frames as they are read, where the kernel does not tell."""

    __slots__ = ("_at", "_count", "_noted", "_read", "_transport")

    def __init__(
        self, read: Callable[[], Coroutine[Any, Any, Frame]], transport: asyncio.Transport
    ) -> None:
        self._read = read
        self._transport = transport
        self._count = self._noted = 0
        self._at = float("-inf")

    async def read(self) -> Frame:
        """Read and count."""
        frame = await self._read()
        self._count += 1
        return frame

    def heard(self, now: float) -> float:
        """When frames were last found to have come in; now, while reading is paused by us."""
        if self._count != self._noted or not self._transport.is_reading():
            self._noted, self._at = self._count, now
        return self._at
