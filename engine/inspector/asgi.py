"""The live page as an ASGI application, for Starlette, FastAPI, Django and others."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from recloser.inspector.inspector import Inspector
from recloser.inspector.site import HEADERS, Answer, Request, Site, too_large

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def asgi_app(inspector: Inspector, *, token: str | None = None, allow_remote: bool = False) -> App:
    """Return an ASGI application to mount, as in Starlette's `app.mount("/recloser", ...)`.

    The page is at `/recloser/`, read-only and for this machine alone; for `token` and
    `allow_remote` see `Site`.
    """
    site = Site(inspector, token=token, allow_remote=allow_remote)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the page speaks HTTP, not {scope['type']}: mount it")
        body = await _body(receive)
        if body is None:
            await _whole(Answer(status=413), send)
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        client = scope.get("client")
        answer = await site.answer(
            Request(
                method=scope["method"],
                path=path.removeprefix("/"),
                query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
                headers={
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in scope["headers"]
                },
                remote=None if client is None else client[0],
                body=body,
            )
        )
        if answer.stream is None:
            await _whole(answer, send)
        else:
            await _stream(answer, answer.stream, receive, send)

    return app


async def _body(receive: Receive) -> bytes | None:
    """Read the body of a request; None for one that is too large."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if too_large(len(body)):
            return None
        if not message.get("more_body", False):
            return body


async def _start(answer: Answer, send: Send) -> None:
    headers = {**HEADERS, "Content-Type": answer.kind}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})


async def _whole(answer: Answer, send: Send) -> None:
    await _start(answer, send)
    await send({"type": "http.response.body", "body": answer.body})


async def _stream(
    answer: Answer, texts: AsyncGenerator[str, None], receive: Receive, send: Send
) -> None:
    """Send a stream until the page goes."""

    async def feed() -> None:
        async for text in texts:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    await _start(answer, send)
    tasks = {asyncio.ensure_future(feed()), asyncio.ensure_future(gone())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await texts.aclose()
