"""An echo over aiohttp.web: $HEARTBEAT is its interval of pings, and $STARTUP its start-up."""

import asyncio
import os
from pathlib import Path

from aiohttp import WSMsgType, web
from received import note


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Answer each text with itself."""
    heartbeat = os.environ.get("HEARTBEAT")
    ws = web.WebSocketResponse(heartbeat=None if heartbeat is None else float(heartbeat))
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            note(message.data)
            await ws.send_str(message.data)
    return ws


async def starting(app: web.Application) -> None:
    """Take as long as a service that reads its data first."""
    if "STARTUP" in os.environ:
        await asyncio.to_thread(Path("starting").touch)
        await asyncio.wait({asyncio.Future()}, timeout=float(os.environ["STARTUP"]))


app = web.Application()
app.router.add_get("/", echo)
app.on_startup.append(starting)
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), shutdown_timeout=2.0)
