"""A feed inside a Starlette or FastAPI service, by its lifespan.

pip install starlette uvicorn
python examples/embed_starlette.py ws://127.0.0.1:8765/ 8080
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import recloser


class Feed:
    """What the handlers of requests see of the engine."""

    def __init__(self, url: str) -> None:
        self.ws = recloser.connect(url)
        self.view = self.ws.settled(after=2.0)
        self.latest = ""

    async def consume(self, ws: recloser.ReconnectingWebSocket) -> None:
        async for message in ws:
            self.latest = str(message)


class State(TypedDict):
    """What the lifespan hands to every request."""

    feed: Feed


async def show(request: Request) -> JSONResponse:
    feed = request.state.feed
    return JSONResponse({"status": feed.view.status.value, "latest": feed.latest})


def application(url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        """Start before the first request; close with 1001 when the service goes away."""
        feed = Feed(url)
        async with recloser.Supervisor(code=1001, deadline=5.0) as supervisor:
            supervisor.add(feed.ws, feed.consume)
            yield {"feed": feed}

    return Starlette(routes=[Route("/", show)], lifespan=lifespan)


if __name__ == "__main__":
    # ws="none": uvicorn itself serves no WebSocket here.
    uvicorn.run(application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), ws="none")
