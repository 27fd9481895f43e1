"""Liveness over Multipath TCP, of which the kernel tells the first path alone (F3)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, TCPConnector

from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import PATIENCE, PING, PONG, RawPeer, RawServer, frame
from recloser.transport import AiohttpTransport, Heartbeat, Request
from recloser.transport.last_received import tcp_info

if TYPE_CHECKING:
    from recloser.transport.aiohttp_wire import AiohttpWire

QUICK = Heartbeat(interval=0.05, timeout=0.1)


def multipath() -> socket.socket:
    """A real socket; the test is skipped where the kernel makes none.

    asyncio connects no socket of that protocol (gaierror: ai_socktype not supported), so Python
    is told that it is TCP, as it is under `mptcpize run`.
    """
    try:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
        return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())
    except (OSError, AttributeError) as error:
        pytest.skip(f"no Multipath TCP here (CONFIG_MPTCP, net.mptcp.enabled): {error!r}")


@asynccontextmanager
async def connected(
    ended: "asyncio.Future[Close]",
) -> AsyncIterator[tuple["AiohttpWire", RawPeer]]:
    def factory(_: Any) -> socket.socket:
        return multipath()

    with multipath() as listening:
        listening.setblocking(False)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = RawServer(listening, None)
        async with ClientSession(connector=TCPConnector(socket_factory=factory)) as session:
            transport = AiohttpTransport(session=session, heartbeat=QUICK)
            dial = asyncio.create_task(transport.dial(Request(server.url), ended.set_result))
            peer = await server.accept()
            await peer.upgrade()
            wire = await dial
            yield wire, peer
            wire.abort()
            await asyncio.wait_for(wire.wait_closed(), PATIENCE)
            await transport.aclose()
        peer.sock.close()


@pytest.mark.spec("F3")
async def test_the_kernel_is_not_asked() -> None:
    ended: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
    async with connected(ended) as (wire, _):
        connection = wire.transport.get_extra_info("socket")
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == 262
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)  # it would answer
        assert tcp_info(wire.transport) is None
        assert wire._counted is not None


@pytest.mark.spec("F3", "F2")
async def test_frames_are_life() -> None:
    ended: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
    async with connected(ended) as (_, peer):
        for _ in range(8):
            assert await peer.frame() == (PING, b"")
            await peer.send(frame(PONG))
        assert not ended.done()


@pytest.mark.spec("F1.1", "F3")
async def test_silence_is_noticed() -> None:
    ended: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
    async with connected(ended):
        close = await asyncio.wait_for(asyncio.shield(ended), PATIENCE)
    assert close == Close(code=1006, origin=Origin.ENGINE, cause=Cause.HEARTBEAT)
