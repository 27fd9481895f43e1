"""Admission to the WebSockets of an ASGI application, for Starlette, FastAPI and others."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from recloser.admission.admission import Admission
from recloser.fsm.closecodes import TRY_LATER

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def asgi_admission(app: App, admission: Admission) -> App:
    """Return the application behind an admission; other than WebSockets pass.

    Who is not admitted gets 503 with a Retry-After, where the server has the extension
    `websocket.http.response`; else the connection is accepted and closed with 1013. ASGI tells an
    application of a shutdown when its connections are gone already: call `admission.drain()`
    before, at SIGTERM.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await app(scope, receive, send)
            return
        seconds = admission.ask()
        if seconds is not None:
            await _refuse(scope, receive, send, seconds)
            return
        connection = _Connection(receive, send, admission)
        try:
            await app(scope, connection.receive, connection.send)
        finally:
            admission.leave(connection)

    return guarded


async def _refuse(scope: Scope, receive: Receive, send: Send, seconds: int) -> None:
    await receive()  # websocket.connect
    if "websocket.http.response" in (scope.get("extensions") or {}):
        headers = [(b"retry-after", b"%d" % seconds), (b"content-type", b"text/plain")]
        start = {"type": "websocket.http.response.start", "status": 503, "headers": headers}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b"come again later\n"})
        return
    await send({"type": "websocket.accept"})
    reason = f"no room; spread={seconds}"
    await send({"type": "websocket.close", "code": TRY_LATER, "reason": reason})


class _Connection:
    """The two channels of one WebSocket, with the drain between application and server."""

    def __init__(self, receive: Receive, send: Send, admission: Admission) -> None:
        self._receive = receive
        self._send = send
        self._admission = admission
        self._closed: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        """The message that tells the application of the drain."""

    async def receive(self) -> Message:
        """Receive from the server, or hear that the connection was drained."""
        arrival = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait({arrival, self._closed}, return_when=asyncio.FIRST_COMPLETED)
            if arrival.done():
                return arrival.result()
        finally:
            if not arrival.done():
                arrival.cancel()
        return self._closed.result()

    async def send(self, message: Message) -> None:
        """Send to the server; raises `OSError` once drained, as ASGI has it of one that is gone."""
        if self._closed.done():
            raise OSError("the connection was drained: it is closed")
        await self._send(message)
        if message["type"] == "websocket.accept":
            self._admission.enter(self, self.close)

    async def close(self, code: int, reason: str) -> None:
        """Close the connection for the drain."""
        if not self._closed.done():
            told = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._closed.set_result(told)
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
