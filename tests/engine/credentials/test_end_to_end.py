"""Tokens that run out, against a real server: the application sees messages and no error."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import structlog
from aiohttp import WSCloseCode, web
from structlog.testing import capture_logs

import recloser
from recloser import (
    Close,
    ConnectionClosed,
    Context,
    Credentials,
    Retry,
    State,
    StateChange,
    Unauthorized,
    policies,
)
from recloser.credentials import header, query, subprotocol
from recloser.fsm import Decision
from tests.engine.credentials.rig import Asked

PATIENCE = 120.0


class TokenServer:
    """Lets in who brings a token that is valid, and ends a connection when its token is spent."""

    def __init__(self, end: Callable[[web.WebSocketResponse], object]) -> None:
        self.valid = "token-1"
        self.seen: list[str | None] = []
        self.url = ""
        self._end = end

    def token_of(self, request: web.Request) -> str | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            return token
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")[-1].strip()
        return request.query.get("access_token") or offered.removeprefix("auth.") or None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        token = self.token_of(request)
        self.seen.append(token)
        if token != self.valid:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        ws = web.WebSocketResponse(protocols=["feed"])
        await ws.prepare(request)
        await ws.send_str(f"hello {token}")
        if (await ws.receive()).data == "and then?":
            self.valid = f"token-{int(token[-1]) + 1}"
            ending = self._end(ws)
            if asyncio.iscoroutine(ending):
                await ending
            await ws.receive()
        return ws


@asynccontextmanager
async def serving(server: TokenServer) -> AsyncIterator[TokenServer]:
    app = web.Application()
    app.router.add_get("/feed", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        server.url = f"ws://127.0.0.1:{port}/feed"
        async with asyncio.timeout(PATIENCE):
            yield server
    finally:
        await runner.cleanup()


def closes(code: int, message: str = "") -> Callable[[web.WebSocketResponse], object]:
    return lambda ws: ws.close(code=code, message=message.encode())


def cuts(ws: web.WebSocketResponse) -> None:
    """The next dial is refused with 401: the token ran out in between."""
    transport = ws._req.transport if ws._req is not None else None
    assert transport is not None
    transport.abort()


ENDS = [
    pytest.param("standard", closes(WSCloseCode.OK, "Token expired"), id="S9: 1000 token expired"),
    pytest.param("standard", closes(3000), id="3000"),
    pytest.param("centrifugo", closes(3005, "expired"), id="a code of the service"),
    pytest.param("quick", cuts, id="cut, 401 at the next dial"),
]


class Quick:
    """The standard policy, but a second after a cut."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.status is None and not close.intentional:
            return Retry(1.0, rule="quick")
        return policies.standard().decide(close, context)


def by_name(policy: str) -> recloser.Policy:
    if policy == "quick":
        return Quick()
    return policies.standard() if policy == "standard" else policies.for_service(policy)


@pytest.mark.spec("E3.1", "E1.1")
@pytest.mark.parametrize(("policy", "end"), ENDS)
async def test_a_spent_token_is_replaced_and_no_error_reaches_the_application(
    policy: str, end: Callable[[web.WebSocketResponse], object]
) -> None:
    """1000 "Token expired", a new token, a dial at once, and on it goes."""
    structlog.reset_defaults()
    dials = 2 if end is cuts else 3
    provider, changes = Asked(), list[StateChange]()
    async with serving(TokenServer(end)) as server:
        with capture_logs() as lines:
            async with recloser.connect(
                server.url,
                policy=by_name(policy),
                credentials=Credentials(provider),
                observers=[changes.append],
            ) as ws:
                received = []
                async for message in ws:
                    received.append(message)
                    ws.mark_healthy()
                    if len(received) < dials:
                        await ws.send("and then?")
                    else:
                        await ws.close()
    assert received == [f"hello token-{number + 1}" for number in range(dials)]
    assert provider.calls == dials
    assert all(change.error is None for change in changes)
    refreshed = [change for change in changes if getattr(change.decision, "refresh", False)]
    assert [change.delay for change in refreshed] == [0.0] * (dials - 1)
    assert {change.current for change in changes} == set(State) - {State.PASSIVE}
    assert [line for line in lines if line["log_level"] == "error"] == []
    assert not re.search(r"token-\d", str(lines))


@pytest.mark.spec("E1.4")
@pytest.mark.parametrize("place", [header(), query("access_token"), subprotocol("auth.")])
async def test_a_token_arrives_wherever_it_is_put(place: recloser.credentials.Place) -> None:
    server = TokenServer(closes(1000, "Token expired"))
    async with (
        serving(server),
        recloser.connect(
            server.url,
            subprotocols=["feed"],
            credentials=Credentials(Asked(), place=place),
        ) as ws,
    ):
        assert await ws.receive() == "hello token-1"
        await ws.send("and then?")
        assert await ws.receive() == "hello token-2"
        assert ws.subprotocol == "feed"
    assert server.seen[:2] == ["token-1", "token-2"]


@pytest.mark.spec("E3.2", "I2")
async def test_the_same_refusal_after_a_refresh_stops_and_tells_no_secret() -> None:
    provider = Asked("wrong-1", "wrong-2", "wrong-3")
    server = TokenServer(cuts)
    async with serving(server):
        ws = recloser.connect(f"{server.url}?key=hush", credentials=Credentials(provider))
        with pytest.raises(ConnectionClosed) as caught:
            await ws.__aenter__()
    assert server.seen == ["wrong-1", "wrong-2"]
    close = ws.last_close
    assert close is not None
    assert (close.status, close.headers["www-authenticate"]) == (401, "Bearer")
    told = f"{caught.value} {caught.value!r} {close!r} {close.error!r} {close.error}"
    assert "wrong" not in told
    assert "hush" not in told
    assert "401" in str(close.error)
    await ws.close()


@pytest.mark.spec("E2.2", "E3.1")
async def test_a_provider_that_has_none_left_ends_it_and_signing_in_starts_it_again() -> None:
    async with serving(TokenServer(closes(1000, "Token expired"))) as server:
        provider, renewal = Asked("token-1", "token-2"), Asked(Unauthorized("signed out"))
        credentials = Credentials(provider, refresh=renewal)
        ws = recloser.connect(server.url, credentials=credentials)
        ws.connect()
        assert await ws.receive() == "hello token-1"
        await ws.send("and then?")
        with pytest.raises(ConnectionClosed, match="unauthorized"):
            await ws.receive()
        credentials.forget()
        ws.connect()
        assert await ws.receive() == "hello token-2"
        await ws.close()
        assert (provider.calls, renewal.calls) == (2, 1)
