"""Redirects that are followed because somebody asked for it: where to, and with what (E5)."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from yarl import URL

import recloser
from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request

Factory = Callable[[], asyncio.AbstractEventLoop]

STATUSES = (301, 302, 303, 307, 308)
SECRETS = {"Authorization": "Bearer hush", "Cookie": "a=hush", "X-Api-Key": "hush"}
PRIVATE = ("chat", "auth.hush")


def request(url: str) -> Request:
    return Request(url, SECRETS, PRIVATE, frozenset({"auth.hush"}))


async def points(server: Server, *locations: str, status: int = 302) -> Peer:
    """Answer one dial with a redirect."""
    peer = await server.accept()
    if server.tls is not None:
        await peer.start_tls()
    await peer.request()
    lines = [f"HTTP/1.1 {status} Moved", "Content-Length: 0"]
    lines += [f"Location: {location}" for location in locations]
    lines.append(f"Set-Cookie: of{server.port}=1")
    await peer.send("\r\n".join((*lines, "", "")).encode())
    assert await peer.gone()
    return peer


async def upgrades(server: Server) -> Peer:
    peer = await server.accept()
    await peer.upgrade(headers="Set-Cookie: seen=1\r\n")
    return peer


async def one_by_one(*parts: Any) -> list[Any]:
    """What the peers saw, in the order in which they were dialled."""
    return [await part for part in parts]


async def followed(transport: AiohttpTransport, asked: Request, *parts: Any) -> list[Peer]:
    """What the peers saw of a dial that came up."""
    wire, peers = await asyncio.gather(
        transport.dial(asked, lambda close: None), one_by_one(*parts)
    )
    wire.abort()
    await wire.wait_closed()
    await transport.aclose()
    return peers


async def refused(transport: AiohttpTransport, asked: Request, *parts: Any) -> Close:
    """The record of a dial that was not followed to its end."""

    async def fails() -> Close:
        with pytest.raises(DialFailed) as caught:
            await transport.dial(asked, lambda close: None)
        return caught.value.close

    close, _ = await asyncio.gather(fails(), one_by_one(*parts))
    await transport.aclose()
    return close


@pytest.mark.spec("E5.1")
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    "relative", ["/v2?x=1#part", "v2?x=1", "./v2?x=1", "{http}/v2?x=1", "{ws}/v2?x=1"]
)
async def test_within_an_origin_everything_follows(
    loop_factory: Factory, status: int, relative: str
) -> None:
    async with serving() as server:
        origin = f"127.0.0.1:{server.port}"
        location = relative.format(http=f"http://{origin}", ws=f"WS://{origin}")
        _, peer = await followed(
            AiohttpTransport(heartbeat=None, follow_redirects=1),
            request(server.url),
            points(server, location, status=status),
            upgrades(server),
        )
    assert peer.request_line == "GET /v2?x=1 HTTP/1.1"
    for name, value in SECRETS.items():
        assert peer.head[name.lower()] == value
    assert peer.head["sec-websocket-protocol"] == "chat,auth.hush"


@pytest.mark.spec("E5.3")
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("lent", [False, True])
@pytest.mark.parametrize("form", ["ws://{}/x", "http://{}/x", "//{}/x"])
async def test_to_another_origin_nothing_of_ours_follows(
    status: int, form: str, *, lent: bool
) -> None:
    """Nor does it come back when a further redirect leads to the first origin again.

    And nothing of theirs stays: the cookies of an answer to the other origin are dropped.
    """
    async with serving() as server, serving() as elsewhere:
        jar = CookieJar(unsafe=True)
        jar.update_cookies({"jar": "hush"}, URL(server.url))
        session = ClientSession(cookie_jar=jar, headers={"X-Session": "hush"}) if lent else None
        _, other, back = await followed(
            AiohttpTransport(heartbeat=None, follow_redirects=2, session=session),
            request(server.url),
            points(server, form.format(f"127.0.0.1:{elsewhere.port}"), status=status),
            points(elsewhere, f"ws://127.0.0.1:{server.port}/y", status=status),
            upgrades(server),
        )
        if session is not None:
            await session.close()
    assert {cookie.key for cookie in jar} - {f"of{server.port}"} == {"jar"}
    assert other.request_line.startswith("GET /x ")
    for peer in (other, back):
        assert "hush" not in str(peer.head)
        assert {"authorization", "cookie", "x-api-key", "x-session"}.isdisjoint(peer.head)
        assert peer.head["sec-websocket-protocol"] == "chat"


@pytest.mark.spec("E5.2")
@pytest.mark.parametrize("form", ["ws://{}/", "http://{}/"])
async def test_never_from_wss_to_ws(form: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(tls=tls[0]) as server, serving() as elsewhere:
        close = await refused(
            AiohttpTransport(heartbeat=None, follow_redirects=5, ssl=tls[1]),
            request(server.url),
            points(server, form.format(f"127.0.0.1:{elsewhere.port}")),
        )
        assert not elsewhere.another()
    assert (close.cause, close.status) == (Cause.REFUSED, 302)


@pytest.mark.spec("E5.3")
@pytest.mark.parametrize("first", [False, True], ids=["ws to wss", "wss to wss"])
async def test_to_a_secure_origin(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], *, first: bool
) -> None:
    async with serving(tls=tls[0] if first else None) as server, serving(tls=tls[0]) as elsewhere:
        _, peer = await followed(
            AiohttpTransport(heartbeat=None, follow_redirects=1, ssl=tls[1]),
            request(server.url),
            points(server, f"https://127.0.0.1:{elsewhere.port}/"),
            upgrades(elsewhere),
        )
    assert "hush" not in str(peer.head)


@pytest.mark.spec("E5.1", "B7")
@pytest.mark.parametrize(
    "locations",
    [
        (),
        ("",),
        ("/feed",),
        ("/feed#again",),
        ("/a", "/b"),
        ("http://[::1",),
        ("ws://127.0.0.1:99999/",),
        ("ws:///x",),
        ("ftp://127.0.0.1/",),
        ("javascript:alert(1)",),
        ("ws://me:pw@127.0.0.1/",),
        ("//:pw@127.0.0.1/",),
        ("http://",),
        ("ws://a[b]@/",),
    ],
)  # fmt: skip
async def test_a_location_that_leads_nowhere_is_a_refused_upgrade(
    locations: tuple[str, ...],
) -> None:
    async with serving() as server:
        close = await refused(
            AiohttpTransport(heartbeat=None, follow_redirects=5),
            request(server.url),
            points(server, *locations),
        )
        assert not server.another()
    assert (close.code, close.cause, close.origin) == (1006, Cause.REFUSED, Origin.PEER)
    assert close.status == 302
    assert "hush" not in repr(close.error)


@pytest.mark.spec("E5.1")
@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
async def test_other_answers_of_the_class_are_not_followed(status: int) -> None:
    async with serving() as server:
        close = await refused(
            AiohttpTransport(heartbeat=None, follow_redirects=5),
            request(server.url),
            points(server, "/v2", status=status),
        )
        assert not server.another()
    assert close.status == status


@pytest.mark.spec("E5.1")
@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_the_count_is_bounded(limit: int) -> None:
    async with serving() as server:
        close = await refused(
            AiohttpTransport(heartbeat=None, follow_redirects=limit),
            request(server.url),
            *[points(server, f"/{hop}") for hop in range(limit + 1)],
        )
        assert not server.another()
    assert close.status == 302


@pytest.mark.spec("E5.1")
async def test_a_loop_over_two_origins_is_noticed_at_the_first_return() -> None:
    async with serving() as server, serving() as elsewhere:
        close = await refused(
            AiohttpTransport(heartbeat=None, follow_redirects=50),
            request(server.url),
            points(server, elsewhere.url),
            points(elsewhere, server.url),
        )
        assert not server.another()
    assert close.headers["location"] == server.url


@pytest.mark.spec("E5.1", "B7")
async def test_a_refusal_at_the_end_of_the_way_is_told_as_what_it_is() -> None:
    async def forbids(server: Server) -> None:
        peer = await server.accept()
        await peer.request()
        await peer.send(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        assert await peer.gone()

    async with serving() as server:
        close = await refused(
            AiohttpTransport(heartbeat=None, follow_redirects=1),
            request(server.url),
            points(server, "/v2"),
            forbids(server),
        )
    assert close.status == 403


@pytest.mark.spec("E5.1", "F5")
async def test_the_deadline_of_the_dial_covers_the_whole_way() -> None:
    async with serving() as server:
        ws = recloser.connect(
            server.url, follow_redirects=5, timeouts=recloser.Timeouts(connect=0.3)
        )

        async def deaf() -> None:
            peer = await server.accept()
            await peer.request()
            assert await peer.gone()

        ws.connect()
        await one_by_one(points(server, "/v2"), points(server, "/v3"), deaf())
        assert ws.last_close is not None
        assert ws.last_close.cause is Cause.CONNECT_TIMEOUT
        await ws.close()


@pytest.mark.spec("E5.1")
async def test_each_dial_begins_at_the_first_address_with_everything() -> None:
    """Where a redirect led is not remembered: it may have been meant for that moment."""
    transport = AiohttpTransport(heartbeat=None, follow_redirects=1)
    async with serving() as server, serving() as elsewhere:
        for _ in range(2):
            peer, _ = await followed(
                transport, request(server.url), points(server, elsewhere.url), upgrades(elsewhere)
            )
            assert peer.head["authorization"] == "Bearer hush"


@pytest.mark.parametrize("number", [-1, True, 1.0, "1", None])
def test_the_number_is_a_number(number: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="follow_redirects"):
        AiohttpTransport(follow_redirects=number)
