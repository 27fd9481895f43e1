"""The writing half of a wire: messages, control frames, and the account of unsent messages."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from recloser.fsm.closecodes import NO_STATUS
from recloser.fsm.named_tuple import NamedTuple
from recloser.transport.base import Delivery, Opcode, Undelivered
from recloser.transport.flow_control import HANDED_OVER, FlowControl, left
from recloser.transport.frame_writer import FrameWriter, RestrictedWriter, first_step, framed
from recloser.transport.layers import bytes_queued, layers

if TYPE_CHECKING:
    from recloser.transport.ticker import Sleeper

CONGESTED = 65_536
"""Bytes in the write buffer beyond which a pong waits: pings alone must not fill it."""
SMALL = 16_384
"""Length of a message that cannot fill an empty write buffer: event loops pause at 64 KiB."""
HIDDEN = 2**20
"""Bytes that may stand below a transport of which no account is to be had, besides one message:
twice the two marks at which asyncio pauses the writing, 64 KiB of the socket, 512 KiB of TLS."""

_NOTHING: Final[list[tuple[int, Any]]] = []
"""Shared by all connections with no message that may not have left; it is never added to."""
_SENT: Final = Delivery.SENT
_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY  # an attribute of an enum costs as much as a call


class _Waiting(NamedTuple):
    """A message that waits for room; nothing of it has been written."""

    payload: bytes
    opcode: Opcode
    item: object
    written: "asyncio.Future[asyncio.Future[Any] | None]"
    """Done once it is written, with what the writer would wait for; cancelled at the end."""


class Outgoing:
    """Hands messages to the writer of a library, in order, and keeps their account.

    The writer writes to `transport`, or to what stands on it. `flow` is told when the write
    buffer is full. After `shut` no message is taken. The wire supplies its `undelivered`.
    """

    undelivered: Undelivered

    __slots__ = (
        "_allowed",
        "_below",
        "_exact",
        "_flow",
        "_has_sent",
        "_kept",
        "_largest",
        "_layers",
        "_line",
        "_owed",
        "_stopped",
        "_transport",
        "_unwritten",
        "_writer",
        "_written",
        "sent_code",
        "shut",
        "sleeper",
        "undelivered",
    )

    def __init__(
        self, writer: FrameWriter, transport: asyncio.Transport, flow: FlowControl
    ) -> None:
        self._writer = writer
        self._allowed: Callable[[], bool] | None = None
        """Whether anything may be written; None where nobody restricts it."""
        self._flow = flow
        self._transport = transport
        self._owed: bytes | None = None
        self._layers: tuple[asyncio.Transport, ...] | None = None
        """The transports from TLS down to the socket, each of which may hold bytes in a buffer;
        None if there is one, or if they are hidden."""
        self._below: asyncio.Transport | None = None
        """That of the socket, if TLS is above it: it may be dead a turn before TLS knows."""
        self._largest: int | None = None
        """Size of the largest message where a layer is hidden; None where none is."""
        found = layers(transport)
        if found is None:
            self._largest = 0
        elif len(found) > 1:
            self._layers, self._below = found, found[-1]
        self._kept: list[tuple[int, Any]] | None = _NOTHING
        """What may not have left, with the value of `_written` at its end; None while the buffer
        of a socket without TLS is known to be empty, which spares a send the question."""
        self._has_sent = False
        """Whether a message may have left whole."""
        self._exact = False
        """Whether the account was exact when it was looked at last."""
        self._written = 0
        """Bytes that did not find, or did not leave behind, an empty buffer: all it can hold."""
        self._line: deque[_Waiting] | None = None
        """Messages that wait for room, in order; None as long as none ever did."""
        self._unwritten: tuple[object, ...] = ()
        """What still waited for room at the end."""
        self.sleeper: Sleeper | None = None
        """The wire, if it is idle: it wakes when something waits to leave."""
        self.sent_code: int | None = None
        self.shut: bool = False
        self._stopped = False

    @property
    def layers(self) -> tuple[asyncio.Transport, ...]:
        """The transports from TLS down to the socket, as far as they are known."""
        return self._layers or (self._transport,)

    @property
    def lowest(self) -> asyncio.Transport | None:
        """The transport of the socket; None where it is hidden."""
        return None if self._largest is not None else self._below or self._transport

    async def send(
        self, message: str | bytes | bytearray | memoryview, item: object = None
    ) -> Delivery:
        """Hand one message to the socket: see `Wire.send`."""
        if self.shut:
            return await self.undelivered(message, item)
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
        try:
            if self._kept is None and len(payload) <= SMALL:
                # There will be nothing to wait for; `push` costs a fortieth of a send more.
                transport = self._transport
                await self._writer.send_frame(payload, opcode)
                if not transport.get_write_buffer_size() and not transport.is_closing():
                    return _SENT
                self.note(message if item is None else item, len(payload))
                ended = False
            elif self._below is not None and self._below.is_closing():
                return await self.undelivered(message, item)
            elif self._line or self._flow.writing_paused:
                ended = await self._wait(payload, opcode, message if item is None else item)
            else:
                drained = self._hand_over(payload, opcode, message if item is None else item)
                ended = False
                if drained is not None:
                    await left(drained)
        except ConnectionError:
            return await self.undelivered(message, item)
        if ended or self.closing:
            if self.undelivered.resend:
                return Delivery.QUEUED
            raise ConnectionResetError("the connection ended while the message was leaving")
        return _SENT

    @property
    def unsent(self) -> list[Any]:
        """Messages that may not have left: see `Wire.unsent_messages`.

        When a connection breaks, its buffers are cleared before the end is reported. So empty
        ones count only while the transport is up.
        """
        if self._kept:
            self._look()
        kept = [item for _, item in self._kept] if self._kept else []
        if self._line:
            kept += [waiting.item for waiting in self._line]
        return [*kept, *self._unwritten] if self._unwritten else kept

    @property
    def congested(self) -> bool:
        """Whether a message would wait: see `Wire.congested`."""
        return bool(self._line) or self._flow.writing_paused

    @property
    def has_sent(self) -> bool:
        """Whether a message may have left whole: see `Wire.has_sent`."""
        self._look()
        return self._has_sent

    @property
    def begun(self) -> int:
        """How many of the `unsent` messages may have left in part: see `Wire.begun`."""
        self._look()
        count = 0 if self._kept is None else len(self._kept)
        return min(count, 1) if self._exact else count

    @property
    def closing(self) -> bool:
        """Whether the connection takes no more bytes, whether or not TLS knows."""
        below = self._below
        if self._transport.is_closing() or (below is not None and below.is_closing()):
            return True
        return self._allowed is not None and not self._allowed()

    @property
    def _too_late(self) -> bool:
        """Whether no frame is written any more, also because the library has closed by itself."""
        return self.closing or self.written_code is not None

    def restrict(self, allowed: Callable[[], bool]) -> None:
        """Write nothing any more once `allowed()` is False: see `Wire.restrict`."""
        self._allowed = allowed
        self._writer = RestrictedWriter(self._writer, allowed)

    @property
    def settled(self) -> bool:
        """Whether nothing waits to leave."""
        if self._kept or self._line or self._owed is not None:
            return False
        known_empty = self._kept is None and not self._transport.is_closing()
        return known_empty or bytes_queued(self.layers) == 0

    def settle(self) -> None:
        """Forget messages that have left, and send a pong that waited. Only while up."""
        if self._kept or self._has_sent:
            self._look()
        if self._owed is not None and self._transport.get_write_buffer_size() <= CONGESTED:
            owed, self._owed = self._owed, None
            self._control(owed, Opcode.PONG)

    def stop(self) -> None:
        """Take no message any more, release those who wait for room, and end the account."""
        if self._kept:
            self._look()
        self.shut = self._stopped = True
        line, self._line = self._line, None
        if line:
            self._unwritten += tuple(waiting.item for waiting in line)
            for waiting in line:
                waiting.written.cancel()

    async def _wait(self, payload: bytes, opcode: Opcode, item: object) -> bool:
        """Wait in line until the message is written, and until there is room once more.

        True if the connection ended before. What is written while the transport is full would
        stand in memory, with the messages of all who wait, and nobody could say how much.
        """
        if self._line is None:
            self._line = deque()
        written = asyncio.get_running_loop().create_future()
        waiting = _Waiting(payload, opcode, item, written)
        self._line.append(waiting)
        if len(self._line) == 1:
            self._admit()
        try:
            await asyncio.wait((written,))
        except asyncio.CancelledError as error:
            if not written.done() and self._line is not None:
                self._line.remove(waiting)
            elif not written.cancelled():
                error.add_note(HANDED_OVER)
            raise
        if written.cancelled():
            return True
        drained = written.result()
        if drained is not None:
            await left(drained)
        return False

    def _admit(self, room: "asyncio.Future[Any] | None" = None) -> None:
        """Write what waits, while there is room; then be called when there is room again."""
        del room
        line = self._line
        while line and not self._too_late:
            full = self.room()
            if full is not None:
                full.add_done_callback(self._admit)
                return
            self._write_waiting(line.popleft())

    def _write_waiting(self, waiting: _Waiting) -> None:
        drained = self._hand_over(waiting.payload, waiting.opcode, waiting.item)
        if not waiting.written.done():
            waiting.written.set_result(drained)

    def _hand_over(
        self, payload: bytes, opcode: Opcode, item: object
    ) -> "asyncio.Future[Any] | None":
        """Write a message, and return what its sender has to wait for."""
        drained = self.push(payload, opcode)
        self.note(item, len(payload))
        return drained

    def note(self, item: object, size: int) -> None:
        """Keep a written message until it is known to have left."""
        self._written += framed(size)
        if self._largest is not None:
            self._largest = max(self._largest, size)
        if not self._kept:
            self._kept = []
        self._kept.append((self._written, item))
        self._look()
        if self.sleeper is not None and self._kept:
            self.sleeper.wake()

    def _look(self) -> None:
        """Forget the messages that have left: all but the last ones, whose bytes are queued."""
        kept = self._kept
        if kept is None or self._stopped:
            return
        queued = bytes_queued(self.layers)
        plain = self._below is None and self._largest is None
        self._exact = queued is not None and plain  # TLS adds bytes of its own
        if queued is None:
            return
        queued += 0 if self._largest is None else HIDDEN + self._largest
        if not queued:
            self._has_sent = self._has_sent or bool(kept)
            self._kept = None if plain and self._has_sent else _NOTHING
            return
        left = self._written - queued
        count = 0
        while count < len(kept) and kept[count][0] <= left:
            count += 1
        if count:
            self._has_sent = True
            del kept[:count]

    def ping(self, message: str | bytes | None) -> None:
        """Ask the peer for a sign of life, by a message of the application's if there is one."""
        if isinstance(message, str):
            self._control(message.encode(), _TEXT)
        else:
            self._control(message or b"", Opcode.PING if message is None else _BINARY)

    def pong(self, payload: bytes) -> None:
        """Answer a ping; only the last one while the peer does not read (RFC 6455 5.5.3)."""
        if self._transport.get_write_buffer_size() > CONGESTED:
            self._owed = payload
        else:
            self._control(payload, Opcode.PONG)

    def _control(self, payload: bytes, opcode: Opcode) -> None:
        if self._too_late:
            return
        self.push(payload, opcode)
        self._written += framed(len(payload))
        if self._kept is None and self._transport.get_write_buffer_size():
            self._kept = _NOTHING
        if self.sleeper is not None and not self.settled:
            self.sleeper.wake()

    def close(self, code: int | None, reason: str = "") -> None:
        """Write the one close frame, without a code if None; sets `sent_code` if written.

        What waits for room is written before it, unless the library was faster.
        """
        if self.shut:
            return
        self.shut = True
        written = self.written_code
        if written is not None:
            self.sent_code = None if written == NO_STATUS else written
            return
        if self.closing:
            return
        while self._line:
            self._write_waiting(self._line.popleft())
        if code is None:
            self._control(b"", Opcode.CLOSE)
        else:
            self.push_close(code, reason.encode())
            self._written += len(reason.encode()) + 8
            self.sent_code = code

    # -- what depends on the library ----------------------------------------------------

    def push(self, payload: bytes, opcode: Opcode) -> "asyncio.Future[Any] | None":
        """Write a frame, and return what a sender would wait for if the write buffer is full.

        All senders share that future, so it must not be cancelled, as `await` in a cancelled
        task would do. Raises `ConnectionError`, with nothing written, if it is too late.
        """
        first_step(self._writer.send_frame(payload, opcode))
        return self.room()

    def push_close(self, code: int, reason: bytes) -> None:
        """Write a close frame."""
        self.push(code.to_bytes(2) + reason, Opcode.CLOSE)

    @property
    def written_code(self) -> int | None:
        """The code of a close frame that the library has written by itself; 1005 for no code."""
        return None

    def room(self) -> "asyncio.Future[Any] | None":
        """Return what is done once there is room in the write buffer; None if there is."""
        return self._flow.drained
