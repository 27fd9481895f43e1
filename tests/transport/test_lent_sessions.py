"""Each parameter of a lent session has its effect on a dial, or is refused aloud (E1.6)."""

import asyncio
import inspect
import json
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from aiohttp import (
    BasicAuth,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    CookieJar,
    DigestAuthMiddleware,
    HttpVersion10,
    TCPConnector,
    TraceConfig,
)
from aiohttp.connector import Connection

import recloser
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import accept_key
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request


class Trial(NamedTuple):
    value: Callable[[], Any]
    seen: str = ""
    """What the server's head of the request has for it."""
    refused: str = ""
    answer: str = ""
    """Headers of an answer that only a session with this parameter takes."""
    reason: str = "Switching Protocols"
    """The same for the reason phrase of the answer."""
    silent: bool = False
    """The server does not answer, and the session ends the dial."""


class OwnRequest(ClientRequest):
    async def send(self, conn: Connection) -> ClientResponse:
        self.headers["X-Class"] = "own"
        return await super().send(conn)


class OwnResponse(ClientResponse):
    pass


class OwnSocket(ClientWebSocketResponse):  # type: ignore[type-arg] # since 3.14 alone
    pass


async def signs(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    request.headers["X-Signed"] = "yes"
    return await handler(request)


def traced() -> list[TraceConfig]:
    async def start(session: Any, context: Any, params: Any) -> None:
        params.headers["X-Traced"] = "yes"

    config = TraceConfig()
    config.on_request_start.append(start)
    return [config]


def jar() -> CookieJar:
    made = CookieJar(unsafe=True)
    made.update_cookies({"a": "b"})
    return made


async def raises(response: ClientResponse) -> None:
    response.raise_for_status()


NO_PART = Trial(lambda: None)
TRIALS = {
    "base_url": Trial(lambda: "http://feed.example/"),  # the engine's URLs are absolute
    "connector": Trial(lambda: TCPConnector(local_addr=("127.0.0.3", 0))),
    "connector_owner": Trial(lambda: True),
    "loop": Trial(asyncio.get_running_loop),
    "cookies": Trial(lambda: {"a": "b"}, seen="cookie: a=b"),
    "cookie_jar": Trial(jar, seen="cookie: a=b"),
    "headers": Trial(lambda: {"X-A": "b"}, seen="x-a: b"),
    "proxy": Trial(lambda: None),  # test_sessions.py
    "proxy_auth": Trial(lambda: BasicAuth("a", "b")),  # test_sessions.py
    "skip_auto_headers": Trial(lambda: ["User-Agent"]),
    "auth": Trial(lambda: BasicAuth("a", "b"), refused="has auth"),
    "json_serialize": Trial(lambda: json.dumps),  # a GET has no body
    "json_serialize_bytes": NO_PART,
    "request_class": Trial(lambda: OwnRequest, seen="x-class: own"),
    "response_class": Trial(lambda: OwnResponse, refused="response_class"),
    "ws_response_class": Trial(lambda: OwnSocket, refused="ws_response_class"),
    "version": Trial(lambda: HttpVersion10, seen="HTTP/1.0"),
    "raise_for_status": Trial(lambda: raises, refused="raise_for_status"),
    "read_timeout": Trial(lambda: 0.05, silent=True),
    "conn_timeout": Trial(lambda: 5.0),
    "timeout": Trial(lambda: ClientTimeout(sock_read=0.05), silent=True),
    "auto_decompress": Trial(lambda: False),
    "trust_env": Trial(lambda: True),  # test_trust_env
    "requote_redirect_url": Trial(lambda: False),  # test_a_location_is_never_quoted_anew
    "trace_configs": Trial(traced, seen="x-traced: yes"),
    "read_bufsize": Trial(lambda: 1024),
    "max_line_size": Trial(lambda: 99_999, reason="x" * 12_000),
    "max_field_size": Trial(lambda: 99_999, answer="X-L: " + "x" * 12_000 + "\r\n"),
    "max_headers": Trial(lambda: 999, answer="".join(f"X-{n}: y\r\n" for n in range(200))),
    "fallback_charset_resolver": Trial(lambda: lambda response, body: "utf-8"),
    "middlewares": Trial(lambda: (signs,), seen="x-signed: yes"),
    "ssl_shutdown_timeout": Trial(lambda: 1.0),
}
PARAMETERS = list(inspect.signature(ClientSession).parameters)
"""Those of the installed aiohttp; an older release has fewer."""


def session_with(name: str) -> ClientSession:
    with warnings.catch_warnings():  # several parameters are deprecated, and work still
        warnings.simplefilter("ignore", DeprecationWarning)
        options = {name: TRIALS[name].value()}
        return ClientSession(**options)


async def dialled(session: ClientSession, server: Server, trial: Trial) -> str:
    """The head of the request of a dial that opens, or that the session ends."""
    transport = AiohttpTransport(session=session, heartbeat=None)
    dial = asyncio.create_task(transport.dial(Request(server.url), lambda close: None))
    peer = await server.accept()
    if trial.silent:
        await peer.request()
        with pytest.raises(DialFailed):
            await asyncio.wait_for(dial, 120)
    else:
        await peer.request()
        key = accept_key(peer.head["sec-websocket-key"])
        await peer.send(
            f"HTTP/1.1 101 {trial.reason}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\n{trial.answer}\r\n".encode()
        )
        wire = await dial
        wire.abort()
        await wire.wait_closed()
    await transport.aclose()
    return "\n".join((peer.request_line, *(f"{name}: {peer.head[name]}" for name in peer.head)))


def test_every_parameter_has_a_trial() -> None:
    assert set(PARAMETERS) <= set(TRIALS)


@pytest.mark.spec("E1.6")
@pytest.mark.parametrize("name", PARAMETERS)
async def test_a_parameter_is_used_or_refused(name: str) -> None:
    trial = TRIALS[name]
    async with serving() as server, session_with(name) as session:
        if trial.refused:
            with pytest.raises(ValueError, match=trial.refused):
                recloser.connect(server.url, session=session)
            return
        head = await dialled(session, server, trial)
        assert trial.seen in head
        assert ("user-agent" in head) is (name != "skip_auto_headers")


@pytest.mark.spec("E1.6")
async def test_a_middleware_sees_the_answer_before_it_is_judged() -> None:
    """A digest is sent after a 401 only, which is no refusal then."""
    digest = DigestAuthMiddleware("me", "hush")
    async with serving() as server, ClientSession(middlewares=(digest,)) as session:
        transport = AiohttpTransport(session=session, heartbeat=None)
        dial = asyncio.create_task(transport.dial(Request(server.url), lambda close: None))
        peer = await server.accept()
        await peer.request()
        await peer.send(
            b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n"
            b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256\r\n\r\n'
        )
        second = await server.accept()
        await second.upgrade()
        assert second.head["authorization"].startswith('Digest username="me"')
        wire = await dial
        wire.abort()
        await wire.wait_closed()
        await transport.aclose()


@pytest.mark.spec("E1.6")
async def test_the_total_of_a_session_ends_a_dial_and_no_connection() -> None:
    timeout = ClientTimeout(total=0.2)
    async with serving() as server, ClientSession(timeout=timeout) as session:
        await dialled(session, server, Trial(lambda: None, silent=True))
        transport = AiohttpTransport(session=session, heartbeat=None)
        told: list[recloser.Close] = []
        dial = asyncio.create_task(transport.dial(Request(server.url), told.append))
        await (await server.accept()).upgrade()
        wire = await dial
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await wire.wait_closed()
        assert told == []
        wire.abort()
        await wire.wait_closed()
        await transport.aclose()


@pytest.mark.spec("E1.6", "E5.2")
@pytest.mark.parametrize("requote", [True, False])
async def test_a_location_is_never_quoted_anew(*, requote: bool) -> None:
    """So `requote_redirect_url=False` has its effect. That of True is aiohttp's default."""
    async with serving() as server, ClientSession(requote_redirect_url=requote) as session:
        transport = AiohttpTransport(session=session, heartbeat=None, follow_redirects=1)
        dial = asyncio.create_task(transport.dial(Request(server.url), lambda close: None))
        first = await server.accept()
        await first.request()
        await first.send(
            b"HTTP/1.1 302 Found\r\nLocation: /a%28b/%7e?q=%2b\r\nContent-Length: 0\r\n\r\n"
        )
        second = await server.accept()
        await second.upgrade()
        assert second.request_line == "GET /a%28b/%7e?q=%2b HTTP/1.1"
        wire = await dial
        wire.abort()
        await wire.wait_closed()
        await transport.aclose()


@pytest.mark.spec("E1.6")
async def test_trust_env(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as proxy, ClientSession(trust_env=True) as session:
        monkeypatch.setenv("wss_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ValueError, match="has trust_env"):
            AiohttpTransport(session=session, proxy="env")
        transport = AiohttpTransport(session=session, heartbeat=None)
        dial = asyncio.create_task(
            transport.dial(Request("wss://feed.example/"), lambda close: None)
        )
        peer = await proxy.accept()
        await peer.request()
        assert peer.request_line.startswith("CONNECT feed.example:443 ")
        await peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(DialFailed):
            await dial
        await transport.aclose()
