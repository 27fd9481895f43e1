"""One live aiohttp WebSocket as a wire."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp import EofStream
from aiohttp.http import WebSocketError

from recloser.fsm.closecodes import PROTOCOL_ERROR
from recloser.fsm.record import Close
from recloser.transport import classify, socket_wire
from recloser.transport.base import Frame
from recloser.transport.handshake import lowered
from recloser.transport.resumption import Resumption
from recloser.transport.socket_wire import SocketWire
from recloser.transport.upgrade import MASKED, Upgrade


class Owner(socket_wire.Owner, Protocol):
    """The facts that a wire asks of the transport that dialled it."""

    @property
    def max_message_size(self) -> int:
        """Bytes from which a message is refused; 0 for no limit."""
        ...

    @property
    def resumption(self) -> Resumption | None:
        """What is kept of TLS for the next dial; None without a `ResumingContext`."""
        ...

    def session_closed(self) -> bool:
        """Whether the lent session was closed under its wires."""
        ...


class AiohttpWire(SocketWire):
    """A connection that aiohttp has dialled; `Upgrade.frames` says who makes its frames."""

    __slots__ = ("_connection", "_headers", "_parser", "_subprotocol")

    _owner: Owner

    def __init__(self, upgrade: Upgrade, ended: Callable[[Close], None], owner: Owner) -> None:
        read, lost, outgoing, parser = upgrade.frames(owner.max_message_size)
        super().__init__(
            read,
            ended,
            transport=upgrade.transport,
            lost=lost,
            outgoing=outgoing,
            owner=owner,
        )
        self._connection = upgrade.hand_over()
        self._headers = upgrade.headers
        self._subprotocol = upgrade.protocol
        self._parser = parser
        if parser is not None:
            parser.wire = self
        if upgrade.reader.exception() is not None:
            self.frame_refused()  # it came with the answer

    def frame_refused(self) -> None:
        """Read what says that a frame was refused, when all has been set up, if nobody reads."""
        asyncio.get_running_loop().call_soon(self.read_ahead, context=self.context)

    def finish(self) -> None:
        """See `Wire.finish`."""
        if self._parser is not None:
            self._parser.wire = None  # or each would keep the other alive
        if self._owner.resumption is not None:
            self._owner.resumption.keep(self.transport)
        super().finish()

    @property
    def subprotocol(self) -> str | None:
        """See `Wire.subprotocol`."""
        return self._subprotocol

    @property
    def headers(self) -> Mapping[str, str]:
        """See `Wire.headers`."""
        return lowered(self._headers)

    def control_received(self, frame: Frame) -> None:
        """See `Wire.control_received`."""
        if isinstance(frame.data, bytearray):  # the parser unmasked it: RFC 6455 section 5.1
            self.connection_lost(WebSocketError(PROTOCOL_ERROR, MASKED))
        else:
            super().control_received(frame)

    def connection_lost(self, error: Exception) -> None:
        """See `Wire.connection_lost`."""
        if not isinstance(error, EofStream):
            super().connection_lost(error)
        elif self._owner.session_closed():
            self.end(classify.session_closed(self.sent_code))
            self.let_go()
        else:
            self.stream_ended()

    def release(self) -> None:
        """See `SocketWire.release`: aiohttp's connection closes the socket with it."""
        protocol = self._connection.protocol
        if protocol is None:
            return  # it was released before
        if self.lost.get_loop().is_closed():
            protocol.transport = None  # closed already; it would call its loop
        self._connection.close()
