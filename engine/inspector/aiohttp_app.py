"""The live page as an aiohttp sub-application."""

from contextlib import aclosing, suppress

from aiohttp import web

from recloser.inspector.inspector import Inspector
from recloser.inspector.site import HEADERS, Request, Site, too_large


def aiohttp_app(
    inspector: Inspector, *, token: str | None = None, allow_remote: bool = False
) -> web.Application:
    """Return an application to mount, as in `app.add_subapp("/recloser/", ...)`.

    The page is at `/recloser/`, read-only and for this machine alone; for `token` and
    `allow_remote` see `Site`.
    """
    site = Site(inspector, token=token, allow_remote=allow_remote)

    async def handle(request: web.Request) -> web.StreamResponse:
        if too_large(request.content_length or 0) or "chunked" in request.headers.get(
            "Transfer-Encoding", ""
        ):
            raise web.HTTPRequestEntityTooLarge(10_000, request.content_length or 0)
        answer = await site.answer(
            Request(
                method=request.method,
                path=request.match_info["path"],
                query=request.query,
                headers={name.lower(): value for name, value in request.headers.items()},
                remote=request.remote,
                body=await request.read(),
            )
        )
        headers = {**HEADERS, "Content-Type": answer.kind}
        if answer.stream is None:
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        with suppress(ConnectionError):  # the page has gone
            async with aclosing(answer.stream) as texts:
                async for text in texts:
                    await response.write(text.encode())
        return response

    async def end_pages(_: web.Application) -> None:
        inspector.end_pages()  # a server that stops waits for its answers, and streams have no end

    app = web.Application()
    app.on_shutdown.append(end_pages)
    app.router.add_route("*", "/{path:.*}", handle)
    return app
