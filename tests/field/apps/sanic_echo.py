"""An echo over sanic; it takes $STARTUP seconds to start."""

import asyncio
import os
from pathlib import Path

from received import note
from sanic import Request, Sanic, Websocket

app = Sanic("echo")
app.config.WEBSOCKET_PING_INTERVAL = float(os.environ.get("PINGS", "20"))
app.config.WEBSOCKET_PING_TIMEOUT = float(os.environ.get("PINGS", "20"))


@app.websocket("/")
async def echo(request: Request, ws: Websocket) -> None:
    """Answer each message with itself."""
    async for message in ws:
        note(message)
        await ws.send(message)


@app.before_server_start
async def starting(app: Sanic) -> None:
    """Take as long as a service that reads its data first."""
    if "STARTUP" in os.environ:
        await asyncio.to_thread(Path("starting").touch)
        await asyncio.wait({asyncio.Future()}, timeout=float(os.environ["STARTUP"]))


if __name__ == "__main__":
    single = "WORKERS" not in os.environ
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), single_process=single, motd=False)
