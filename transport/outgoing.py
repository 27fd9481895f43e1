"""The writing half of a wire: messages, control frames, and the account of unsent messages."""

import asyncio
import select
from typing import Any, Final

from aiohttp.http import WebSocketWriter

from recloser.transport.base import Delivery, Opcode, Undelivered
from recloser.transport.upgrade import push

CONGESTED = 65_536
"""Bytes in the write buffer beyond which a pong waits: pings alone must not fill it."""

SMALL = 16_384
"""Length of a message that cannot fill an empty write buffer: event loops pause at 64 KiB."""

HIDDEN = 2**20
"""Bytes below the write buffer that TLS tells of, besides one message: the two marks at which
asyncio pauses the writing, 64 KiB of the socket and 512 KiB of TLS, and room."""

MEDIUM, LONG = 126, 65_536
"""Sizes from which a frame's header is longer than 6 bytes, mask included (RFC 6455 5.2)."""

_SENT: Final = Delivery.SENT
_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY  # an attribute of an enum costs as much as a call


class Outgoing:
    """Drives the writer. After `shut` no message is taken."""

    __slots__ = (
        "_kept",
        "_largest",
        "_owed",
        "_room",
        "_transport",
        "_undelivered",
        "_writer",
        "_written",
        "sent_code",
        "shut",
    )

    def __init__(
        self, writer: WebSocketWriter, transport: asyncio.Transport, undelivered: Undelivered
    ) -> None:
        self._writer = writer
        self._transport = transport
        self._owed: bytes | None = None
        self._room = _room(transport)
        self._kept: list[tuple[int, Any]] | None = None
        """What may not have left, with the value of `_written` at its end; None while the write
        buffer is known to be empty, which spares a send the question."""
        self._written = 0
        """Bytes that did not find, or did not leave behind, an empty buffer: all it can hold."""
        self._largest = 0
        self._undelivered = undelivered
        self.sent_code: int | None = None
        self.shut = False

    async def send(
        self, message: str | bytes | bytearray | memoryview, item: object = None
    ) -> Delivery:
        """Hand one message to the socket: see `Wire.send`."""
        if self.shut:
            return await self._undelivered(message, item)
        if isinstance(message, str):
            payload, opcode = message.encode(), _TEXT
        elif isinstance(message, bytes):
            payload, opcode = message, _BINARY
        elif isinstance(message, bytearray | memoryview):
            message = payload = bytes(message)
            opcode = _BINARY
        else:
            raise TypeError(
                f"a message is str or bytes, not {type(message).__name__}: encode it first"
            )
        transport = self._transport
        drained = None
        try:
            if self._kept is None and len(payload) <= SMALL:
                # The buffer cannot fill, so this never waits; `push` costs a fortieth more.
                await self._writer.send_frame(payload, opcode)
                if (
                    not transport.get_write_buffer_size()
                    and self._room is None
                    and not transport.is_closing()
                ):
                    self._kept = None
                    return _SENT
            else:
                drained = push(self._writer.send_frame(payload, opcode))
        except ConnectionError:
            return await self._undelivered(message, item)
        self._note(message if item is None else item, len(payload))
        if drained is not None:
            await _left(drained)
        if transport.is_closing():
            if self._undelivered.resend:
                return Delivery.QUEUED
            raise ConnectionResetError("the connection ended while the message was leaving")
        return _SENT

    @property
    def unsent(self) -> list[Any]:
        """Messages that may not have left: see `Wire.unsent`.

        When a connection breaks, its buffer is cleared before the end is reported. So an empty
        buffer counts only while the transport is up; TLS gives no account then.
        """
        if self._kept is not None:
            self._look()
        return [] if self._kept is None else [item for _, item in self._kept]

    def settle(self) -> None:
        """Forget messages that have left, and send a pong that waited. Only while up."""
        queued = self._transport.get_write_buffer_size()
        if self._kept is not None:
            self._sample(queued)
        if self._owed is not None and queued <= CONGESTED:
            owed, self._owed = self._owed, None
            self._control(owed, Opcode.PONG)

    def _note(self, item: object, size: int) -> None:
        """Keep a written message until it is known to have left."""
        self._written += _framed(size)
        self._largest = max(self._largest, size)
        if self._kept is None:
            self._kept = []
        self._kept.append((self._written, item))
        self._look()

    def _look(self) -> None:
        if self._room is None or not self._transport.is_closing():
            self._sample(self._transport.get_write_buffer_size())

    def _sample(self, queued: int) -> None:
        """Forget the messages that have left; `queued` bytes have not."""
        kept = self._kept
        if kept is None:
            return
        if not queued:
            if not self._transport.is_closing() and self._drained():
                self._kept = None
                return
            if self._room is None:
                return
        left = self._written - queued
        if self._room is not None:
            left -= HIDDEN + self._largest
        count = 0
        while count < len(kept) and kept[count][0] <= left:
            count += 1
        del kept[:count]

    def _drained(self) -> bool:
        """Whether the buffer below TLS is empty, which the transport does not report.

        asyncio keeps bytes there only while the kernel has no room for them.
        """
        return self._room is None or [event for _, event in self._room.poll(0)] == [select.POLLOUT]

    def ping(self, message: str | bytes | None) -> None:
        """Ask the peer for a sign of life, by a message of the application's if there is one.

        Raises `ConnectionError` if it is too late.
        """
        if message is None:
            self._control(b"", Opcode.PING)
        elif isinstance(message, str):
            self._control(message.encode(), _TEXT)
        else:
            self._control(message, _BINARY)

    def pong(self, payload: bytes) -> None:
        """Answer a ping; only the last one while the peer does not read (RFC 6455 5.5.3)."""
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > CONGESTED:
            self._owed = payload
        else:
            self._control(payload, Opcode.PONG)

    def _control(self, payload: bytes, opcode: Opcode) -> None:
        push(self._writer.send_frame(payload, opcode))
        self._written += _framed(len(payload))
        if self._kept is None and self._transport.get_write_buffer_size():
            self._kept = []

    def close(self, code: int | None, reason: str = "") -> None:
        """Write the one close frame, without a code if None; sets `sent_code` if written."""
        if self.shut:
            return
        self.shut = True
        if self._transport.is_closing():
            return
        if code is None:
            self._control(b"", Opcode.CLOSE)
        else:
            payload = reason.encode()
            push(self._writer.close(code, payload))
            self._written += len(payload) + 8
            self.sent_code = code


async def _left(drained: asyncio.Future[Any]) -> None:
    """Wait for room, as others may; add a note to a cancellation that says where it came."""
    try:
        await asyncio.wait((drained,))
    except asyncio.CancelledError as error:
        error.add_note("recloser: the message had been handed to the connection before")
        raise


def _framed(size: int) -> int:
    """Return the size of a frame with so many bytes of payload."""
    return size + (6 if size < MEDIUM else 8 if size < LONG else 14)


def _room(transport: asyncio.Transport) -> "select.poll | None":
    """Return a test of the kernel's room; None where the transport knows all buffers."""
    connection = transport.get_extra_info("socket")
    if transport.get_extra_info("sslcontext") is None or connection is None:
        return None
    if not hasattr(select, "poll"):
        return None
    room = select.poll()
    room.register(connection.fileno(), select.POLLOUT)
    return room
