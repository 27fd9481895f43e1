"""The parts of one upgraded connection, taken through aiohttp's public `ws_response_class`."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

from aiohttp import ClientConnectionResetError, ClientResponse, ClientWebSocketResponse
from aiohttp.http import WebSocketWriter


class Upgrade(ClientWebSocketResponse[Literal[True]]):
    """Keeps what aiohttp hands to its constructor, and the transport while it can be had.

    aiohttp's own `receive`, `close`, `close_code` and `heartbeat` are never used: they echo
    1000 whatever the peer said, lose the reason, and take cancelling for an end. The object
    itself is kept because it owns the parser.
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
        self.reader = reader
        self.writer = writer
        self.response = response
        self.transport: asyncio.Transport = transport
        self.lost: asyncio.Future[None] = lost


def push(frame: Coroutine[asyncio.Future[Any], None, None]) -> None:
    """Hand a frame over without waiting for the socket: the writer waits after it wrote.

    Raises `ConnectionError` if the transport is closing.
    """
    try:
        drained = frame.send(None)
    except StopIteration:
        return
    frame.close()
    drained.cancel()  # a shield: left alone it would report an exception nobody retrieved
