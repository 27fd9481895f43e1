"""Frames by picows: those that it parsed wait for the wire, and messages are handed to it."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from copy import copy
from itertools import islice
from typing import Any, ClassVar, Final, cast

from aiohttp import EofStream
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from recloser.fsm.closecodes import INVALID_PAYLOAD, MESSAGE_TOO_BIG, PROTOCOL_ERROR
from recloser.fsm.named_tuple import NamedTuple
from recloser.transport.base import Delivery, Frame, FrameRefused, Opcode
from recloser.transport.flow_control import FlowControl
from recloser.transport.outgoing import SMALL, Outgoing
from recloser.transport.receive_buffer import LIMIT, OVERHEAD

_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY
_CONTROLS: Final = {WSMsgType.PING: Opcode.PING, WSMsgType.PONG: Opcode.PONG}
_DATA: Final = {WSMsgType.TEXT: _TEXT, WSMsgType.BINARY: _BINARY}
_SENT: Final = Delivery.SENT
_SHORT: Final = SMALL // 4
"""Length of a message that cannot fill an empty write buffer; a character may be four bytes."""
_PICOWS_TEXT: Final = WSMsgType.TEXT
_PICOWS_BINARY: Final = WSMsgType.BINARY  # an attribute of an enum costs as much as a call


class _Message:
    """The message that `read` gives; one object for all of a connection, as it is taken at once."""

    __slots__ = ("data", "extra", "type")

    def __init__(self) -> None:
        self.type = _TEXT
        self.data: str | bytes = ""
        self.extra = None


class _Control(NamedTuple):
    """A control frame."""

    type: Opcode
    data: bytes | int
    extra: str = ""


class Incoming(WSListener):
    """Takes each frame from picows, and keeps messages and control frames for the wire.

    It is picows' logger, too: a frame that picows refuses is told there and nowhere else.
    """

    __slots__ = (
        "_arrival",
        "_counted",
        "_error",
        "_frames",
        "_kind",
        "_limit",
        "_loop",
        "_message",
        "_parts",
        "_paused",
        "_plain",
        "_refusal",
        "_size",
        "_transport",
        "_waiting",
        "flow",
    )

    def __init__(self, transport: asyncio.Transport, max_message_size: int) -> None:
        super().__init__()
        self.flow: FlowControl = FlowControl()
        self._transport = transport
        self._limit = max_message_size
        self._frames: deque[str | bytes | _Control] = deque()
        self._paused = False
        self._counted = self._waiting = 0
        self._error: Exception | None = None
        self._refusal: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._message = _Message()
        self._parts: list[bytes] | None = None
        self._kind = _TEXT
        self._size = 0
        self._plain = True  # no fragment was left, and nothing has ended
        self._loop = asyncio.get_running_loop()

    # -- what the wire calls ------------------------------------------------------------

    async def read(self) -> Frame:
        """Wait for the next frame: see `SocketWire`."""
        frames = self._frames
        while not frames:
            if self._error is not None:
                raise copy(self._error)  # a traceback on the one that is kept would keep the wire
            arrival = self._arrival = self._loop.create_future()
            try:
                await arrival
            finally:
                self._arrival = None
        data = frames.popleft()
        if self._counted:
            self._uncount(len(data))
        message = self._message
        if type(data) is str:
            message.type = _TEXT
        elif type(data) is bytes:
            message.type = _BINARY
        else:
            return cast("_Control", data)
        message.data = data
        return message

    def _uncount(self, size: int) -> None:
        """Subtract a frame that had to wait; once all are taken, read on."""
        self._counted -= 1
        self._waiting -= size + OVERHEAD
        if self._paused and not self._counted:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # -- what picows calls --------------------------------------------------------------

    def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
        """Keep a frame; picows would end the connection for an exception."""
        kind = frame.msg_type
        frames = self._frames
        if not self._plain or not frame.fin or frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._rare(frame)
        elif kind is _PICOWS_TEXT:
            try:
                frames.append(frame.get_payload_as_utf8_text())
            except UnicodeDecodeError as error:
                self.end(FrameRefused(INVALID_PAYLOAD, f"no UTF-8: {error.reason}"))
        elif kind is _PICOWS_BINARY:
            frames.append(frame.get_payload_as_bytes())
        else:
            self._rare(frame)
        if frame.last_in_buffer:
            arrival = self._arrival
            if arrival is None:
                self._count()
            elif not arrival.done():
                arrival.set_result(None)

    def _count(self) -> None:
        """Count the frames that nobody waits for; beyond the bound read no more."""
        frames = self._frames
        for data in islice(frames, self._counted, None):
            self._waiting += len(data) + OVERHEAD
        self._counted = len(frames)
        if self._waiting > LIMIT and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _rare(self, frame: WSFrame) -> None:
        """Take a control frame, a fragment, or what must be refused."""
        if self._error is not None:
            return
        kind, data = frame.msg_type, frame.get_payload_as_bytes()
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.end(FrameRefused(PROTOCOL_ERROR, "a reserved bit is set"))
        elif kind in _CONTROLS:
            self._frames.append(_Control(_CONTROLS[kind], data))
        elif kind is WSMsgType.CLOSE:
            code, reason = int.from_bytes(data[:2]), data[2:].decode()
            if data and not code:  # picows takes 0 for no code
                self.end(FrameRefused(PROTOCOL_ERROR, "Invalid close code: 0"))
                return
            self._frames.append(_Control(Opcode.CLOSE, code, reason))
            self.end(EofStream())
        elif (self._parts is None) is (kind is WSMsgType.CONTINUATION):
            self.end(FrameRefused(PROTOCOL_ERROR, "a fragment has no place here"))
        else:
            self._fragment(_DATA.get(kind), data, last=bool(frame.fin))

    def _fragment(self, kind: Opcode | None, data: bytes, *, last: bool) -> None:
        if self._parts is None:
            self._parts, self._size, self._plain = [], 0, False
        if kind is not None:
            self._kind = kind
        self._parts.append(data)
        self._size += len(data)
        if self._limit and self._size >= self._limit:
            text = f"Message size {self._size} exceeds limit {self._limit}"
            self.end(FrameRefused(MESSAGE_TOO_BIG, text))
        elif last:
            whole, self._parts, self._plain = b"".join(self._parts), None, True
            try:
                self._frames.append(whole.decode() if self._kind is _TEXT else whole)
            except UnicodeDecodeError as error:
                self.end(FrameRefused(INVALID_PAYLOAD, f"no UTF-8: {error.reason}"))

    def end(self, error: Exception) -> None:
        """Take no frame any more; `read` raises this after the last one."""
        if self._error is None:
            self._error = self._refusal or error
            self._plain = False
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def pause_writing(self) -> None:
        """See `FlowControl`."""
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """See `FlowControl`."""
        self.flow.resume_writing()

    # -- picows' logger -----------------------------------------------------------------

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name of logging
        """Want no line that costs something."""
        del level
        return False

    def error(self, message: str, *arguments: Any) -> None:
        """Hear that picows has refused a frame; it writes the close frame by itself.

        It reads one frame ahead: the frame before comes after this.
        """
        del message
        [(code, text)] = arguments
        self._refuse(FrameRefused(int(code), str(text)))

    def exception(self, message: str, *arguments: Any) -> None:
        """Hear that the parser, or `on_ws_frame`, has failed."""
        del message, arguments
        failed = sys.exception()
        self._refuse(failed if isinstance(failed, Exception) else EofStream())

    def _refuse(self, error: Exception) -> None:
        if self._refusal is None:
            self._refusal = error
            self._loop.call_soon(self.end, error)

    def info(self, message: str, *arguments: Any) -> None:
        """Hear nothing: it is on the wire's own record."""

    debug: ClassVar[Callable[..., None]] = info
    warning: ClassVar[Callable[..., None]] = info


class _Writer:
    """Writes frames by picows, which drops them in silence where it is too late."""

    __slots__ = ("_picows", "_transport")

    def __init__(self, picows: WSTransport, transport: asyncio.Transport) -> None:
        self._picows: Any = picows  # it takes plain numbers for its own opcodes, too
        self._transport = transport

    async def send_frame(self, message: bytes, opcode: Opcode) -> None:
        """See `FrameWriter.send_frame`."""
        if self._transport.is_closing() or self._picows.is_close_frame_sent:
            raise ConnectionResetError("the connection is closing")
        self._picows.send(opcode, message)


class PicowsOutgoing(Outgoing):
    """Hands messages to picows; short ones without a step in between."""

    __slots__ = ("_buffered", "_closed", "_picows", "_send")

    def __init__(
        self, picows: WSTransport, transport: asyncio.Transport, flow: FlowControl
    ) -> None:
        super().__init__(_Writer(picows, transport), transport, flow)
        self._picows = picows
        self._send: Any = picows.send  # it takes plain numbers for its own opcodes, too
        self._closed: Callable[[], bool] = transport.is_closing
        self._buffered = transport.get_write_buffer_size

    async def send(
        self, message: str | bytes | bytearray | memoryview, item: object = None
    ) -> Delivery:
        """Hand one message to the socket: see `Wire.send`. picows encodes a text itself."""
        kind = type(message)
        if (
            self._kept is not None
            or self.shut
            or (kind is not str and kind is not bytes)
            or len(message) > _SHORT
            or self._picows.is_close_frame_sent
            or self._closed()
        ):
            return await super().send(message, item)
        self._send(1 if kind is str else 2, message)
        if self._buffered() or self._closed():
            return self._keep(message, item)
        return _SENT

    def restrict(self, allowed: Callable[[], bool]) -> None:
        """See `Outgoing.restrict`."""
        super().restrict(allowed)
        closed = self._closed
        self._closed = lambda: closed() or not allowed()

    def _keep(self, message: Any, item: object) -> Delivery:
        """Keep a message that has not left, and say what became of it."""
        size = len(message.encode() if isinstance(message, str) else message)
        self.note(message if item is None else item, size)
        if not self.closing:
            return _SENT
        if self.undelivered.resend:
            return Delivery.QUEUED
        raise ConnectionResetError("the connection ended while the message was leaving")

    @property
    def written_code(self) -> int | None:
        """See `Outgoing.written_code`: picows tells the peer why it refuses a frame."""
        if not self._picows.is_close_frame_sent:
            return None
        sent: Any = self._picows.close_handshake.sent  # there is one: it has just been asked for
        return int(sent.code)
