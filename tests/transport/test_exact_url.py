"""A URL may be signed: it goes to the wire as it was given (E1.5)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from yarl import URL

import recloser
from recloser.fsm import Cause
from recloser.testing.doubles.raw_server import close_frame
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import Request

SIGNED = "/a%28b%29/%7Ec?X-Sig=rX7%2FnN6%2Bsp%3D&d=2026%3A01%2C%40&e=%e2%82%ac&f"
MARKED = "/a|b?q={x}"


async def target(url: Any, **options: Any) -> str:
    """The target of the request line."""
    async with serving() as server:
        ws = recloser.connect(url(server.url.removesuffix("/feed")), **options)
        ws.connect()
        peer = await server.accept()
        await peer.upgrade()
        await ws.wait_for(recloser.State.OPEN)
        closing = asyncio.create_task(ws.close())
        await peer.close_seen()
        await peer.send(close_frame(1000))
        assert await peer.gone()
        await closing
    return str(peer.request_line.split(" ")[1])


def later(base: str) -> Callable[[], Any]:
    async def give() -> URL:
        return URL(base + SIGNED, encoded=True)

    return give


@pytest.mark.spec("E1.5")
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (lambda base: URL(base + SIGNED, encoded=True), SIGNED),
        (lambda base: base + SIGNED, SIGNED),
        (lambda base: lambda: URL(base + SIGNED, encoded=True), SIGNED),
        (lambda base: lambda: base + SIGNED, SIGNED),
        (later, SIGNED),
        (lambda base: URL(base + MARKED, encoded=True), MARKED),
        (lambda base: base + MARKED, "/a%7Cb?q=%7Bx%7D"),
        (lambda base: base + "/ü?q=a b", "/%C3%BC?q=a+b"),
        (lambda base: base.replace("127.0.0.1", "LOCALHOST") + SIGNED, SIGNED),
        (lambda base: base.replace("127.0.0.1", "me:p%40ss@127.0.0.1") + SIGNED, SIGNED),
        (lambda base: base, "/"),
        (lambda base: base + "/a/../b", "/a/../b"),
    ],
    ids=["URL", "str", "function of URL", "function of str", "coroutine", "odd marks in a URL",
         "odd marks in a str", "not ASCII", "host", "user", "no path", "dots"],
)  # fmt: skip
async def test_path_and_query_go_to_the_wire_as_given(given: Any, sent: str) -> None:
    assert await target(given) == sent


NOT_ENCODED = {
    "line break and space in a URL": URL("ws://feed.example/a\r\nX: y", encoded=True),
    "space in a URL": URL("ws://feed.example/?sig=a b", encoded=True),
    "not ASCII in a URL": URL("ws://feed.example/ü", encoded=True),
    "line break": "ws://feed.example/a\r\nX: y",
    "line break at the end": "ws://feed.example/a\n",
    "tab in the host": "ws://feed.\texample/a",
    "NUL": "ws://feed.example/a?\0",
    "DEL": "ws://feed.example/a\x7f",
    "space at the start": " ws://feed.example/a",
    "an empty fragment": "ws://feed.example/a#",
}


@pytest.mark.spec("E1.8")
@pytest.mark.parametrize("given", NOT_ENCODED.values(), ids=NOT_ENCODED)
async def test_what_cannot_be_sent_as_given_is_refused_before_the_dial(given: Any) -> None:
    with pytest.raises(ValueError, match=r"strip|percent-encode|fragment"):
        recloser.connect(given)
    async with recloser.Supervisor() as supervisor:
        ws = recloser.connect(lambda: given)
        supervisor.add(ws, lambda ws: ws.receive(), name="one")
        await supervisor.wait()
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CONFIGURATION


@pytest.mark.spec("E1.5", "E1.8")
async def test_a_place_that_leaves_a_space_is_told_to_encode_it() -> None:
    def sign(request: Request, token: str) -> Request:
        return Request(url=f"{request.url}?sig={token} of me")

    credentials = recloser.Credentials("tok", place=sign)
    ws = recloser.connect("ws://feed.example/", credentials=credentials)
    ws.connect()
    with pytest.raises(recloser.ConnectionClosed, match="percent-encode"):
        await ws.wait_for(recloser.State.OPEN)


@pytest.mark.spec("E1.5")
@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("", "?token=t"),
        ("?", "?token=t"),
        ("?a=1&&b=&", "?a=1&&b=&&token=t"),
        ("?&", "?&&token=t"),
        ("?&token=old&", "?&&token=t"),
    ],
)
def test_empty_parameters_stay(query: str, sent: str) -> None:
    put = recloser.credentials.query("token")
    assert put(Request(f"ws://feed.example/{query}"), "t").url == f"ws://feed.example/{sent}"


@pytest.mark.spec("E1.5")
async def test_a_token_in_the_query_leaves_the_other_parameters_as_they_are() -> None:
    place = recloser.credentials.query("token")
    credentials = recloser.Credentials("a/b=", place=place)
    found = await target(lambda base: base + SIGNED + "&t%6Fken=old", credentials=credentials)
    assert found == SIGNED + "&token=a/b%3D"
    found = await target(lambda base: URL(base + MARKED, encoded=True), credentials=credentials)
    assert found == MARKED + "&token=a/b%3D"


@pytest.mark.spec("E1.5")
async def test_a_place_of_ones_own_may_sign_the_whole_url() -> None:
    def sign(request: Request, token: str) -> Request:
        return Request(url=f"{request.url}&sig={token}")

    credentials = recloser.Credentials("tok%3D", place=sign)
    assert (
        await target(lambda base: base + SIGNED, credentials=credentials) == SIGNED + "&sig=tok%3D"
    )


@pytest.mark.spec("E1.5", "E5.2")
@pytest.mark.parametrize(
    ("location", "sent"),
    [
        (SIGNED, SIGNED),
        ("ws://{}" + SIGNED, SIGNED),
        ("http://{}" + SIGNED, SIGNED),
        ("//{}" + SIGNED, SIGNED),
        ("c%28?x=%3A", "/a%28/c%28?x=%3A"),
        ("./c%28", "/a%28/c%28"),
        ("../c%28", "/c%28"),
        ("?x=%3A", "/a%28/b?x=%3A"),
    ],
)
async def test_a_redirect_is_followed_to_its_location_as_given(location: str, sent: str) -> None:
    async with serving() as server:
        base = server.url.removesuffix("/feed")
        url = URL(f"{base}/a%28/b", encoded=True)
        ws = recloser.connect(url, follow_redirects=1)
        ws.connect()
        first = await server.accept()
        await first.request()
        where = location.format(f"127.0.0.1:{server.port}")
        head = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
        await first.send(head.encode())
        second = await server.accept()
        await second.upgrade()
        await ws.wait_for(recloser.State.OPEN)
        closing = asyncio.create_task(ws.close())
        await second.close_seen()
        await second.send(close_frame(1000))
        assert await second.gone()
        await closing
    assert second.request_line == f"GET {sent} HTTP/1.1"
