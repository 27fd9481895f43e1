"""A transport of one's own: the frames are those of the `websockets` library, the socket asyncio's.

pip install websockets
python examples/websockets_transport.py ws://127.0.0.1:8765/
"""

import asyncio
import ssl as tls
import sys
from collections import deque
from collections.abc import Callable, Mapping
from copy import copy
from typing import NamedTuple, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Close as CloseFrame
from websockets.frames import Frame as RawFrame
from websockets.frames import Opcode as RawOpcode
from websockets.http11 import Response
from websockets.protocol import Event
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri
from websockets_ends import record_of

import recloser
from recloser.fsm import Close
from recloser.transport import (
    DialFailed,
    FlowControl,
    FrameRefused,
    Heartbeat,
    Opcode,
    Outgoing,
    Request,
    SocketWire,
)

HEARTBEAT = Heartbeat(interval=20.0, timeout=20.0)
READ_AHEAD = 64 * 1024
"""Bytes of frames that wait for the wire; beyond, nothing is read from the socket."""


class Frame(NamedTuple):
    """What `Wire.read` gives."""

    type: Opcode
    data: str | bytes | int
    extra: str = ""


class Connection(asyncio.Protocol):
    """Feeds the library with bytes, writes what it answers, and keeps its frames for the wire."""

    def __init__(self, protocol: ClientProtocol, request: Request) -> None:
        loop = asyncio.get_running_loop()
        self.protocol = protocol
        self.flow = FlowControl()
        self.answer: asyncio.Future[Response] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._request = request
        self._frames: deque[Frame] = deque()
        self._size = 0
        self._error: Exception | None = None
        self._parts: list[bytes] = []
        self._kind = RawOpcode.TEXT
        self._arrival: asyncio.Future[None] | None = None

    # -- what asyncio calls -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio
        upgrade = self.protocol.connect()
        for name, value in self._request.headers.items():
            upgrade.headers[name] = value
        self.protocol.send_request(upgrade)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        self.flush()
        for event in self.protocol.events_received():
            self._received(event)
        failed = self.protocol.parser_exc
        if failed is not None and self.protocol.close_sent is not None:
            self._end(FrameRefused(self.protocol.close_sent.code, str(failed)))
        if self.protocol.handshake_exc is not None and not self.answer.done():
            self.answer.set_exception(self.protocol.handshake_exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or EOFError("no answer to the upgrade"))
        self.lost.set_exception(exc) if exc is not None else self.lost.set_result(None)
        self.flow.resume_writing()
        self._end(EOFError("the connection has gone"))

    def pause_writing(self) -> None:
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        self.flow.resume_writing()

    # -- what the wire calls ------------------------------------------------------------

    async def send_frame(self, message: bytes, opcode: Opcode) -> None:
        """Make one frame and write it; the library answers pings and close frames itself."""
        if self.transport.is_closing():
            raise ConnectionResetError("the connection has gone")
        try:
            if opcode is Opcode.TEXT:
                self.protocol.send_text(message)
            elif opcode is Opcode.BINARY:
                self.protocol.send_binary(message)
            elif opcode is Opcode.PING:
                self.protocol.send_ping(message)
            elif opcode is Opcode.CLOSE:
                close = CloseFrame.parse(message)
                self.protocol.send_close(close.code if message else None, close.reason)
        except InvalidState as error:
            raise ConnectionResetError(str(error)) from error
        self.flush()

    async def read(self) -> Frame:
        """Wait for the next frame; raises the reason of the end after the last."""
        while not self._frames:
            if self._error is not None:
                raise copy(self._error)  # a traceback on the one that is kept keeps the wire
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        frame = self._frames.popleft()
        self._size -= self._cost(frame)
        if self._size <= READ_AHEAD and not self.transport.is_closing():
            self.transport.resume_reading()
        return frame

    # -- from the library to the wire ---------------------------------------------------

    def flush(self) -> None:
        data = b"".join(self.protocol.data_to_send())
        if data:
            self.transport.write(data)

    def _received(self, event: Event) -> None:
        if isinstance(event, Response):
            if self.protocol.handshake_exc is None:
                self.answer.set_result(event)
            return
        assert isinstance(event, RawFrame)
        if event.opcode is RawOpcode.PONG:
            self._add(Frame(Opcode.PONG, bytes(event.data)))
        elif event.opcode is RawOpcode.CLOSE:
            close = CloseFrame.parse(event.data)
            self._add(Frame(Opcode.CLOSE, close.code if event.data else 0, close.reason))
        elif event.opcode is not RawOpcode.PING:
            if event.opcode is not RawOpcode.CONT:
                self._kind = event.opcode
            self._parts.append(bytes(event.data))
            if event.fin:
                self._message()

    def _message(self) -> None:
        data, self._parts = b"".join(self._parts), []
        if self._kind is RawOpcode.BINARY:
            self._add(Frame(Opcode.BINARY, data))
            return
        try:
            self._add(Frame(Opcode.TEXT, data.decode()))
        except UnicodeDecodeError as error:
            self.protocol.fail(1007, error.reason)
            self.flush()
            self._end(FrameRefused(1007, error.reason))

    def _add(self, frame: Frame) -> None:
        if self._error is not None:
            return
        self._frames.append(frame)
        self._size += self._cost(frame)
        if self._size > READ_AHEAD:
            self.transport.pause_reading()
        self._wake()

    def _end(self, error: Exception) -> None:
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    @staticmethod
    def _cost(frame: Frame) -> int:
        return 128 + (0 if isinstance(frame.data, int) else len(frame.data))


class WebsocketsOutgoing(Outgoing):
    """The library answers a close frame, and refuses a frame, before the wire hears of it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, connection.transport, connection.flow)
        self._protocol = connection.protocol

    @property
    def written_code(self) -> int | None:
        sent = self._protocol.close_sent
        return None if sent is None else sent.code


class WebsocketsWire(SocketWire):
    """One live connection: `SocketWire` pings, judges, counts and releases."""

    def __init__(
        self,
        connection: Connection,
        answer: Response,
        ended: Callable[[Close], None],
        owner: "WebsocketsTransport",
    ) -> None:
        super().__init__(
            connection.read,
            ended,
            transport=connection.transport,
            lost=connection.lost,
            outgoing=WebsocketsOutgoing(connection),
            owner=owner,
        )
        self._answer = answer
        self._subprotocol = connection.protocol.subprotocol

    @property
    def subprotocol(self) -> str | None:
        return self._subprotocol

    @property
    def headers(self) -> Mapping[str, str]:
        return _headers(self._answer)


class WebsocketsTransport:
    """Dials: a socket, TLS, and an upgrade. It follows no redirect and takes no proxy."""

    ask_kernel = True
    backlogged = None
    pings_missed = None

    def __init__(
        self,
        *,
        ssl: tls.SSLContext | bool = True,
        max_message_size: int = 4 * 2**20,
        heartbeat: Heartbeat | None = HEARTBEAT,
    ) -> None:
        self._ssl = ssl
        self._max_size = max_message_size - 1 if max_message_size else None
        self.heartbeat = heartbeat

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> SocketWire:
        try:
            connection, answer = await self._upgrade(parse_uri(request.url), request)
        except Exception as error:  # noqa: BLE001 - the record names the library's
            raise DialFailed(record_of(error)) from None
        return WebsocketsWire(connection, answer, ended, self)

    async def aclose(self) -> None:
        """Release nothing: no connection outlives its wire."""

    async def _upgrade(
        self, address: WebSocketURI, request: Request
    ) -> tuple[Connection, Response]:
        names = [Subprotocol(each) for each in request.subprotocols]
        protocol = ClientProtocol(address, subprotocols=names or None, max_size=self._max_size)
        transport, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(protocol, request),
            address.host,
            address.port,
            ssl=self._ssl if address.secure else None,
            server_hostname=address.host if address.secure else None,
        )
        try:
            return connection, await connection.answer
        except BaseException:  # the engine cancels a dial that takes too long
            transport.abort()
            raise


def _headers(answer: Response) -> Mapping[str, str]:
    return {name.lower(): ", ".join(answer.headers.get_all(name)) for name in answer.headers}


async def main(url: str) -> None:
    async with recloser.connect(url, transport=WebsocketsTransport()) as ws:
        await ws.send("hello")
        async for message in ws:
            print(message)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
