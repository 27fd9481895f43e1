"""The HTTP part of the live page, without a web framework: from a request to an answer."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hmac import compare_digest
from importlib.resources import files
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from recloser.inspector.inspector import Inspector, TooManyPagesError
from recloser.inspector.machine import svg

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Headers of every answer: nothing from other hosts, nothing inline, nothing kept."""
_FILES: Final = {
    "": ("index.html", "text/html; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "draw.js": ("draw.js", "text/javascript; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
}
_LARGEST: Final = 10_000
"""Bytes of the body of a request."""
_SHORTEST_TOKEN: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What matters of an HTTP request; names of headers in lower case."""

    method: str
    path: str
    """Beneath the place where the page is mounted, without a slash before it."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Not in `repr`: the token is there."""
    remote: str | None = None
    """The address of the peer; None if it is not an IP address."""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP server sends back: a whole body, or a stream."""

    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    """The content type."""
    body: bytes = b""
    stream: AsyncGenerator[str, None] | None = None


class Site:
    """Answers the requests of one mounted page.

    inspector: what it shows.
    token: lets the page's buttons connect, suspend and close engines for who has it; at least
        16 characters. None: the page is read-only. Raises `ValueError` for a shorter one.
    allow_remote: answer others than this machine, too. Put your own authentication before it.
    """

    def __init__(
        self, inspector: Inspector, *, token: str | None = None, allow_remote: bool = False
    ) -> None:
        if token is not None and len(token) < _SHORTEST_TOKEN:
            raise ValueError(f"token must have {_SHORTEST_TOKEN} characters: secrets.token_hex()")
        self._inspector = inspector
        self._token = token
        self._allow_remote = allow_remote

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if not self._allow_remote and not _is_local(request):
            text = "this page is for this machine alone: allow_remote=True, behind a login of yours"
            return _problem(403, text)
        if request.method == "POST":
            return await self._act(request)
        if request.method != "GET":
            return _problem(405, "GET reads the page")
        if request.path in _FILES:
            name, kind = _FILES[request.path]
            return Answer(kind=kind, body=_file(name))
        if request.path == "events":
            return await self._events()
        if request.path == "timeline":
            return _json(self._inspector.timeline(request.query.get("engine", "")))
        if request.path == "options":
            return _json({"actions": self._token is not None})
        return _problem(404, "there is no such page")

    async def _events(self) -> Answer:
        stream = self._inspector.stream()
        try:
            first = await anext(stream)
        except TooManyPagesError:
            return _problem(503, "too many pages are open: close one")
        return Answer(kind="text/event-stream", stream=_after(first, stream))

    async def _act(self, request: Request) -> Answer:
        """Let a button do its work, for who has the token and comes from this page."""
        if self._token is None:
            return _problem(403, "the page is read-only: give it a token")
        origin = _split(request.headers.get("origin", "")).netloc
        if not origin or origin != request.headers.get("host"):
            return _problem(403, "the request is not from this page")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        # A server gives bytes of a header that are no UTF-8 as lone surrogates.
        if not compare_digest(given.encode(errors="surrogatepass"), self._token.encode()):
            return _problem(401, "the token is another one")
        try:
            name = json.loads(request.body)["engine"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return _problem(400, 'the body must be {"engine": name}')
        ws = self._inspector.engine(name) if isinstance(name, str) else None
        if ws is None:
            return _problem(404, "no such engine is watched")
        match request.path:
            case "connect":
                ws.connect()
            case "suspend":
                await ws.suspend()
            case "close":
                await ws.close()
            case _:
                return _problem(404, "there is no such button")
        return _json({"state": ws.state.value})


async def _after(first: str, rest: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    try:
        yield first
        async for text in rest:
            yield text
    finally:
        await rest.aclose()


def _is_local(request: Request) -> bool:
    """Whether a request is from this machine, by the address and by the name that was asked for.

    The name keeps out a page of another host whose name was made to point here. What a proxy
    passes on comes from somewhere else.
    """
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    host = _split(f"//{request.headers.get('host', '')}").hostname or ""
    try:
        return ip_address(request.remote or "").is_loopback and (
            host == "localhost" or ip_address(host).is_loopback
        )
    except ValueError:
        return False


def _split(text: str) -> SplitResult:
    """Split a URL of a header; one that is none is empty."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


@cache
def _file(name: str) -> bytes:
    body = (files("recloser.inspector") / "page" / name).read_bytes()
    return body.replace(b"<!-- machine -->", svg().encode())


def _json(value: object) -> Answer:
    return Answer(kind="application/json", body=json.dumps(value).encode())


def _problem(status: int, text: str) -> Answer:
    return Answer(status=status, body=text.encode())


def too_large(length: int) -> bool:
    """Whether the body of a request is larger than any that the page sends."""
    return length > _LARGEST
