"""Proxy and TLS settings hold for every dial, through a real CONNECT proxy on loopback (B7, I2)."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import structlog
from aiohttp import Fingerprint
from structlog.testing import capture_logs

import recloser
from recloser import Close, Context, Retry, State, Stop
from recloser.fsm.record import Cause, Origin
from recloser.testing.doubles.raw_server import PATIENCE, close_frame
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import raw_server as serving

USER, PASSWORD = "me", "hush-hush"


class Proxy:
    """Carries CONNECT tunnels, for those who know the password if there is one."""

    def __init__(self, password: str | None) -> None:
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.url = ""
        self._wanted = password and base64.b64encode(f"{USER}:{password}".encode())
        self._tasks = set[asyncio.Task[None]]()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._carry(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        method, target, _ = head.split(b" ", 2)
        self.asked.append(f"{method.decode()} {target.decode()}")
        if self._wanted and b"Proxy-Authorization: Basic " + self._wanted not in head:
            writer.write(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n"
                b"Proxy-Authenticate: Basic\r\n\r\n"
            )
            return
        host, _, port = target.rpartition(b":")
        there, back = await asyncio.open_connection(host.decode(), int(port))
        writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(self._pump(reader, back)),
                    asyncio.create_task(self._pump(there, writer)),
                ]
            )
        finally:
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, RuntimeError):
            while data := await reader.read(65536):
                writer.write(data)
            writer.write_eof()

    async def ended(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)


@asynccontextmanager
async def proxying(
    password: str | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    proxy = Proxy(password)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    proxy.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.ended()


class Again:
    """Dials again at once, three times."""

    def decide(self, close: Close, context: Context) -> recloser.fsm.Decision:
        if close.intentional or context.attempt > 3:
            return Stop("left")
        return Retry(0.0, rule="again")


async def kick(server: Server) -> Peer:
    """Let one dial in and close it."""
    peer = await server.accept()
    await peer.upgrade()
    await peer.send(close_frame(4000))
    assert await peer.gone()
    return peer


@pytest.mark.spec("B7")
@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_every_dial_goes_through_the_proxy_with_the_same_tls(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], password: str | None
) -> None:
    async with proxying(password) as proxy, serving(tls=tls[0]) as server:
        given = proxy.url if password is None else proxy.url.replace("//", f"//{USER}:{password}@")
        ws = recloser.connect(server.url, policy=Again(), proxy=given, ssl=tls[1])
        ws.connect()
        peers = [await kick(server) for _ in range(3)]
        last = await server.accept()
        await last.upgrade()
        await ws.wait_for(State.OPEN)
        closing = asyncio.create_task(ws.close())
        assert await last.close_seen() == (1000, "")
        await last.send(close_frame(1000))
        await last.close_notify()
        await closing
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port}"] * 4
    assert [peer.request_line for peer in peers] == ["GET /feed HTTP/1.1"] * 3
    assert not any("proxy-authorization" in peer.head for peer in peers)


@pytest.mark.spec("B20.1", "I2")
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("password", ["", "wrong-hush"])
async def test_a_proxy_that_wants_a_password_is_a_refusal_with_407(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], password: str, *, secure: bool
) -> None:
    structlog.reset_defaults()
    async with proxying(PASSWORD) as proxy:
        user = f"{USER}:{password}@" if password else ""
        scheme = "wss" if secure else "ws"
        ws = recloser.connect(
            f"{scheme}://127.0.0.1:9/feed?token=hush",
            credentials="hush-token",
            proxy=proxy.url.replace("//", f"//{user}"),
            ssl=tls[1],
        )
        with capture_logs() as lines:
            ws.connect()
            with pytest.raises(recloser.ConnectionClosed):
                await ws.wait_for(State.OPEN)
            await ws.close()
    close = ws.last_close
    assert close is not None
    assert (close.cause, close.origin, close.status) == (Cause.PROXY, Origin.NETWORK, 407)
    assert close.headers["proxy-authenticate"] == "Basic"
    assert lines[-1]["rule"] == "proxy-credential"
    assert "hush" not in f"{lines} {close!r} {close.error!r} {close.error}"
    assert len(proxy.asked) == 1
    if secure:
        assert b"hush" not in proxy.heads[0].replace(base64.b64encode(b"me:wrong-hush"), b"")


@pytest.mark.spec("I2")
async def test_a_proxy_that_nobody_runs_is_tcp_and_its_password_is_nowhere() -> None:
    async with proxying() as proxy:
        pass
    given = proxy.url.replace("//", f"//{USER}:{PASSWORD}@")
    ws = recloser.connect("ws://feed.example/", policy=StopAtOnce(), proxy=given)
    ws.connect()
    with pytest.raises(recloser.ConnectionClosed):
        await ws.wait_for(State.OPEN)
    await ws.close()
    close = ws.last_close
    assert close is not None
    assert close.cause is Cause.TCP
    assert "hush" not in f"{close!r} {close.error!r} {close.error}"


class StopAtOnce:
    def decide(self, close: Close, context: Context) -> recloser.fsm.Decision:
        return Stop("once")


@pytest.mark.spec("B1.4")
@pytest.mark.parametrize("how", ["context", "fingerprint"])
async def test_tls_is_checked_at_every_dial_and_not_at_the_first_alone(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], how: str
) -> None:
    """The certificate changes between two dials: the second one is refused."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    import trustme

    trustme.CA().issue_cert("127.0.0.1").configure_cert(other)
    async with serving(tls=tls[0]) as server:
        given: ssl.SSLContext | Fingerprint = tls[1]
        if how == "fingerprint":
            given = Fingerprint(await digest(server, tls[1]))
        ws = recloser.connect(server.url, ssl=given, policy=FollowUp())
        ws.connect()
        await kick(server)
        server.tls = other
        peer = await server.accept()
        with suppress(ssl.SSLError, ConnectionError, EOFError):
            await peer.start_tls()
            await peer.request()
        with pytest.raises(recloser.ConnectionClosed):
            await ws.wait_for(State.PASSIVE)
        await ws.close()
    assert ws.last_close is not None
    assert (ws.last_close.code, ws.last_close.cause) == (1015, Cause.TLS)


class FollowUp:
    """Dials once more after a close frame."""

    def decide(self, close: Close, context: Context) -> recloser.fsm.Decision:
        return Retry(0.0, rule="once") if close.code == 4000 else Stop("end")


async def digest(server: Server, client: ssl.SSLContext) -> bytes:
    """The SHA-256 of the server's certificate, as a first connection shows it."""
    import hashlib

    async def answer() -> None:
        peer = await server.accept()
        await peer.start_tls()
        assert await peer.gone()

    async def look() -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client)
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return hashlib.sha256(found).digest()

    found, _ = await asyncio.gather(look(), answer())
    return found
