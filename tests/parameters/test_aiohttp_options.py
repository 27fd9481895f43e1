"""The options of `connect` for the aiohttp transport have their effect on a real socket (E7)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import recloser
from recloser import State
from recloser.testing.doubles.raw_server import PING, RawPeer, close_frame, raw_server, text


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[RawPeer]:
    """The peer of an engine that has opened."""
    async with raw_server() as server:
        ws = recloser.connect(server.url, **options)
        ws.connect()
        peer = await server.accept()
        await peer.upgrade()
        await ws.wait_for(State.OPEN)
        yield peer
        closing = asyncio.create_task(ws.close())
        await peer.send(close_frame(1000))
        await closing


@pytest.mark.spec("E7")
async def test_a_heartbeat_pings() -> None:
    async with connected(heartbeat=0.05) as peer:
        assert await peer.frame() == (PING, b"")


@pytest.mark.spec("E7")
async def test_compression_is_offered() -> None:
    async with connected(compression=True) as peer:
        assert "permessage-deflate" in peer.head["sec-websocket-extensions"]


@pytest.mark.spec("E7")
async def test_a_limit_of_size_refuses() -> None:
    async with connected(max_message_size=100) as peer:
        await peer.send(text("x" * 200))
        code, _ = await peer.close_seen()
        assert code == 1009


@pytest.mark.spec("E7")
async def test_a_proxy_is_asked() -> None:
    async with raw_server() as proxy:
        ws = recloser.connect("ws://feed.example/v1", proxy=f"http://127.0.0.1:{proxy.port}")
        ws.connect()
        peer = await proxy.accept()
        await peer.request()
        assert peer.request_line == "GET ws://feed.example/v1 HTTP/1.1"
        await ws.close()
