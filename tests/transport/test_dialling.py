"""Dials that fail: the record says how far they came and why (B1, B7, E5, J4)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request
from tests.aiohttp_releases import numbers
from tests.transport.link import timers

Factory = Callable[[], asyncio.AbstractEventLoop]


def never(close: Close) -> None:
    raise AssertionError(f"a dial that failed told of an end: {close}")


async def failing(request: Request, **options: Any) -> Close:
    transport = AiohttpTransport(heartbeat=None, **options)
    try:
        with pytest.raises(DialFailed) as caught:
            await transport.dial(request, never)
    finally:
        await transport.aclose()
    error = caught.value.close.error
    while error is not None:
        assert error.__traceback__ is error.__context__ is error.__cause__ is None
        error = next((held for held in error.args if isinstance(held, BaseException)), None)
    assert caught.value.__context__ is None
    return caught.value.close


async def played(
    server: Server,
    play: Callable[[Peer], Awaitable[None]],
    request: Request | None = None,
    **options: Any,
) -> Close:
    """The record of a dial that this peer spoils, on one connection."""

    async def answer() -> None:
        await play(await server.accept())

    close, _ = await asyncio.gather(failing(request or Request(server.url), **options), answer())
    assert not server.another(), "one dial is one connection"
    return close


def answering(*lines: str) -> Callable[[Peer], Awaitable[None]]:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send("\r\n".join((*lines, "", "")).encode())
        assert await peer.gone()

    return play


@pytest.mark.spec("B7")
@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 426, 429, 500, 503])
async def test_a_refused_upgrade_has_status_and_headers(status: int) -> None:
    play = answering(
        f"HTTP/1.1 {status} No", "Content-Length: 0", "Retry-After: 17", "X-Reason: full",
        "WWW-Authenticate: Basic", "WWW-Authenticate: Bearer",
    )  # fmt: skip
    async with serving() as server:
        close = await played(server, play)
    assert (close.code, close.cause, close.origin) == (1006, Cause.REFUSED, Origin.PEER)
    assert (close.status, close.retry_after, close.clean) == (status, 17.0, False)
    assert close.headers["x-reason"] == "full"
    assert close.headers["www-authenticate"] == "Basic, Bearer"


@pytest.mark.spec("E5.1")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("lent", [False, True], ids=["own", "lent"])
async def test_a_redirect_is_a_refused_upgrade_and_not_followed(status: int, *, lent: bool) -> None:
    from aiohttp import ClientSession

    async with serving() as elsewhere, serving() as server:
        lines = (f"HTTP/1.1 {status} Moved", f"Location: {elsewhere.url}", "Content-Length: 0")
        play = answering(*lines)
        if lent:
            async with ClientSession() as session:
                close = await played(server, play, session=session)
        else:
            close = await played(server, play)
        assert not elsewhere.another(), "the redirect was followed"
    assert (close.cause, close.origin, close.status) == (Cause.REFUSED, Origin.PEER, status)
    assert close.headers["location"] == elsewhere.url


UPGRADE = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")


@pytest.mark.spec("B1.3")
@pytest.mark.parametrize(
    "lines",
    [
        (*UPGRADE, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        UPGRADE,
        ("HTTP/1.1 101 Switching Protocols", "Upgrade: h2c", "Connection: Upgrade"),
        ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: close"),
        ("SSH-2.0-OpenSSH_9.6",),
        ("HTTP/1.1 99999 what",),
    ],
    ids=["bad key", "no key", "bad upgrade", "bad connection", "not http", "bad status"],
)
async def test_an_answer_that_makes_no_sense_is_a_protocol_error(lines: tuple[str, ...]) -> None:
    async with serving() as server:
        close = await played(server, answering(*lines))
    assert (close.code, close.cause, close.origin) == (1006, Cause.PROTOCOL, Origin.ENGINE)
    assert close.status == (101 if lines[0].startswith("HTTP/1.1 101") else None)
    assert close.error is not None


@pytest.mark.spec("F5")
@pytest.mark.skipif(
    numbers(aiohttp.__version__) < (3, 13, 4), reason="older ones do not limit the number"
)
async def test_headers_without_an_end_fail_the_dial_in_bounded_memory() -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send("\r\n".join((*UPGRADE, "")).encode())
        with suppress(ConnectionError):
            for number in range(100_000):
                await peer.send(f"X-{number}: {'y' * 1000}\r\n".encode())
            raise AssertionError("a hundred megabytes of headers were taken")

    async with serving() as server:
        close = await played(server, play)
    assert close.cause is Cause.PROTOCOL
    assert len(str(close.error)) < 10_000


@pytest.mark.parametrize("where", ["after the request", "within the answer"])
@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_an_end_during_the_upgrade_is_told_and_not_dialled_again(
    loop_factory: Factory, where: str, how: str
) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        if where == "within the answer":
            await peer.send(b"HTTP/1.1 101 Switching")
        if how == "fin":
            peer.fin()
            assert await peer.gone()
        else:
            peer.reset()

    async with serving() as server:
        close = await played(server, play)
    assert (close.code, close.origin) == (1006, Origin.NETWORK)
    assert close.cause is (Cause.EOF if how == "fin" else Cause.RESET)


async def test_a_port_that_nobody_listens_on_is_tcp(loop_factory: Factory) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        close = await failing(Request(f"ws://127.0.0.1:{sock.getsockname()[1]}/"))
    assert (close.code, close.cause, close.origin) == (1006, Cause.TCP, Origin.NETWORK)


async def test_a_name_that_does_not_resolve_is_dns(loop_factory: Factory) -> None:
    """RFC 6761 section 6.4 keeps .invalid from ever resolving."""
    close = await failing(Request("ws://recloser.invalid/"))
    assert (close.code, close.cause, close.origin) == (1006, Cause.DNS, Origin.NETWORK)


@pytest.mark.parametrize(
    "request_",
    [
        Request("not a url"),
        Request("ws://"),
        Request("ftp://127.0.0.1/"),
        Request("ws://127.0.0.1:99999/"),
    ],
    ids=["no url", "no host", "scheme", "port"],
)
@pytest.mark.spec("E6")
async def test_what_the_library_calls_an_invalid_url_is_the_configuration(
    request_: Request,
) -> None:
    close = await failing(request_)
    assert (close.code, close.cause, close.origin) == (1006, Cause.CONFIGURATION, Origin.ENGINE)
    assert close.error is not None


@pytest.mark.spec("B20.1")
@pytest.mark.parametrize("status", [204, 302, 400, 403, 404, 407, 429, 502, 503])
async def test_a_proxy_that_refuses_the_tunnel_is_no_refusal_of_the_peers(
    loop_factory: Factory, status: int
) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        assert peer.request_line.startswith("CONNECT upstream.example:443 ")
        head = f"HTTP/1.1 {status} No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
        await peer.send(head.encode())
        assert await peer.gone()

    async with serving() as server:
        proxy = server.url.replace("ws:", "http:")
        close = await played(server, play, Request("wss://upstream.example/"), proxy=proxy)
    assert (close.cause, close.origin, close.status) == (Cause.PROXY, Origin.NETWORK, status)
    assert (close.retry_after, close.headers["retry-after"]) == (7.0, "7")
    assert (close.answered, close.denied) == (False, False)


async def test_a_refused_dial_leaves_no_connection_that_the_next_one_could_inherit() -> None:
    """A pooled one may be gone by then, and there is no second try to hide it."""
    transport = AiohttpTransport(heartbeat=None)
    before = timers()
    async with serving() as server:
        for _ in range(2):
            dial = asyncio.create_task(transport.dial(Request(server.url), never))
            peer = await server.accept()
            await peer.request()
            await peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
            with pytest.raises(DialFailed):
                await dial
            assert await peer.gone()
            assert timers() == before, "aiohttp keeps a timer for a pool with something in it"
    await transport.aclose()


async def test_a_break_right_behind_the_upgrade_is_an_end_or_a_failed_dial(
    loop_factory: Factory,
) -> None:
    for _ in range(20):
        async with serving() as server:
            transport = AiohttpTransport(heartbeat=None)
            told: list[Close] = []
            dial = asyncio.create_task(transport.dial(Request(server.url), told.append))
            peer = await server.accept()
            await peer.upgrade()
            peer.reset()
            try:
                wire = await dial
            except DialFailed as failed:
                told.append(failed.close)
            else:
                await wire.wait_closed()
            await transport.aclose()
            assert [(close.code, close.cause) for close in told] == [(1006, Cause.RESET)]
