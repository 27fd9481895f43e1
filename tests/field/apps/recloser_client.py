"""An engine with its default policy: recloser_client.py NAME URL."""

import asyncio
import sys

import recloser


async def main(url: str) -> None:
    """Stay connected until the policy gives up, and be there then, too."""
    ws = recloser.connect(url)
    ws.connect()
    try:
        async for _ in ws:
            pass
    except recloser.ConnectionClosed as error:
        print(error)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[2]))
