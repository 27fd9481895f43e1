"""Handshakes that resume a TLS session, on real servers that issue tickets (E9)."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import recloser
from recloser import Close, ResumingContext, State
from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PATIENCE, close_frame
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request, Wire, resumption
from recloser.transport.picows_transport import PicowsTransport
from tests.transport.test_proxy import Again, kick, proxying

Factory = Callable[[], asyncio.AbstractEventLoop]

HOUR, DAY = 3600.0, 86400.0


class Clock:
    """The wall clock of the client, which a test may set on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(resumption, "time", made)
    return made


def server_context(authority: trustme.CA, **options: datetime) -> ssl.SSLContext:
    """A server's context, with ticket keys of its own, for both names of this machine."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost", **options).configure_cert(made)
    return made


@pytest.fixture
def server_side(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority)


@pytest.fixture
def context(authority: trustme.CA) -> ResumingContext:
    return ResumingContext(cadata=authority.cert_pem.bytes().decode())


@pytest.fixture(params=[AiohttpTransport, PicowsTransport])
def kind(request: pytest.FixtureRequest) -> type[AiohttpTransport]:
    found: type[AiohttpTransport] = request.param
    return found


@asynccontextmanager
async def dialling(
    context: ssl.SSLContext, kind: type[AiohttpTransport] = AiohttpTransport
) -> AsyncIterator[AiohttpTransport]:
    transport = kind(ssl=context, heartbeat=None)
    try:
        yield transport
    finally:
        await transport.aclose()


def reused(peer: Peer) -> bool:
    """Whether the server resumed a session."""
    return bool(peer._secured().session_reused)


async def connected(
    transport: AiohttpTransport, server: Server, url: str | None = None
) -> tuple[Wire, Peer, "asyncio.Future[Close]"]:
    """Dial; both sides agree on whether the handshake resumed a session."""
    ended: asyncio.Future[Close] = asyncio.get_running_loop().create_future()

    async def accept() -> Peer:
        peer = await server.accept()
        await peer.upgrade()
        return peer

    wire, peer = await asyncio.gather(
        transport.dial(Request(url or server.url), ended.set_result), accept()
    )
    assert wire.transport.get_extra_info("ssl_object").session_reused is reused(peer)
    return wire, peer, ended


async def lived(transport: AiohttpTransport, server: Server, url: str | None = None) -> bool:
    """One connection that the server closes; whether it had resumed a session."""
    wire, peer, ended = await connected(transport, server, url)
    await peer.send(close_frame(1012))
    wire.read_ahead()
    assert (await asyncio.wait_for(ended, PATIENCE)).code == 1012
    peer.fin()
    await asyncio.wait_for(wire.wait_closed(), PATIENCE)
    return reused(peer)


@pytest.mark.spec("E9.1")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_next_connection_resumes_the_session_of_the_one_before(
    loop_factory: Factory,
    kind: type[AiohttpTransport],
    server_side: ssl.SSLContext,
    context: ResumingContext,
    version: ssl.TLSVersion,
) -> None:
    context.maximum_version = version
    async with serving(tls=server_side) as server, dialling(context, kind) as transport:
        assert [await lived(transport, server) for _ in range(4)] == [False, True, True, True]


@pytest.mark.spec("E9.1")
@pytest.mark.parametrize("end", ["reset", "ours", "dropped"])
async def test_however_the_connection_ended(
    loop_factory: Factory, server_side: ssl.SSLContext, context: ResumingContext, end: str
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        wire, peer, ended = await connected(transport, server)
        await peer.send(b"\x89\x00")  # a ping: the tickets have been read with it
        wire.read_ahead()
        assert await peer.frame() == (10, b"")
        if end == "reset":
            peer.reset()
        elif end == "ours":
            wire.close(1000, "")
            assert await peer.close_seen() == (1000, "")
            await peer.send(close_frame(1000))
        else:
            wire.abort()
        if end != "dropped":
            await asyncio.wait_for(ended, PATIENCE)
        await asyncio.wait_for(wire.wait_closed(), PATIENCE)
        assert await lived(transport, server)


@pytest.mark.spec("E9.1")
async def test_a_refused_upgrade_keeps_the_session(
    loop_factory: Factory, server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:

        async def refuse() -> bool:
            peer = await server.accept()
            await peer.start_tls()
            await peer.request()
            await peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            return reused(peer)

        async def refused() -> None:
            with pytest.raises(DialFailed) as caught:
                await transport.dial(Request(server.url), lambda close: None)
            assert caught.value.close.status == 503

        assert [(await asyncio.gather(refuse(), refused()))[0] for _ in range(2)] == [False, True]
        assert await lived(transport, server)


@pytest.mark.spec("E9.1")
async def test_through_a_tunnel(
    loop_factory: Factory, server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    async with serving(tls=server_side) as server, proxying() as proxy:
        transport = AiohttpTransport(ssl=context, heartbeat=None, proxy=proxy.url)
        assert [await lived(transport, server) for _ in range(2)] == [False, True]
        await transport.aclose()


@pytest.mark.spec("E9.1")
async def test_a_server_with_other_keys_is_met_by_a_full_handshake(
    loop_factory: Factory,
    server_side: ssl.SSLContext,
    context: ResumingContext,
    authority: trustme.CA,
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        await lived(transport, server)
        server.tls = server_context(authority)
        assert [await lived(transport, server) for _ in range(2)] == [False, True]


@pytest.mark.spec("E9.1")
async def test_an_engine_resumes(server_side: ssl.SSLContext, context: ResumingContext) -> None:
    async with serving(tls=server_side) as server:
        ws = recloser.connect(server.url, ssl=context, policy=Again())
        ws.connect()
        found = [reused(await kick(server)) for _ in range(2)]
        last = await server.accept()
        await last.upgrade()
        found.append(reused(last))
        await ws.wait_for(State.OPEN)
        closing = asyncio.create_task(ws.close())
        assert await last.close_seen() == (1000, "")
        await last.send(close_frame(1000))
        await last.close_notify()
        await closing
    assert found == [False, True, True]


@pytest.mark.spec("E9.2")
async def test_a_ticket_is_offered_once(
    server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        await lived(transport, server)
        first = await connected(transport, server)
        second = await connected(transport, server)
        assert [reused(first[1]), reused(second[1])] == [True, False]
        for wire, _, _ in (first, second):
            wire.abort()
            await asyncio.wait_for(wire.wait_closed(), PATIENCE)


@pytest.mark.spec("E9.2")
async def test_engines_share_no_ticket(
    server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    async with (
        serving(tls=server_side) as server,
        dialling(context) as one,
        dialling(context) as other,
    ):
        await lived(one, server)
        assert not await lived(other, server)
        assert await lived(one, server)


@pytest.mark.spec("E9.2")
async def test_another_host_name_gets_none(
    server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        await lived(transport, server)
        assert not await lived(transport, server, f"wss://localhost:{server.port}/")


@pytest.mark.spec("E9.2")
async def test_a_day_after_the_check_the_certificate_is_checked_again(
    server_side: ssl.SSLContext, context: ResumingContext, clock: Clock
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        assert not await lived(transport, server)
        clock.ahead = DAY - HOUR
        assert await lived(transport, server)
        clock.ahead = DAY + HOUR  # the ticket is of two hours ago, the check of more than a day
        assert [await lived(transport, server) for _ in range(2)] == [False, True]


@pytest.mark.spec("E9.2")
async def test_a_connection_older_than_a_day_leaves_no_ticket(
    server_side: ssl.SSLContext, context: ResumingContext, clock: Clock
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        wire, _, _ = await connected(transport, server)
        clock.ahead = DAY + HOUR
        wire.abort()
        await asyncio.wait_for(wire.wait_closed(), PATIENCE)
        clock.ahead = HOUR
        assert not await lived(transport, server)


@pytest.mark.spec("E9.2")
async def test_a_clock_that_was_set_back_has_the_certificate_checked_again(
    server_side: ssl.SSLContext, context: ResumingContext, clock: Clock
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        await lived(transport, server)
        clock.ahead = -HOUR
        assert not await lived(transport, server)


@pytest.mark.spec("E9.2")
async def test_an_expired_certificate_is_not_resumed(
    authority: trustme.CA, context: ResumingContext, clock: Clock
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    server_side = server_context(authority, not_after=soon)
    async with serving(tls=server_side) as server, dialling(context) as transport:
        await lived(transport, server)
        clock.ahead = HOUR
        assert await lived(transport, server)
        clock.ahead = 3 * HOUR
        assert not await lived(transport, server)


def _changes(authority: trustme.CA, folder: Path) -> dict[str, Callable[[ResumingContext], None]]:
    identity = folder / "client.pem"
    issued = authority.issue_cert("client@example.org")
    identity.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    other = trustme.CA().cert_pem.bytes().decode()

    def client_certificate(context: ResumingContext) -> None:
        context.load_cert_chain(identity, keyfile=identity)

    def authorities(context: ResumingContext) -> None:
        context.load_verify_locations(cadata=other)

    def flags(context: ResumingContext) -> None:
        context.verify_flags |= ssl.VERIFY_X509_STRICT

    def no_host_name(context: ResumingContext) -> None:
        context.check_hostname = False

    def system(context: ResumingContext) -> None:
        context.load_default_certs()

    def paths(context: ResumingContext) -> None:
        context.set_default_verify_paths()

    def mode(context: ResumingContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED

    made = (client_certificate, authorities, flags, no_host_name, system, paths, mode)
    return {each.__name__: each for each in made}


CHANGES = [
    "client_certificate",
    "authorities",
    "flags",
    "no_host_name",
    "system",
    "paths",
    "mode",
]


@pytest.mark.spec("E9.3")
@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_of_the_context_ends_what_was_before(
    server_side: ssl.SSLContext,
    context: ResumingContext,
    authority: trustme.CA,
    tmp_path: Path,
    name: str,
) -> None:
    changes = _changes(authority, tmp_path)
    assert list(changes) == CHANGES
    async with serving(tls=server_side) as server, dialling(context) as transport:
        await lived(transport, server)
        wire, peer, _ = await connected(transport, server)
        assert reused(peer)
        changes[name](context)
        wire.abort()  # its ticket is of the time before, too
        await asyncio.wait_for(wire.wait_closed(), PATIENCE)
        assert [await lived(transport, server) for _ in range(2)] == [False, True]


@pytest.mark.spec("E9.3")
async def test_who_trusted_nobody_before_resumes_nothing_once_trust_is_asked_for(
    server_side: ssl.SSLContext,
) -> None:
    context = ResumingContext(cadata=trustme.CA().cert_pem.bytes().decode())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with serving(tls=server_side) as server, dialling(context) as transport:
        assert [await lived(transport, server) for _ in range(2)] == [False, True]
        context.verify_mode = ssl.CERT_REQUIRED
        assert await refusal(transport, server) is Cause.TLS


async def refusal(transport: AiohttpTransport, server: Server) -> Cause | None:
    """The cause of a dial whose handshake the client ends."""

    async def accept() -> None:
        peer = await server.accept()
        with suppress(ssl.SSLError, ConnectionError, EOFError):
            await peer.start_tls()
            await peer.request()
            raise AssertionError("the client accepted the certificate")

    async def dial() -> Cause | None:
        with pytest.raises(DialFailed) as caught:
            await transport.dial(Request(server.url), lambda close: None)
        assert caught.value.close.code == 1015
        return caught.value.close.cause

    return (await asyncio.gather(dial(), accept()))[0]


@pytest.mark.spec("E9.4", "B1.4")
async def test_a_certificate_that_is_not_trusted_is_refused_after_a_session_too(
    loop_factory: Factory, server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    async with serving(tls=server_side) as server, dialling(context) as transport:
        await lived(transport, server)
        server.tls = server_context(trustme.CA())
        assert [await refusal(transport, server) for _ in range(2)] == [Cause.TLS] * 2
        server.tls = server_side
        assert not await lived(transport, server), "a refused certificate left a ticket"


@pytest.mark.spec("E9.4", "B1.4")
async def test_trust_of_one_context_is_none_of_another(
    server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    stranger = ResumingContext(cadata=trustme.CA().cert_pem.bytes().decode())
    async with serving(tls=server_side) as server, dialling(context) as one:
        await lived(one, server)
        async with dialling(stranger) as other:
            assert await refusal(other, server) is Cause.TLS


@pytest.mark.spec("E9.6")
async def test_a_context_of_another_kind_is_left_alone(
    loop_factory: Factory, server_side: ssl.SSLContext, authority: trustme.CA
) -> None:
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with serving(tls=server_side) as server, dialling(context) as transport:
        assert [await lived(transport, server) for _ in range(3)] == [False] * 3


@pytest.fixture
def key_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    yield tmp_path / "keys"
    monkeypatch.delenv("SSLKEYLOGFILE")


@pytest.mark.spec("E9.5")
@pytest.mark.parametrize("given", ["nothing", "cafile", "capath", "cadata"])
def test_the_settings_are_those_of_the_default_context(
    authority: trustme.CA, tmp_path: Path, key_log: Path, given: str
) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    options = {
        "nothing": {},
        "cafile": {"cafile": str(file)},
        "capath": {"capath": str(tmp_path)},
        "cadata": {"cadata": file.read_text()},
    }[given]
    made, default = ResumingContext(**options), ssl.create_default_context(**options)
    for name in dir(default):
        if not name.startswith("_") and name not in {"sslobject_class", "sslsocket_class"}:
            found, expected = getattr(made, name), getattr(default, name)
            if not callable(expected):
                assert found == expected, name
    assert made.cert_store_stats() == default.cert_store_stats()
    assert made.get_ciphers() == default.get_ciphers()
    assert made.get_ca_certs() == default.get_ca_certs()
    assert made.keylog_filename == str(key_log)


def test_a_certificate_of_the_client_is_loaded_as_ssl_does(
    context: ResumingContext, authority: trustme.CA, tmp_path: Path
) -> None:
    issued = authority.issue_cert("client")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    private = load_pem_private_key(issued.private_key_pem.bytes(), None)
    protected = BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protected))
    context.load_cert_chain(certificate, key, lambda: "secret")
    context.load_cert_chain(os.fspath(certificate), keyfile=os.fsencode(key), password=b"secret")
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(certificate, key, "another")
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(certificate)


def shaken(
    context: ssl.SSLContext, server_side: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLObject:
    """The client of a handshake without an event loop."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, there, server_hostname="localhost", session=session)
    server = server_side.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return client


@pytest.mark.spec("E9.5")
def test_a_session_that_is_given_is_offered(
    server_side: ssl.SSLContext, context: ResumingContext
) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its ticket comes within the handshake
    first = shaken(context, server_side)
    assert [first.session_reused, shaken(context, server_side).session_reused] == [False, False]
    assert shaken(context, server_side, first.session).session_reused
