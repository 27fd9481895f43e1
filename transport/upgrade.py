"""The answer to an upgrade and the parts of its connection, through aiohttp's public hooks."""

import asyncio
from typing import Any, ClassVar, Final, Protocol, cast

from aiohttp import ClientConnectionResetError, ClientError, ClientResponse, hdrs
from aiohttp.connector import Connection
from aiohttp.http import WebSocketError, WebSocketWriter, WSCloseCode
from multidict import CIMultiDict, CIMultiDictProxy

from recloser.fsm.named_tuple import NamedTuple
from recloser.transport.aiohttp_outgoing import AiohttpOutgoing
from recloser.transport.base import Read
from recloser.transport.compression import NAME
from recloser.transport.handshake import joined, plain, upgrades
from recloser.transport.outgoing import Outgoing

_UPGRADED: Final = 101
_MASKED: Final = 0x80
MASKED: Final = "the server masks its frames (RFC 6455 section 5.1)"


BODY_SIZE: Final = 200
"""Bytes of the body of a refused upgrade that are kept."""
BODY_PATIENCE: Final = 0.5
"""Seconds for which a dial waits for them: most servers send them with the headers."""


async def first_bytes(response: ClientResponse) -> bytes:
    """Return the first bytes of the body, as far as they come in time and can be decoded."""
    found = b""
    try:
        async with asyncio.timeout(BODY_PATIENCE):
            while len(found) < BODY_SIZE:
                more = await response.content.read(BODY_SIZE - len(found))
                if not more:
                    break
                found += more
    except (TimeoutError, ClientError, OSError):
        return found  # the refusal is known by its status: what is missing is a hint
    return found


class Answer(ClientResponse):
    """The answer to the request for an upgrade; one that leads nowhere drops its socket.

    aiohttp would shut TLS down first, which takes a deaf peer half a minute: too long for a
    dial that was given up.
    """

    # One in the dictionary would cost 1 KiB a connection.
    __slots__ = ("_shown", "plain", "received", "transport")

    transport: asyncio.Transport | None
    """The socket to abort; None when a wire closes it by itself."""
    received: CIMultiDictProxy[str]
    """The headers as they came."""
    plain: bool
    """Whether it is an upgrade with nothing to judge: see `handshake.plain`."""
    _shown: CIMultiDictProxy[str] | None
    """What stands for the headers; None before they came."""

    async def start(self, connection: Connection) -> ClientResponse:
        """Keep the socket: an answer without a body drops it before it is closed.

        aiohttp calls this before anything else of an answer.
        """
        self.transport = connection.transport
        self._shown = None
        await super().start(connection)
        self.received = received = super().headers
        upgraded = self.status == _UPGRADED
        self.plain = upgraded and plain(received)
        self._shown = _readable(received) if upgraded and not self.plain else received
        return self

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers; of Connection and the extensions aiohttp is shown what it can read.

        It wants Upgrade alone where RFC 6455 section 4.1 wants a list that has it, and refuses
        some parameters of RFC 7692. `sessions.check_answer` judges the headers that came.
        """
        return super().headers if self._shown is None else self._shown

    def close(self) -> None:
        """Close the response, and abort its socket unless a wire has it."""
        super().close()
        if self.transport is not None:
            self.transport.abort()


def _readable(found: CIMultiDictProxy[str]) -> CIMultiDictProxy[str]:
    connection = joined(found, hdrs.CONNECTION).lower()
    readable = connection == "upgrade" and found.get(hdrs.SEC_WEBSOCKET_EXTENSIONS, NAME) == NAME
    if readable or not upgrades(connection):
        return found
    shown = CIMultiDict(found)
    shown[hdrs.CONNECTION] = "Upgrade"
    if hdrs.SEC_WEBSOCKET_EXTENSIONS in shown:
        shown[hdrs.SEC_WEBSOCKET_EXTENSIONS] = NAME
    return CIMultiDictProxy(shown)


class Refusable(Protocol):
    """The wire, as it is told of a refused frame."""

    def frame_refused(self) -> None:
        """Read the refusal soon, if nobody reads."""
        ...


class UnmaskedFrames:
    """Stands before the parser until the first frame: a server masks all of its frames or none.

    aiohttp takes masked frames from a server, where RFC 6455 section 5.1 says that a client
    must close the connection. The parser alone knows where later frames begin, so that they
    are not looked at; a masked ping or pong is told by `Wire.control_received`. Before
    3.14.4 aiohttp does not hand its parser over: of its frames nothing else is refused.

    A wire keeps it, since it owns the parser: aiohttp's queue knows that by a weak reference.
    """

    __slots__ = ("_handler", "_head", "_parser", "_reader", "wire")

    def __init__(self, parser: Any, handler: Any, reader: Any) -> None:
        self._parser = parser
        self._handler = handler
        self._reader = reader
        self._head = b""
        self.wire: Refusable | None = None
        """Told when the first frame is refused; None once it was not, and at the end."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Parse; a masked first frame is an error of the reader, and nothing is parsed."""
        self._head += data[:2]
        if len(self._head) < 2:  # noqa: PLR2004 - the mask bit stands in the second byte
            return cast("tuple[bool, bytes]", self._parser.feed_data(data))
        if self._head[1] & _MASKED:
            self._reader.set_exception(WebSocketError(WSCloseCode.PROTOCOL_ERROR, MASKED))
            if self.wire is not None:
                self.wire.frame_refused()
            return True, b""
        parsed = self._parser.feed_data(data)
        self.wire = None
        if not parsed[0]:
            self._handler.set_parser(self._parser, self._reader)
        return cast("tuple[bool, bytes]", parsed)

    def feed_eof(self) -> None:
        """Pass on the end of the stream."""
        self._parser.feed_eof()


class Frames(NamedTuple):
    """Who reads and writes the frames of an upgraded connection: see `SocketWire`."""

    read: Read
    lost: "asyncio.Future[None]"
    outgoing: Outgoing
    parser: UnmaskedFrames | None
    """What the wire must keep; None where that is nothing."""


class Upgrade:
    """The result of a dial: the parts of its connection, for the wire that takes them.

    It stands for aiohttp's `ClientWebSocketResponse`, whose `receive`, `close`, `close_code` and
    `heartbeat` nobody could use: they echo 1000 for every code of the peer, lose the reason, and
    treat a cancellation as an end. The object ends with the dial, and the answer and the request,
    1.9 KiB, end with it.
    """

    __slots__ = (
        "_connection",
        "_frames",
        "_handler",
        "_lost",
        "headers",
        "protocol",
        "reader",
        "response",
        "transport",
        "writer",
    )

    def __init__(
        self,
        reader: Any,
        writer: WebSocketWriter,
        protocol: str | None,
        response: ClientResponse,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        del args, kwargs  # for what it is not used for
        connection = response.connection  # gone once the response is closed
        if (
            connection is None
            or (handler := connection.protocol) is None
            or (transport := handler.transport) is None
            or (lost := handler.closed) is None
        ):
            raise ClientConnectionResetError("the connection broke while it was upgraded")
        self.headers: CIMultiDictProxy[str]
        """The headers of the answer, as they came."""
        if isinstance(response, Answer):
            response.transport = None
            self.headers = response.received
        else:
            self.headers = response.headers
        # aiohttp keeps the parser of HTTP answers, 1.3 KiB, until the connection is lost, when it
        # sets this itself; no byte goes through it once the protocol has been changed.
        handler._parser = None  # noqa: SLF001 - no public way; test_contract.py pins it
        # And a queue for HTTP answers, 0.7 KiB: none comes any more.
        handler._buffer = ()  # type: ignore[assignment] # noqa: SLF001 - the same
        writer.compress = 0  # agreed upon or not: see compression.py
        self._connection = connection
        self._frames: UnmaskedFrames | None = None
        self._handler = handler
        self._lost: asyncio.Future[None] = lost
        self.protocol: str | None = protocol
        """The subprotocol."""
        self.reader: Any = reader
        self.writer: WebSocketWriter = writer
        self.response: Answer | ClientResponse = response
        self.transport: asyncio.Transport = transport

    inflates: ClassVar[bool] = True
    """Whether who makes the frames can take compressed ones."""

    def frames(self, max_message_size: int) -> Frames:
        """Say who reads and writes frames; the size is known to aiohttp's parser already."""
        del max_message_size
        outgoing = AiohttpOutgoing(self.writer, self.transport)
        return Frames(self.reader.read, self._lost, outgoing, self._frames)

    def hand_over(self) -> Connection:
        """Give up the connection, which is to be closed in the place of the answer.

        An answer that is freed closes its connection, unless it has none.
        """
        self.response._connection = None  # noqa: SLF001 - no public way; test_contract.py pins it
        self.response._closed = True  # noqa: SLF001 - the same
        return self._connection

    @property
    def _parser(self) -> Any:
        """What aiohttp hands to the protocol, once it has set it: test_contract.py pins that.

        Before 3.14.4 aiohttp does not ask for it.
        """
        return self._frames

    @_parser.setter
    def _parser(self, parser: Any) -> None:
        self._frames = UnmaskedFrames(parser, self._handler, self.reader)
