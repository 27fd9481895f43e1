"""Dials that fail in TLS, or over it (A5, B1)."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from aiohttp import Fingerprint

from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Origin
from recloser.policies import standard
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request
from tests.transport.conftest import open_sockets
from tests.transport.link import turns
from tests.transport.test_dialling import UPGRADE, never, played

Factory = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.spec("B1.4")
@pytest.mark.parametrize("why", ["unknown authority", "other host", "fingerprint"])
async def test_a_certificate_that_is_not_accepted_is_1015(
    loop_factory: Factory, why: str, authority: trustme.CA
) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    name = "elsewhere.example" if why == "other host" else "127.0.0.1"
    authority.issue_cert(name).configure_cert(server_side)
    client: ssl.SSLContext | Fingerprint = ssl.create_default_context()
    if why == "fingerprint":
        client = Fingerprint(bytes(32))
    elif why == "other host":
        assert isinstance(client, ssl.SSLContext)
        authority.configure_trust(client)

    async def play(peer: Peer) -> None:
        try:
            await peer.start_tls()
            await peer.request()
        except (ssl.SSLError, ConnectionError, EOFError):
            return
        raise AssertionError("the client accepted the certificate")

    async with serving(tls=server_side) as server:
        close = await played(server, play, ssl=client)
    assert (close.code, close.cause, close.origin) == (1015, Cause.TLS, Origin.ENGINE)


DAY = timedelta(days=1)
OUT_OF_DATE = {"expired": (-30 * DAY, -DAY), "not yet valid": (DAY, 30 * DAY)}


@pytest.mark.spec("B15", "B1.4")
@pytest.mark.parametrize("why", OUT_OF_DATE)
async def test_a_certificate_out_of_its_dates_is_told_from_the_others(
    loop_factory: Factory, why: str, authority: trustme.CA
) -> None:
    since, until = (datetime.now(UTC) + each for each in OUT_OF_DATE[why])
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_before=since, not_after=until).configure_cert(server_side)
    client = ssl.create_default_context()
    authority.configure_trust(client)

    async def play(peer: Peer) -> None:
        try:
            await peer.start_tls()
            await peer.request()
        except (ssl.SSLError, ConnectionError, EOFError):
            return
        raise AssertionError("the client accepted the certificate")

    async with serving(tls=server_side) as server:
        close = await played(server, play, ssl=client)
    assert (close.code, close.cause, close.origin) == (1015, Cause.VALIDITY, Origin.ENGINE)
    assert standard().decide(close, Context(phase=Phase.DIAL, attempt=1)).rule == (
        "certificate-dates"
    )


@pytest.mark.parametrize("how", ["no tls", "fin", "reset", "old version"])
async def test_another_failure_of_tls_is_1006(
    loop_factory: Factory, how: str, authority: trustme.CA
) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    server_side.maximum_version = ssl.TLSVersion.TLSv1_2
    client = ssl.create_default_context()
    authority.configure_trust(client)
    client.minimum_version = ssl.TLSVersion.TLSv1_3

    async def play(peer: Peer) -> None:
        if how == "old version":
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await peer.start_tls()
            await peer._flush()
            peer.fin()
        elif how == "no tls":
            await asyncio.get_running_loop().sock_sendall(peer.sock, b"HTTP/1.1 400 Bad\r\n\r\n")
            peer.fin()
        elif how == "fin":
            peer.fin()
        else:
            await asyncio.get_running_loop().sock_recv(peer.sock, 1)
            peer.reset()

    async with serving(tls=server_side) as server:
        close = await played(server, play, ssl=client)
    assert (close.code, close.cause, close.origin) == (1006, Cause.TLS, Origin.NETWORK)


async def test_a_client_certificate_that_the_server_wants_is_tls(
    loop_factory: Factory, authority: trustme.CA, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """TLS 1.3 tells the client after its own side of the handshake is over."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(server_side)
    server_side.verify_mode = ssl.CERT_REQUIRED

    async def play(peer: Peer) -> None:
        with pytest.raises(ssl.SSLError):
            await peer.start_tls()
        await peer._flush()
        assert await peer.gone()

    async with serving(tls=server_side) as server:
        close = await played(server, play, ssl=tls[1])
    assert (close.code, close.cause, close.origin) == (1006, Cause.TLS, Origin.NETWORK)


@pytest.mark.parametrize("bad_key", [False, True], ids=["refused", "bad key"])
async def test_a_failed_dial_does_not_wait_for_a_deaf_peer_to_shut_tls_down(
    loop_factory: Factory, tls: tuple[ssl.SSLContext, ssl.SSLContext], *, bad_key: bool
) -> None:
    transport = AiohttpTransport(heartbeat=None, ssl=tls[1])
    answer = UPGRADE if bad_key else ("HTTP/1.1 503 No", "Content-Length: 0")
    async with serving(tls=tls[0]) as server:
        dial = asyncio.create_task(transport.dial(Request(server.url), never))
        peer = await server.accept()
        await peer.start_tls()
        await peer.request()
        before = open_sockets()
        await peer.send("\r\n".join((*answer, "", "")).encode())
        with pytest.raises(DialFailed):
            await dial
        await turns()
        assert len(open_sockets()) == len(before) - 1
    await transport.aclose()
