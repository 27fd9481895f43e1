"""A feed inside an aiohttp.web service: one engine for the life of the application.

python examples/embed_aiohttp.py ws://127.0.0.1:8765/ 8080
"""

import sys
from collections.abc import AsyncIterator

from aiohttp import web

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


URL = web.AppKey("URL", str)
FEED = web.AppKey("FEED", Feed)


async def feed(app: web.Application) -> AsyncIterator[None]:
    """Start before the first request; close with 1001 when the service goes away."""
    app[FEED] = Feed(app[URL])
    async with recloser.Supervisor(code=1001, deadline=5.0) as supervisor:
        supervisor.add(app[FEED].ws, app[FEED].consume)
        yield


async def show(request: web.Request) -> web.Response:
    feed = request.app[FEED]
    return web.json_response({"status": feed.view.status.value, "latest": feed.latest})


def application(url: str) -> web.Application:
    app = web.Application()
    app[URL] = url
    app.cleanup_ctx.append(feed)
    app.router.add_get("/", show)
    return app


if __name__ == "__main__":
    web.run_app(application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
