"""Hands a connection over to picows, once aiohttp has made it."""

import asyncio
from base64 import b64encode
from contextlib import suppress
from functools import partial
from hashlib import sha1
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from aiohttp import EofStream
from aiohttp.client_proto import ResponseHandler
from picows import WSAutoPingStrategy

from recloser.transport.layers import feed
from recloser.transport.picows_frames import Incoming, PicowsOutgoing
from recloser.transport.upgrade import Frames, Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from picows import WSListener, WSTransport

    class WSProtocol(asyncio.BufferedProtocol):
        """What picows' own types leave out: its protocol, as far as it is used here."""

        @property
        def transport(self) -> WSTransport:
            """What sends, once the upgrade is done."""

        def __init__(
            self,
            *,
            host_port: str,
            ws_path: str,
            is_client_side: bool,
            ws_listener_factory: Callable[[], WSListener],
            logger: Incoming,
            disconnect_on_exception: bool,
            websocket_handshake_timeout: float | None,
            enable_auto_ping: bool,
            auto_ping_idle_timeout: float,
            auto_ping_reply_timeout: float,
            auto_ping_strategy: WSAutoPingStrategy,
            enable_auto_pong: bool,
            max_frame_size: int,
            extra_headers: Mapping[str, str] | None,
            read_buffer_init_size: int,
        ) -> None: ...

else:
    from picows.picows import WSProtocol

_KEY: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of the accept key: RFC 6455 section 1.3."""
_READ_BUFFER: Final = 2048
"""Bytes of the first read buffer, the least that picows takes; it doubles when it is full."""
_NO_LIMIT: Final = 2**62


class _Tail:
    """Keeps what came behind the answer, in the place of aiohttp's parser."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Keep the bytes."""
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Nothing: the transport tells of the end."""


class _Upgraded:
    """The transport as picows is shown it while it asks for an upgrade that has been made.

    picows takes the method that writes, and then writes its request by the same name: the first
    one is the transport's, and the second one keeps the request. It closes nothing: picows would
    do so 10 ms after it has refused a frame, which resets a connection that has more to read.
    """

    __slots__ = (
        "_first",
        "_transport",
        "get_extra_info",
        "get_write_buffer_size",
        "request",
    )

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._first = True
        self.request = b""
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.get_extra_info = transport.get_extra_info

    @property
    def write(self) -> Any:
        """A method that writes: the transport's for the first who asks, then `_keep`."""
        if not self._first:
            return self._keep
        self._first = False
        return self._transport.write

    def _keep(self, request: bytes) -> None:
        self.request = request

    def close(self) -> None:
        """Leave that to the wire."""


class PicowsProtocol(WSProtocol):
    """picows' protocol in the state after the upgrade."""

    __slots__ = ("_incoming", "lost")

    def __init__(
        self, transport: asyncio.Transport, incoming: Incoming, max_message_size: int
    ) -> None:
        super().__init__(
            host_port="",  # of a request that goes nowhere
            ws_path="/",
            is_client_side=True,
            ws_listener_factory=lambda: incoming,
            logger=incoming,
            disconnect_on_exception=False,
            websocket_handshake_timeout=None,  # the upgrade has been made
            enable_auto_ping=False,
            auto_ping_idle_timeout=1,  # the three are read, though nothing pings
            auto_ping_reply_timeout=1,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,
            max_frame_size=max_message_size - 1 if max_message_size else _NO_LIMIT,
            extra_headers=None,
            read_buffer_init_size=_READ_BUFFER,
        )
        self._incoming = incoming
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        upgraded = _Upgraded(transport)
        self.connection_made(cast("asyncio.Transport", upgraded))
        feed(self, _answer(upgraded.request))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the wire, and release the senders that wait."""
        super().connection_lost(exc)
        with suppress(Exception):  # StopIteration, or why picows left was told to its logger
            self.transport.wait_disconnected().send(None)
        if exc is None:
            self.lost.set_result(None)
        else:
            self.lost.set_exception(exc)
        self._incoming.flow.resume_writing()
        self._incoming.end(EofStream())


def _answer(request: bytes) -> bytes:
    """Answer picows' request, as the server has answered aiohttp's."""
    [key] = (line[18:].strip() for line in request.split(b"\r\n") if b"Sec-WebSocket-Key" in line)
    accept = b64encode(sha1(key + _KEY).digest())  # noqa: S324 - what RFC 6455 says
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class PicowsUpgrade(Upgrade):
    """An answer of aiohttp whose connection goes over to picows."""

    __slots__ = ("_tail",)

    inflates: ClassVar[bool] = False

    @property
    def _parser(self) -> Any:
        return self._tail

    @_parser.setter
    def _parser(self, parser: Any) -> None:
        del parser
        self._tail = _Tail()

    def frames(self, max_message_size: int) -> Frames:
        """See `Upgrade.frames`; from here on no byte goes through aiohttp."""
        transport = self.transport
        incoming = Incoming(transport, max_message_size)
        protocol = PicowsProtocol(transport, incoming, max_message_size)
        transport.set_protocol(protocol)
        protocol.lost.add_done_callback(partial(_gone, self._handler))
        tail, self._tail.data = self._tail.data, b""
        feed(protocol, tail)
        outgoing = PicowsOutgoing(protocol.transport, transport, incoming.flow)
        return Frames(incoming.read, protocol.lost, outgoing, None)


def _gone(handler: ResponseHandler, lost: "asyncio.Future[None]") -> None:
    del lost
    handler.connection_lost(None)  # `lost` has the error; nobody asks aiohttp for it
