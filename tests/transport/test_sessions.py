"""Our own session, and one that the application lends (J1, J2, J4)."""

import asyncio
import warnings
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

import pytest
from aiohttp import (
    BasicAuth,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    CookieJar,
    TCPConnector,
)
from aiohttp.connector import Connection
from yarl import URL

from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import close_frame
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request
from recloser.transport.errors import SessionClosed
from recloser.transport.ticker import Ticker
from tests.aiohttp_releases import since_aiohttp
from tests.transport.link import linked, timers, turns

if TYPE_CHECKING:
    import ssl

Factory = Callable[[], asyncio.AbstractEventLoop]


async def dialled(transport: AiohttpTransport, server: Server, request: Request) -> Peer:
    """What a peer sees of a dial; the wire is dropped again."""
    dial = asyncio.create_task(transport.dial(request, lambda close: None))
    peer = await server.accept()
    await peer.upgrade(headers="Set-Cookie: seen=1\r\n")
    wire = await dial
    wire.abort()
    await wire.wait_closed()
    return peer


async def test_our_own_session_keeps_no_cookies_and_serves_again_after_aclose(
    loop_factory: Factory,
) -> None:
    transport = AiohttpTransport(heartbeat=None)
    async with serving() as server:
        for _ in range(2):
            for _ in range(2):
                peer = await dialled(transport, server, Request(server.url))
                assert "cookie" not in peer.head
            await transport.aclose()
        await transport.aclose()


async def test_a_lent_session_gives_cookies_and_the_headers_of_the_moment() -> None:
    jar = CookieJar(unsafe=True)
    async with serving() as server, ClientSession(cookie_jar=jar) as session:
        transport = AiohttpTransport(session=session, heartbeat=None)
        jar.update_cookies({"key": "value"}, URL(server.url))
        session.headers["X-Token"] = "old"
        session.headers["X-Other"] = "kept"
        peer = await dialled(transport, server, Request(server.url))
        assert (peer.head["cookie"], peer.head["x-token"]) == ("key=value", "old")
        session.headers["X-Token"] = "new"
        peer = await dialled(transport, server, Request(server.url, {"x-other": "mine"}))
        assert (peer.head["x-token"], peer.head["x-other"]) == ("new", "mine")
        assert peer.head["cookie"] == "key=value; seen=1"
        await transport.aclose()
        assert not session.closed


async def test_one_borrowed_session_serves_all_who_borrow_and_goes_with_the_last() -> None:
    async with serving() as server, ClientSession() as session:
        transports = [AiohttpTransport(session=session, heartbeat=None) for _ in range(3)]
        for transport in transports:
            await dialled(transport, server, Request(server.url))
        (borrowed,) = {part.session for transport in transports for part in transport._shares}
        for transport in transports:
            assert not borrowed.closed
            await transport.aclose()
        assert borrowed.closed
        assert not session.closed


def test_a_lent_session_with_auth_is_refused_with_a_way_out() -> None:
    async def main() -> None:
        with warnings.catch_warnings():  # it is deprecated since 3.14
            warnings.simplefilter("ignore", DeprecationWarning)
            session = ClientSession(auth=BasicAuth("a", "b"))
        async with session:
            with pytest.raises(ValueError, match="give its Authorization header"):
                AiohttpTransport(session=session)

    asyncio.run(main())


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="max_message_size"):
        AiohttpTransport(max_message_size=-1)


def closed_session(close: Close) -> bool:
    assert isinstance(close.error, SessionClosed)
    return (close.code, close.cause, close.origin) == (1006, Cause.SESSION_CLOSED, Origin.ENGINE)


@pytest.mark.spec("J4")
@pytest.mark.parametrize("dialled_before", [False, True])
async def test_dialling_on_a_closed_session_says_so(*, dialled_before: bool) -> None:
    session = ClientSession()
    transport = AiohttpTransport(session=session, heartbeat=None)
    async with serving() as server:
        if dialled_before:
            await dialled(transport, server, Request(server.url))
        await session.close()
        for _ in range(2):
            with pytest.raises(DialFailed) as caught:
                await transport.dial(Request(server.url), lambda close: None)
            assert closed_session(caught.value.close)
        assert not server.another()
    await transport.aclose()


@pytest.mark.spec("J4")
async def test_closing_a_lent_session_during_a_dial_says_so(loop_factory: Factory) -> None:
    session = ClientSession()
    transport = AiohttpTransport(session=session, heartbeat=None)
    async with serving() as server:
        dial = asyncio.create_task(transport.dial(Request(server.url), lambda close: None))
        peer = await server.accept()
        await peer.request()
        await session.close()
        with pytest.raises(DialFailed) as caught:
            await dial
        assert closed_session(caught.value.close)
    await transport.aclose()


@pytest.mark.spec("J4")
@pytest.mark.parametrize("reader", ["parked", "nobody"])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_closing_a_lent_session_under_a_wire_says_so(
    loop_factory: Factory, reader: str, *, secure: bool, request: pytest.FixtureRequest
) -> None:
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = (
        request.getfixturevalue("tls") if secure else None
    )
    async with (
        ClientSession(connector=TCPConnector()) as session,
        linked(session=session, tls=tls) as link,
    ):
        task = asyncio.create_task(link.all()) if reader == "parked" else None
        await turns()
        await session.close()
        assert closed_session(await link.end())
        assert task is None or await task == []


@pytest.mark.spec("J1.2", "J2.1")
async def test_nothing_runs_on_after_the_last_wire(loop_factory: Factory) -> None:
    loop, before = asyncio.get_running_loop(), timers()
    async with linked() as first, linked() as second:
        ticker = Ticker.of(loop)
        assert ticker._timer is not None
        await first.peer.send(close_frame(1000))
        await first.end()
        assert Ticker.of(loop) is ticker
        second.wire.abort()
        await second.wire.wait_closed()
        assert ticker._timer is None
        assert loop not in Ticker._tickers
        assert first.wire._release is not None
        assert first.wire._release.cancelled()
        assert timers() == before
        async with linked() as third:
            assert Ticker.of(loop) is not ticker
            await third.peer.send(close_frame(1000))
            await third.end()
        assert loop not in Ticker._tickers


def test_a_loop_that_was_closed_over_a_wire_is_forgotten() -> None:
    dropped = []

    class Wire:
        def tick(self) -> float:
            raise AssertionError

        def probe(self) -> None:
            raise AssertionError

        def drop(self) -> None:
            dropped.append(self)

    left = asyncio.new_event_loop()
    wires = Wire(), Wire()
    for wire in wires:
        Ticker.of(left).add(wire, inf)
    Ticker.of(left).discard(wires[0])
    left.close()
    other = asyncio.new_event_loop()
    Ticker.of(other)
    assert left not in Ticker._tickers
    assert set(dropped) == set(wires)
    other.close()
    Ticker._tickers.clear()


@pytest.mark.spec("E1.6")
async def test_a_lent_sessions_own_proxy_is_asked() -> None:
    async with serving() as proxy:
        where = proxy.url.replace("ws:", "http:")
        asked = Request("wss://feed.example/")
        with warnings.catch_warnings():  # it is deprecated since 3.14
            warnings.simplefilter("ignore", DeprecationWarning)
            auth = BasicAuth("me", "hush")
            made = ClientSession(proxy=where, proxy_auth=auth)
        async with made as session:
            transport = AiohttpTransport(session=session, heartbeat=None)
            dial = asyncio.create_task(transport.dial(asked, lambda close: None))
            peer = await proxy.accept()
            await peer.request()
            await peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
            with pytest.raises(DialFailed) as failed:
                await dial
            await transport.aclose()
            with pytest.raises(ValueError, match="proxy of its own: leave proxy= out"):
                AiohttpTransport(session=session, proxy=where)
    assert peer.request_line.startswith("CONNECT feed.example:443 ")
    assert peer.head["proxy-authorization"] == "Basic bWU6aHVzaA=="
    assert failed.value.close.cause is Cause.PROXY


@pytest.mark.spec("E1.6", "E5.3")
async def test_a_lent_sessions_middlewares_see_requests_to_its_own_origin_alone() -> None:
    async def sign(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.headers["X-Signed"] = request.url.path
        return await handler(request)

    async with serving() as server, serving() as other, ClientSession(middlewares=(sign,)) as lent:
        transport = AiohttpTransport(session=lent, heartbeat=None, follow_redirects=2)
        dial = asyncio.create_task(transport.dial(Request(server.url), lambda close: None))
        heads = []
        for place, where in ((server, "/two"), (server, other.url)):
            peer = await place.accept()
            await peer.request()
            heads.append(peer.head)
            answer = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
            await peer.send(answer.encode())
        last = await other.accept()
        await last.upgrade()
        wire = await dial
        wire.abort()
        await wire.wait_closed()
        await transport.aclose()
    assert [head.get("x-signed") for head in (*heads, last.head)] == ["/feed", "/two", None]


@pytest.mark.spec("E1.6")
@pytest.mark.parametrize(
    ("limits", "head"),
    [
        ({"max_field_size": 65_536}, "X-Large: " + "x" * 12_000),
        pytest.param(
            {"max_headers": 300},
            "\r\n".join(f"X-{n}: y" for n in range(200)),
            marks=since_aiohttp("3.13.4", "the number of headers is limited"),
        ),
    ],
    ids=["size", "number"],
)
async def test_a_lent_sessions_limits_of_headers_are_kept(
    limits: dict[str, int], head: str
) -> None:
    async with serving() as server:
        for options in ({}, limits):
            async with ClientSession(**options) as session:
                transport = AiohttpTransport(session=session, heartbeat=None)
                dial = asyncio.create_task(transport.dial(Request(server.url), lambda close: None))
                peer = await server.accept()
                await peer.upgrade(headers=head + "\r\n")
                if options:
                    wire = await dial
                    wire.abort()
                    await wire.wait_closed()
                else:
                    with pytest.raises(DialFailed):
                        await dial
                await transport.aclose()


@pytest.mark.spec("E1.6")
async def test_a_lent_sessions_request_class_makes_the_requests() -> None:
    class Signing(ClientRequest):
        async def send(self, conn: Connection) -> ClientResponse:
            self.headers["X-Class"] = type(self).__name__
            return await super().send(conn)

    async with serving() as server, ClientSession(request_class=Signing) as session:
        transport = AiohttpTransport(session=session, heartbeat=None)
        peer = await dialled(transport, server, Request(server.url))
        await transport.aclose()
    assert peer.head["x-class"] == "Signing"
