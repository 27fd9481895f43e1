"""A GraphQL subscription over graphql-transport-ws, subscribed anew on every connection.

    python examples/graphql_subscription.py ws://127.0.0.1:4000/graphql 'subscription { ticks }'

The protocol: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import recloser
from recloser import policies

SUBSCRIPTION = "1"
"""The id of the one operation; ids are unique within a connection."""


def subscribing(query: str) -> Callable[[recloser.Opening], Awaitable[None]]:
    """Make the hook that greets the server and subscribes, before the engine is open."""

    async def on_open(opening: recloser.Opening) -> None:
        await opening.send_json({"type": "connection_init"})
        while True:
            message = await opening.receive_json()
            if message["type"] == "connection_ack":
                break
            if message["type"] == "ping":
                await opening.send_json({"type": "pong"})
        await opening.send_json(
            {"id": SUBSCRIPTION, "type": "subscribe", "payload": {"query": query}}
        )

    return on_open


async def results(ws: recloser.ReconnectingWebSocket) -> AsyncIterator[Any]:
    """Give the results of the subscription, across all connections, until it is complete."""
    async for text in ws:
        match json.loads(text):
            case {"type": "next", "payload": payload}:
                ws.mark_healthy()
                yield payload
            case {"type": "ping"}:
                await ws.send_json({"type": "pong"})
            case {"type": "error", "payload": errors}:
                raise ValueError(f"the server refuses the subscription: {errors}")
            case {"type": "complete"}:
                return


async def main(url: str, query: str) -> None:
    ws = recloser.connect(
        url,
        subprotocols=("graphql-transport-ws",),
        on_open=subscribing(query),
        policy=policies.for_service("graphql-transport-ws"),
    )
    async with ws:
        async for payload in results(ws):
            print("connection", ws.generation, json.dumps(payload))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
