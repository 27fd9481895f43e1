"""The loop that the library `websockets` documents: websockets_client.py NAME URL."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def main(url: str) -> None:
    """Connect again whenever the connection ends."""
    async for websocket in connect(url):
        try:
            async for _ in websocket:
                pass
        except ConnectionClosed:
            continue


asyncio.run(main(sys.argv[2]))
