"""An echo over the library `websockets`: it listens at $PORT, and stops at SIGTERM."""

import asyncio
import http
import os
import signal

from received import note
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response


async def echo(connection: ServerConnection) -> None:
    """Answer each message with itself."""
    async for message in connection:
        note(message)
        await connection.send(message)


def refuse(connection: ServerConnection, request: Request) -> Response | None:
    """Know one path alone."""
    if request.path != "/":
        return connection.respond(http.HTTPStatus.NOT_FOUND, "no such path\n")
    return None


async def main() -> None:
    """Serve until SIGTERM; $PINGS is the interval of pings, and the time for the answer."""
    pings = float(os.environ["PINGS"]) if "PINGS" in os.environ else None
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(
        echo,
        "127.0.0.1",
        int(os.environ["PORT"]),
        process_request=refuse,
        ping_interval=pings,
        ping_timeout=pings,
    ):
        await stop.wait()


asyncio.run(main())
