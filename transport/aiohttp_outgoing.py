"""The writing half of a wire over aiohttp: its writer makes the frames."""

import asyncio
from typing import Any

from aiohttp.http import WebSocketWriter

from recloser.transport.base import Opcode
from recloser.transport.frame_writer import first_step
from recloser.transport.outgoing import Outgoing


class AiohttpOutgoing(Outgoing):
    """Drives aiohttp's writer, whose protocol knows whether the write buffer is full."""

    __slots__ = ("_aiohttp",)

    def __init__(self, writer: WebSocketWriter, transport: asyncio.Transport) -> None:
        flow: Any = writer.protocol  # it has `writing_paused`; the base class uses nothing else
        super().__init__(writer, transport, flow)
        self._aiohttp = writer

    def push(self, payload: bytes, opcode: Opcode) -> asyncio.Future[Any] | None:
        """See `Outgoing.push`: the first step of the writer writes before it waits."""
        return first_step(self._writer.send_frame(payload, opcode))

    def push_close(self, code: int, reason: bytes) -> None:
        """See `Outgoing.push_close`: the writer refuses all that comes after it."""
        first_step(self._aiohttp.close(code, reason))

    def room(self) -> asyncio.Future[Any] | None:
        """See `Outgoing.room`."""
        protocol: Any = self._aiohttp.protocol
        return first_step(protocol._drain_helper())  # noqa: SLF001 - test_contract.py pins it
