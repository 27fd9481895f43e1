"""A dial that is given up frees its socket at every stage, and bounded by its caller (A5, F5)."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from recloser.fsm.record import Close
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, Request
from tests.transport.conftest import open_sockets
from tests.transport.link import turns
from tests.transport.names import Hanging

Factory = Callable[[], asyncio.AbstractEventLoop]


def never(close: Close) -> None:
    raise AssertionError(f"a dial that was given up told of an end: {close}")


async def given_up(transport: AiohttpTransport, url: str, reached: asyncio.Event | None) -> None:
    """Cancel a dial once it has got somewhere, and see that it leaves nothing."""
    before = open_sockets()
    dial = asyncio.create_task(transport.dial(Request(url), never))
    if reached is None:
        await turns(50)
    else:
        await reached.wait()
    assert not dial.done()
    dial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dial
    await turns()
    assert open_sockets() <= before


@pytest.mark.spec("A5.1", "F5")
async def test_while_the_name_is_looked_up(loop_factory: Factory) -> None:
    """aiohttp's own task, one a host, ends with the session that it belongs to."""
    resolver = Hanging()
    async with ClientSession(connector=TCPConnector(resolver=resolver)) as session:
        transport = AiohttpTransport(session=session)
        await given_up(transport, "ws://slow.example/", resolver.asked)
        await transport.aclose()
    await turns()


@asynccontextmanager
async def full_backlog() -> AsyncIterator[int]:
    """A port that takes no connection: its queue is full and nobody accepts."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        crowd = []
        for _ in range(4):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(sock.getsockname())
            crowd.append(each)
        yield sock.getsockname()[1]
        for each in crowd:
            each.close()


@pytest.mark.spec("A5.1", "F5")
async def test_while_tcp_connects(loop_factory: Factory) -> None:
    transport = AiohttpTransport()
    async with full_backlog() as port:
        await given_up(transport, f"ws://127.0.0.1:{port}/", None)
    await transport.aclose()


@pytest.mark.spec("A5.1", "F5")
@pytest.mark.parametrize("stage", ["tls", "upgrade", "upgrade over tls"])
async def test_while_the_peer_says_nothing(
    loop_factory: Factory, stage: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    options: dict[str, Any] = {} if stage == "upgrade" else {"ssl": tls[1]}
    transport = AiohttpTransport(**options)
    async with serving(tls=None if stage == "upgrade" else tls[0]) as server:
        reached = asyncio.Event()

        async def play() -> None:
            peer = await server.accept()
            if stage == "tls":
                await asyncio.get_running_loop().sock_recv(peer.sock, 1)
            else:
                if stage == "upgrade over tls":
                    await peer.start_tls()
                await peer.request()
            before = open_sockets()
            reached.set()
            if stage == "tls":  # the peer never takes part in it, so it reads what is there
                while await asyncio.get_running_loop().sock_recv(peer.sock, 65536):
                    pass
            else:
                assert await peer.gone()
            assert len(open_sockets()) < len(before)

        playing = asyncio.create_task(play())
        dial = asyncio.create_task(transport.dial(Request(server.url), never))
        await reached.wait()
        dial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dial
        await playing
    await transport.aclose()


@pytest.mark.spec("F5")
async def test_while_a_lent_session_has_no_connection_left(loop_factory: Factory) -> None:
    async with serving() as server, ClientSession(connector=TCPConnector(limit=1)) as session:
        transport = AiohttpTransport(session=session, heartbeat=None)
        first = asyncio.create_task(transport.dial(Request(server.url), never))
        await (await server.accept()).upgrade()
        wire = await first
        await given_up(transport, server.url, None)
        wire.abort()
        await wire.wait_closed()
        again = asyncio.create_task(transport.dial(Request(server.url), never))
        await (await server.accept()).upgrade()
        (await again).abort()
        await (await again).wait_closed()
        await transport.aclose()


@pytest.mark.spec("A5.1")
async def test_whenever_it_is_cancelled_around_its_success(loop_factory: Factory) -> None:
    """In the turn of the success the wire is the caller's; in any other nothing is left."""
    transport = AiohttpTransport(heartbeat=None)
    async with serving() as server:
        before = open_sockets()
        successes = 0
        for count in range(30):
            dial = asyncio.create_task(transport.dial(Request(server.url), never))
            peer = await server.accept()
            answer = asyncio.create_task(peer.upgrade())
            await turns(count)
            dial.cancel()
            try:
                wire = await dial
            except asyncio.CancelledError:
                pass
            else:
                successes += 1
                wire.abort()
                await wire.wait_closed()
            await asyncio.gather(answer, return_exceptions=True)
            peer.sock.close()
            await turns()
        assert open_sockets() <= before
        assert successes < 30
    await transport.aclose()
