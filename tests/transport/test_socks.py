"""Dials through SOCKS proxies on loopback: names, passwords, refusals and TLS (N2)."""

import asyncio
import importlib.util
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trustme
from aiohttp import ClientSession

import recloser
from recloser import Close, ProxyUnusable, Retry, policies
from recloser.fsm import Cause, Origin, Stop
from recloser.testing.doubles.raw_server import PATIENCE, text
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request
from tests.policies.rig import after

Factory = Callable[[], asyncio.AbstractEventLoop]
NO_ROOM = b"\xff"


class Socks:
    """Speaks SOCKS 4, 4a and 5 (RFC 1928 and 1929), and carries to loopback whatever is named."""

    def __init__(self, password: str | None, refusal: int) -> None:
        self.asked: list[tuple[int, str, int]] = []
        """Version, host as it was written, and port."""
        self.port = 0
        self._password = password
        self._refusal = refusal
        self._tasks = set[asyncio.Task[None]]()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            version = (await reader.readexactly(1))[0]
            await (self._five if version == 5 else self._four)(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _five(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        wanted = b"\x00" if self._password is None else b"\x02"
        writer.write(b"\x05" + (wanted if wanted in methods else NO_ROOM))
        if wanted not in methods:
            return
        if self._password is not None:
            await reader.readexactly(1)
            words = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in range(2)]
            right = words == [b"me", self._password.encode()]
            writer.write(b"\x01" + (b"\x00" if right else b"\x01"))
            if not right:
                return
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        port = int.from_bytes(await reader.readexactly(2))
        self.asked.append((5, host, port))
        writer.write(bytes((5, self._refusal, 0, 1)) + bytes(6))
        if not self._refusal:
            await self._carry(port, reader, writer)

    async def _four(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        port = int.from_bytes(await reader.readexactly(2))
        address = await reader.readexactly(4)
        await reader.readuntil(b"\0")
        host = ".".join(map(str, address))
        if address[:3] == bytes(3):
            host = (await reader.readuntil(b"\0"))[:-1].decode()
        self.asked.append((4, host, port))
        writer.write(bytes((0, 0x5B if self._refusal else 0x5A)) + bytes(6))
        if not self._refusal:
            await self._carry(port, reader, writer)

    async def _carry(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.wait(
                [asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))]
            )
        finally:
            back.close()

    async def ended(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, RuntimeError):
        while data := await reader.read(65536):
            writer.write(data)
        writer.write_eof()


@asynccontextmanager
async def proxying(password: str | None = None, *, refusal: int = 0) -> AsyncIterator[Socks]:
    proxy = Socks(password, refusal)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.ended()


async def refused(url: str, **options: Any) -> Close:
    """The record of a dial that fails."""
    transport = AiohttpTransport(heartbeat=None, **options)
    try:
        with pytest.raises(DialFailed) as failed:
            await transport.dial(Request(url), lambda close: None)
    finally:
        await transport.aclose()
    return failed.value.close


async def greeting(url: str, server: Any, **options: Any) -> str:
    """Open, read a message, and leave."""
    transport = AiohttpTransport(heartbeat=None, **options)

    async def answer() -> None:
        peer = await server.accept()
        await peer.upgrade(tail=text("hello"))

    wire, _ = await asyncio.gather(transport.dial(Request(url), lambda close: None), answer())
    wire.busy = True  # as a consumer says, or the wire reads by itself
    found = await asyncio.wait_for(wire.read(), PATIENCE)
    wire.abort()
    await asyncio.wait_for(wire.wait_closed(), PATIENCE)
    await transport.aclose()
    return str(found.data)


@pytest.mark.spec("N2.2")
@pytest.mark.parametrize(
    ("scheme", "host", "seen"),
    [
        ("socks5h", "localhost", (5, "localhost")),
        ("socks5h", "127.0.0.1", (5, "127.0.0.1")),
        ("socks5", "localhost", (5, "127.0.0.1")),
        ("socks4a", "localhost", (4, "localhost")),
        ("socks4", "localhost", (4, "127.0.0.1")),
    ],
)
@pytest.mark.parametrize("given", ["option", "environment"])
async def test_the_scheme_says_who_looks_the_name_up(
    scheme: str, host: str, seen: tuple[int, str], given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxying() as proxy, serving() as server:
        where = f"{scheme}://127.0.0.1:{proxy.port}"
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("ws_proxy", where)
        chosen = where if given == "option" else "env"
        url = f"ws://{host}:{server.port}/feed"
        assert await greeting(url, server, proxy=chosen) == "hello"
        assert proxy.asked == [(*seen, server.port)]


@pytest.mark.spec("N2.2", "B1.4")
@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_spoken_with_the_server_and_not_with_the_proxy(
    loop_factory: Factory, tls: tuple[ssl.SSLContext, ssl.SSLContext], *, trusted: bool
) -> None:
    client = tls[1] if trusted else ssl.create_default_context()
    async with proxying("hush") as proxy, serving(tls=tls[0]) as server:
        where = f"socks5h://me:hush@127.0.0.1:{proxy.port}"
        if trusted:
            assert await greeting(server.url, server, proxy=where, ssl=client) == "hello"
            return

        async def answer() -> None:
            peer = await server.accept()
            with suppress(ssl.SSLError, ConnectionError, EOFError):
                await peer.start_tls()

        close, _ = await asyncio.gather(refused(server.url, proxy=where, ssl=client), answer())
        assert (close.code, close.cause, close.origin) == (1015, Cause.TLS, Origin.ENGINE)


@pytest.mark.spec("N2.2", "B15")
async def test_a_certificate_that_has_expired_is_told_through_a_proxy(
    authority: trustme.CA, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    from datetime import UTC, datetime

    stale = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=datetime(2001, 1, 1, tzinfo=UTC)).configure_cert(
        stale
    )
    async with proxying() as proxy, serving(tls=stale) as server:

        async def answer() -> None:
            peer = await server.accept()
            with suppress(ssl.SSLError, ConnectionError, EOFError):
                await peer.start_tls()

        where = f"socks5h://127.0.0.1:{proxy.port}"
        close, _ = await asyncio.gather(refused(server.url, proxy=where, ssl=tls[1]), answer())
    assert (close.code, close.cause) == (1015, Cause.VALIDITY)


@pytest.mark.spec("N2.3")
@pytest.mark.parametrize("scheme", ["socks5h", "socks4a"])
async def test_a_refused_connection_is_the_proxys(scheme: str) -> None:
    async with proxying(refusal=5) as proxy:
        where = f"{scheme}://127.0.0.1:{proxy.port}"
        close = await refused("ws://feed.example/?token=hush", proxy=where)
        assert proxy.asked == [(int(scheme[5]), "feed.example", 80)]
    assert (close.code, close.cause, close.origin) == (1006, Cause.PROXY, Origin.NETWORK)
    assert (close.status, close.answered) == (None, False)
    assert "hush" not in f"{close!r} {close.error}"
    for policy in (policies.standard(), policies.basic(), policies.for_service("discord")):
        assert isinstance(policy.decide(close, after(1)), Retry)


@pytest.mark.spec("N2.3", "I2")
async def test_a_wrong_password_is_the_proxys_too_and_is_not_repeated() -> None:
    async with proxying("right") as proxy:
        close = await refused(
            "ws://feed.example/", proxy=f"socks5h://me:hush@127.0.0.1:{proxy.port}"
        )
    assert close.cause is Cause.PROXY
    assert "hush" not in f"{close!r} {close.error!r} {close.error}"


@pytest.mark.spec("N2.3")
async def test_a_proxy_that_nobody_runs_is_tcp() -> None:
    async with proxying() as proxy:
        pass
    close = await refused("ws://feed.example/", proxy=f"socks5h://127.0.0.1:{proxy.port}")
    assert (close.code, close.cause, close.origin) == (1006, Cause.TCP, Origin.NETWORK)


@pytest.mark.spec("N2.4")
async def test_no_socks_proxy_goes_with_a_lent_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5h://me:hush@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with ClientSession() as session:
        with pytest.raises(ProxyUnusable, match=r"aiohttp_socks\.ProxyConnector"):
            AiohttpTransport(session=session, proxy="socks5h://127.0.0.1:9")
        close = await refused("ws://feed.example/", session=session, proxy="env")
    assert (close.cause, type(close.error)) == (Cause.CONFIGURATION, ProxyUnusable)
    assert isinstance(policies.standard().decide(close, after(1)), Stop)
    assert "hush" not in f"{close!r} {close.error}"


@pytest.mark.spec("N2.2")
async def test_a_lent_session_brings_its_own_socks_connector() -> None:
    from aiohttp_socks import ProxyConnector

    async with proxying(refusal=1) as proxy:
        connector = ProxyConnector.from_url(f"socks5://127.0.0.1:{proxy.port}", rdns=True)
        async with ClientSession(connector=connector) as session:
            close = await refused("ws://feed.example/", session=session)
    assert close.cause is Cause.PROXY


@pytest.mark.spec("N2.4")
async def test_without_the_library_a_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "recloser.transport.socks.find_spec",
        lambda name: None if name == "aiohttp_socks" else find(name),
    )
    with pytest.raises(ProxyUnusable, match="pip install aiohttp-socks"):
        recloser.connect("ws://feed.example/", proxy="socks5h://127.0.0.1:9")
    monkeypatch.setenv("ws_proxy", "socks5h://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    close = await refused("ws://feed.example/", proxy="env")
    assert (close.cause, str(close.error)) == (
        Cause.CONFIGURATION,
        "a SOCKS proxy needs aiohttp-socks: pip install aiohttp-socks",
    )


@pytest.mark.spec("N2.1")
async def test_the_environment_is_read_at_every_dial(monkeypatch: pytest.MonkeyPatch) -> None:
    """One transport: through a proxy, directly, and through a proxy again on the first session."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    transport = AiohttpTransport(heartbeat=None, proxy="env")
    async with proxying() as proxy, serving() as server:
        monkeypatch.setenv("ws_proxy", f"socks5h://127.0.0.1:{proxy.port}")
        wires = []
        for exceptions in ("", "127.0.0.1", ""):
            monkeypatch.setenv("no_proxy", exceptions)

            async def answer() -> None:
                await (await server.accept()).upgrade()

            dial = transport.dial(Request(server.url), lambda close: None)
            wire, _ = await asyncio.gather(dial, answer())
            assert not any(each.over for each in wires), "an earlier wire keeps its session"
            wires.append(wire)
        assert len(proxy.asked) == 2
        assert len(transport._shares) == 2
        for wire in wires:
            wire.abort()
            await asyncio.wait_for(wire.wait_closed(), PATIENCE)
        await transport.aclose()
        assert transport._shares == ()
