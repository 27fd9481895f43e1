"""The writing half of a wire over aiohttp: its writer makes the frames."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from aiohttp.http import WebSocketWriter

from recloser.transport.base import Opcode
from recloser.transport.outgoing import Outgoing

if TYPE_CHECKING:
    from recloser.transport.flow_control import FlowControl


class AiohttpOutgoing(Outgoing):
    """Drives aiohttp's writer, whose protocol knows whether the write buffer is full."""

    __slots__ = ("_writer",)

    def __init__(self, writer: WebSocketWriter, transport: asyncio.Transport) -> None:
        # aiohttp's protocol has `writing_paused` too; nothing else is used of it by the base class.
        super().__init__(writer.send_frame, transport, cast("FlowControl", writer.protocol))
        self._writer = writer

    def push(self, payload: bytes, opcode: Opcode) -> asyncio.Future[Any] | None:
        """See `Outgoing.push`: the first step of the writer writes before it waits."""
        return first_step(self._writer.send_frame(payload, opcode))

    def push_close(self, code: int, reason: bytes) -> None:
        """See `Outgoing.push_close`: the writer refuses all that comes after it."""
        first_step(self._writer.close(code, reason))

    def room(self) -> asyncio.Future[Any] | None:
        """See `Outgoing.room`."""
        protocol: Any = self._writer.protocol
        return first_step(protocol._drain_helper())  # noqa: SLF001 - test_contract.py pins it


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
