"""Admission to the WebSockets of an aiohttp application."""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from recloser.admission.admission import Admission

_PREPARING: Final = 0.01
"""Seconds between two looks at a connection whose upgrade is being answered."""
_ADMISSION: Final = web.AppKey("recloser_admission", Admission)
"""Where an application keeps its admission."""


def aiohttp_admission(app: web.Application, admission: Admission) -> None:
    """Let every WebSocket of this application ask for admission, and drain as it shuts down.

    An upgrade that is not admitted is answered with 503 and a Retry-After; other requests pass.
    Call it before the application starts. On shutdown every connection is closed with 1012, before
    aiohttp ends its handlers; call `admission.drain()` yourself, at SIGTERM, and the refusals tell
    who comes meanwhile when to come again. Raises `ValueError` for an application that has an
    admission: it would count each connection twice.
    """
    if _ADMISSION in app:
        raise ValueError("this application has an admission: call aiohttp_admission once for it")
    app[_ADMISSION] = admission
    # aiohttp's requests are not hashable; an id is unique as long as its request is handled.
    admitted = set[int]()

    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await handler(request)
        seconds = admission.ask()
        if seconds is not None:
            return web.Response(
                status=503, headers={"Retry-After": str(seconds)}, text="come again later\n"
            )
        admitted.add(id(request))
        try:
            return await handler(request)
        finally:
            admitted.discard(id(request))
            admission.leave(id(request))

    async def enter(request: web.Request, response: web.StreamResponse) -> None:
        if not isinstance(response, web.WebSocketResponse) or id(request) not in admitted:
            return

        async def close(code: int, reason: str) -> None:
            while id(request) in admitted and not response.prepared:  # noqa: ASYNC110 - no signal
                await asyncio.sleep(_PREPARING)
            if response.prepared:
                await response.close(code=code, message=reason.encode())

        admission.enter(id(request), close)

    async def drain(_: web.Application) -> None:
        await admission.drain()

    app.middlewares.insert(0, ask)
    app.on_response_prepare.append(enter)
    app.on_shutdown.append(drain)
