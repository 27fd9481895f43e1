"""`FrameWriter`: what makes frames of messages, and how it is driven."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from recloser.transport.base import Opcode

MEDIUM, LONG = 126, 65_536
"""Sizes from which a frame's header is longer than 6 bytes, mask included (RFC 6455 5.2)."""


class FrameWriter(Protocol):
    """What makes a frame of a message, and writes it."""

    def send_frame(self, message: bytes, opcode: Opcode) -> Coroutine[Any, Any, None]:
        """Write one frame in the first step of the coroutine, before anything is awaited.

        It may wait then until there is room again. It raises `ConnectionError`, with nothing
        written, if the connection takes no more.
        """
        ...


class RestrictedWriter:
    """A writer that writes nothing once it may not any more."""

    __slots__ = ("_allowed", "_writer")

    def __init__(self, writer: FrameWriter, allowed: Callable[[], bool]) -> None:
        self._writer = writer
        self._allowed = allowed

    async def send_frame(self, message: bytes, opcode: Opcode) -> None:
        """See `FrameWriter.send_frame`."""
        if not self._allowed():
            raise ConnectionResetError("the lease of this connection has run out")
        await self._writer.send_frame(message, opcode)


def framed(size: int) -> int:
    """Return the size of a frame with so many bytes of payload."""
    return size + (6 if size < MEDIUM else 8 if size < LONG else 14)


def first_step(
    writing: Coroutine[asyncio.Future[Any], None, None],
) -> asyncio.Future[Any] | None:
    """Drive a coroutine of the writer until it waits, and return the future it would wait for.

    Raises `ConnectionError`, with nothing written, if the transport is closing.
    """
    try:
        drained = writing.send(None)
    except StopIteration:
        return None
    writing.close()
    drained._asyncio_future_blocking = False  # noqa: SLF001 - the driver of a coroutine clears it
    drained.add_done_callback(_retrieve)
    return drained


def _retrieve(drained: asyncio.Future[Any]) -> None:
    if not drained.cancelled():
        drained.exception()  # retrieved, or asyncio reports it
