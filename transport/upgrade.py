"""The answer to an upgrade and the parts of its connection, through aiohttp's public hooks."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

from aiohttp import ClientConnectionResetError, ClientResponse, ClientWebSocketResponse
from aiohttp.connector import Connection
from aiohttp.http import WebSocketWriter


class Answer(ClientResponse):
    """The answer to the request for an upgrade; one that leads nowhere drops its socket.

    aiohttp would shut TLS down first, which takes a deaf peer half a minute: too long for a
    dial that was given up.
    """

    __slots__ = ("transport",)  # one more in the dictionary would cost 1 KiB a connection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transport: asyncio.Transport | None = None
        """The socket to abort; None before it is open, and when a wire closes it by itself."""

    async def start(self, connection: Connection) -> ClientResponse:
        """Keep the socket: an answer without a body drops it before it is closed."""
        self.transport = connection.transport
        return await super().start(connection)

    def close(self) -> None:
        """Close the response, and abort its socket unless a wire has it."""
        super().close()
        if self.transport is not None:
            self.transport.abort()


class Upgrade(ClientWebSocketResponse[Literal[True]]):
    """Keeps the arguments of aiohttp's constructor, and the transport while it is reachable.

    aiohttp's own `receive`, `close`, `close_code` and `heartbeat` are never used: they echo
    1000 for every code of the peer, lose the reason, and treat a cancellation as an end. The
    object is kept because it owns the parser.
    """

    __slots__ = ("lost", "reader", "response", "transport", "writer")

    def __init__(
        self,
        reader: Any,
        writer: WebSocketWriter,
        protocol: str | None,
        response: ClientResponse,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(reader, writer, protocol, response, *args, **kwargs)
        connection = response.connection  # gone once the response is closed
        handler = None if connection is None else connection.protocol
        if connection is None or handler is None:
            raise ClientConnectionResetError("the connection broke while it was upgraded")
        transport, lost = connection.transport, handler.closed
        if transport is None or lost is None:
            raise ClientConnectionResetError("the connection broke while it was upgraded")
        if isinstance(response, Answer):
            response.transport = None
        # aiohttp keeps the parser of HTTP answers, 1.3 KiB, until the connection is lost, when it
        # sets this itself; no byte goes through it once the protocol has been changed.
        handler._parser = None  # noqa: SLF001 - no public way; test_contract.py pins it
        self.reader = reader
        self.writer = writer
        self.response = response
        self.transport: asyncio.Transport = transport
        self.lost: asyncio.Future[None] = lost


def push(
    frame: Coroutine[asyncio.Future[Any], None, None],
) -> asyncio.Future[Any] | None:
    """Hand a frame over by the first step of the writer, which writes before it waits.

    Returns the future that the writer would wait for, if the write buffer is full. All senders
    share that future, so it must not be cancelled, as `await` in a cancelled task would do.
    Raises `ConnectionError`, with nothing written, if the transport is closing.
    """
    try:
        drained = frame.send(None)
    except StopIteration:
        return None
    frame.close()
    drained._asyncio_future_blocking = False  # noqa: SLF001 - the driver of a coroutine clears it
    drained.add_done_callback(_retrieve)
    return drained


def _retrieve(drained: asyncio.Future[Any]) -> None:
    if not drained.cancelled():
        drained.exception()  # retrieved, or asyncio reports it
