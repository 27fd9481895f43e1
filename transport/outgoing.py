"""The writing half of a wire: messages, control frames, and a bound on what has not left."""

import asyncio
import select
from typing import Final

from aiohttp.http import WebSocketWriter

from recloser.fsm.errors import NotOpen
from recloser.fsm.states import State
from recloser.transport.base import Opcode
from recloser.transport.upgrade import push

CONGESTED = 65_536
"""Bytes in the write buffer beyond which a pong waits: a peer that only pings must not fill it."""

SMALL = 16_384
"""Bytes of a message that cannot fill an empty write buffer: event loops pause at 64 KiB."""

_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY  # an attribute of an enum costs as much as a call


class Outgoing:
    """Drives the writer. After `shut` no message is taken."""

    __slots__ = ("_owed", "_room", "_transport", "_unsent", "_writer", "sent_code", "shut")

    def __init__(self, writer: WebSocketWriter, transport: asyncio.Transport) -> None:
        self._writer = writer
        self._transport = transport
        self._owed: bytes | None = None
        self._room = _room(transport)
        self._unsent = 0
        self.sent_code: int | None = None
        self.shut = False

    async def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Hand one message to the socket: see `Wire.send`."""
        if self.shut:
            raise NotOpen(State.CLOSING)
        if isinstance(message, str):
            payload, opcode = message.encode(), _TEXT
        elif isinstance(message, bytes):
            payload, opcode = message, _BINARY
        elif isinstance(message, bytearray | memoryview):
            payload, opcode = bytes(message), _BINARY
        else:
            raise TypeError(
                f"a message is str or bytes, not {type(message).__name__}: encode it first"
            )
        transport = self._transport
        self._unsent += 1
        try:
            if len(payload) <= SMALL and not transport.get_write_buffer_size():
                # There will be nothing to wait for; `push` costs a fortieth of a send more.
                await self._writer.send_frame(payload, opcode)
                drained = None
            else:
                drained = push(self._writer.send_frame(payload, opcode))
        except ConnectionError:
            self._unsent -= 1
            raise
        if drained is not None:
            await asyncio.wait((drained,))
        if transport.is_closing():
            raise ConnectionResetError("the connection ended while the message was leaving")
        if not transport.get_write_buffer_size() and (self._room is None or self._drained()):
            self._unsent = 0

    @property
    def unsent(self) -> int:
        """Messages since all that was written was last seen to have left the process.

        When a connection breaks its buffer is cleared before anybody is told, so an empty one
        counts only while the transport is up.
        """
        if self._unsent and not self._transport.is_closing():
            self.settle()
        return self._unsent

    def settle(self) -> None:
        """Note an empty write buffer, and send a pong that waited for room. While up only."""
        queued = self._transport.get_write_buffer_size()
        if not queued and self._drained():
            self._unsent = 0
        if self._owed is not None and queued <= CONGESTED:
            owed, self._owed = self._owed, None
            push(self._writer.send_frame(owed, Opcode.PONG))

    def _drained(self) -> bool:
        """Whether nothing waits below TLS, of whose buffer the transport says nothing.

        asyncio keeps bytes there only while the kernel has no room for them.
        """
        return self._room is None or [event for _, event in self._room.poll(0)] == [select.POLLOUT]

    def ping(self) -> None:
        """Ask the peer for a sign of life. Raises `ConnectionError` if it is too late."""
        push(self._writer.send_frame(b"", Opcode.PING))

    def pong(self, payload: bytes) -> None:
        """Answer a ping, the last one only while the peer does not read (RFC 6455 5.5.3)."""
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > CONGESTED:
            self._owed = payload
        else:
            push(self._writer.send_frame(payload, Opcode.PONG))

    def close(self, code: int | None, reason: str = "") -> None:
        """Write the one close frame, without a code if None; `sent_code` says if it was taken."""
        if self.shut:
            return
        self.shut = True
        if self._transport.is_closing():
            return
        if code is None:
            push(self._writer.send_frame(b"", Opcode.CLOSE))
        else:
            push(self._writer.close(code, reason.encode()))
            self.sent_code = code


def _room(transport: asyncio.Transport) -> "select.poll | None":
    """Give what tells whether the kernel has room; None where the transport knows it all."""
    connection = transport.get_extra_info("socket")
    if transport.get_extra_info("sslcontext") is None or connection is None:
        return None
    if not hasattr(select, "poll"):
        return None
    room = select.poll()
    room.register(connection.fileno(), select.POLLOUT)
    return room
