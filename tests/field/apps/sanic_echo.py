"""An echo over sanic."""

import os

from sanic import Request, Sanic, Websocket

app = Sanic("echo")
app.config.WEBSOCKET_PING_INTERVAL = float(os.environ.get("PINGS", "20"))
app.config.WEBSOCKET_PING_TIMEOUT = float(os.environ.get("PINGS", "20"))


@app.websocket("/")
async def echo(request: Request, ws: Websocket) -> None:
    """Answer each message with itself."""
    async for message in ws:
        await ws.send(message)


if __name__ == "__main__":
    single = "WORKERS" not in os.environ
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), single_process=single, motd=False)
