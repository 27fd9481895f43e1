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
        except _Drained:
            return  # it has ended because of the drain, as it should
        finally:
            await connection.end()

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


class _Drained(OSError):
    """What an application gets that sends after the drain, as ASGI has it of one that is gone."""


class _Connection:
    """The two channels of one WebSocket, with the drain between application and server."""

    def __init__(self, receive: Receive, send: Send, admission: Admission) -> None:
        self._receive = receive
        self._send = send
        self._admission = admission
        self._arrival: asyncio.Future[Message] | None = None
        """What the server is asked for; it outlives a `receive` that is cancelled."""
        self._turn = asyncio.Lock()
        """Of those who receive."""
        self._drained: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        """The message that tells the application of the drain."""

    async def receive(self) -> Message:
        """Receive from the server, or hear that the connection was drained.

        What the server gave to a call that was cancelled is the next call's.
        """
        async with self._turn:
            arrival = self._arrival or asyncio.ensure_future(self._receive())
            self._arrival = arrival
            await asyncio.wait((arrival, self._drained), return_when=asyncio.FIRST_COMPLETED)
            if not arrival.done():
                return self._drained.result()
            self._arrival = None
        message = arrival.result()
        if message["type"] == "websocket.disconnect":
            self._admission.leave(self)
        return message

    async def send(self, message: Message) -> None:
        """Send to the server; raises `OSError` once drained."""
        if self._drained.done():
            raise _Drained("the connection was drained: it is closed")
        if message["type"] == "websocket.close":
            self._admission.leave(self)  # a server refuses a second close
        await self._send(message)
        if message["type"] == "websocket.accept":
            self._admission.enter(self, self.close)

    async def close(self, code: int, reason: str) -> None:
        """Close the connection for the drain."""
        if not self._drained.done():
            message = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._drained.set_result(message)
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def end(self) -> None:
        """Ask the server for nothing more: the application has ended."""
        self._admission.leave(self)
        if self._arrival is not None:
            self._arrival.cancel()
            await asyncio.wait((self._arrival,))
            if not self._arrival.cancelled():
                self._arrival.exception()  # nobody is left who could hear of it
