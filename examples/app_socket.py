"""An app that gets its events over a socket, and is told in-band to leave it.

    python examples/app_socket.py xapp-...

The protocol is that of Slack's Socket Mode: every dial needs a new URL, each envelope is to be
acknowledged on the connection that brought it, and a "disconnect" says that the socket is about to
be closed.
"""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

import recloser
from recloser import policies

OPEN = "https://slack.com/api/apps.connections.open"
REMEMBERED = 1000
"""Envelopes whose second delivery is known as one."""


async def address(token: str) -> str:
    """Ask for the URL of one connection."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(OPEN) as response:
        answer = await response.json()
    if not answer["ok"] and "auth" in answer["error"]:
        raise recloser.Unauthorized(answer["error"])
    if not answer["ok"]:
        raise ConnectionError(answer["error"])
    url: str = answer["url"]
    return url


async def run(
    url: Callable[[], Awaitable[str]], handle: Callable[[Any], Awaitable[None]], **options: Any
) -> None:
    """Handle the payload of each envelope once, until the app is switched off."""
    known = deque[str](maxlen=REMEMBERED)
    async with recloser.connect(url, policy=policies.for_service("slack"), **options) as ws:
        async for text in ws:
            match json.loads(text):
                case {"type": "hello"}:
                    ws.mark_healthy()
                case {"type": "disconnect", "reason": "link_disabled"}:
                    ws.fail("stop", reason="link_disabled", generation=ws.generation)
                case {"type": "disconnect", "reason": str(reason)}:
                    ws.fail("retry", reason=reason, generation=ws.generation)
                case {"envelope_id": str(number), "payload": payload}:
                    if number not in known:
                        await handle(payload)
                        known.append(number)
                    try:
                        await ws.send(json.dumps({"envelope_id": number}), this_generation=True)
                    except (recloser.NotOpen, ConnectionError):
                        print(f"{number} comes again, on the next connection")


async def show(payload: Any) -> None:
    print(payload)


if __name__ == "__main__":
    asyncio.run(run(lambda: address(sys.argv[1]), show))
