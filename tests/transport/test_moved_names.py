"""A name that moves is found by the first dial after one that got no answer (E1.7)."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request
from tests.transport.link import turns

OLD, NEW = "127.0.0.2", "127.0.0.1"
"""Both are this machine; servers listen at the new address alone."""


class Moving(AbstractResolver):
    """Knows every name, at an address that a test may change."""

    def __init__(self, address: str = OLD) -> None:
        self.address = address
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        await asyncio.sleep(0)
        return [ResolveResult(hostname=host, host=self.address, port=port,
                              family=socket.AF_INET, proto=0, flags=0)]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture(params=["ours", "lent"])
def made(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[AiohttpTransport, Moving, ClientSession | None]]:
    def make(**options: Any) -> tuple[AiohttpTransport, Moving, ClientSession | None]:
        resolver, lent = Moving(options.pop("address", OLD)), None
        if request.param == "lent":
            lent = ClientSession(connector=TCPConnector(resolver=resolver, force_close=True))
        else:
            monkeypatch.setattr(
                "recloser.transport.sessions.TCPConnector",
                partial(TCPConnector, resolver=resolver),
            )
        return AiohttpTransport(session=lent, heartbeat=None, **options), resolver, lent

    return make


@contextmanager
def silent(port: int) -> Iterator[None]:
    """A server that takes connections at the old address and says nothing."""
    with socket.socket() as sock:
        sock.bind((OLD, port))
        sock.listen()
        yield


async def dialled(transport: AiohttpTransport, port: int) -> None:
    wire = await transport.dial(Request(f"ws://feed.example:{port}/"), lambda close: None)
    wire.abort()
    await wire.wait_closed()


@pytest.mark.spec("E1.7")
async def test_after_a_refused_connection(made: Any) -> None:
    transport, resolver, lent = made()
    async with serving() as server, asyncio.TaskGroup() as group:
        with pytest.raises(DialFailed) as failed:
            await dialled(transport, server.port)
        assert failed.value.close.cause is Cause.TCP
        resolver.address = NEW
        dial = group.create_task(dialled(transport, server.port))
        await (await server.accept()).upgrade()
        await dial
        assert resolver.asked == ["feed.example"] * 2
        await transport.aclose()
        if lent is not None:
            await lent.close()


@pytest.mark.spec("E1.7", "F5")
async def test_after_a_dial_that_was_given_up(made: Any) -> None:
    transport, resolver, lent = made()
    async with serving() as server, asyncio.TaskGroup() as group:
        with silent(server.port), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await dialled(transport, server.port)
        resolver.address = NEW
        dial = group.create_task(dialled(transport, server.port))
        await (await server.accept()).upgrade()
        await dial
        assert resolver.asked == ["feed.example"] * 2
        await transport.aclose()
        if lent is not None:
            await lent.close()


@pytest.mark.spec("E1.7")
async def test_of_a_proxy(made: Any) -> None:
    async with serving() as proxy:
        transport, resolver, lent = made(proxy=f"http://proxy.example:{proxy.port}")
        with pytest.raises(DialFailed) as failed:
            await transport.dial(Request("wss://feed.example/"), lambda close: None)
        assert failed.value.close.cause is Cause.TCP
        resolver.address = NEW
        dial = asyncio.create_task(
            transport.dial(Request("wss://feed.example/"), lambda close: None)
        )
        peer = await proxy.accept()
        await peer.request()
        assert peer.request_line.startswith("CONNECT feed.example:443 ")
        await peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(DialFailed):
            await dial
        assert resolver.asked == ["proxy.example"] * 2
        await transport.aclose()
        if lent is not None:
            await lent.close()


@pytest.mark.spec("E1.7")
async def test_dials_that_share_a_look_up_fail_of_the_address_alone(made: Any) -> None:
    """The first of them to fail takes the answer from none of those that wait for it."""
    transport, resolver, lent = made()
    async with serving() as server:
        dials = [asyncio.create_task(dialled(transport, server.port)) for _ in range(50)]
        found = await asyncio.gather(*dials, return_exceptions=True)
    assert {each.close.cause for each in found if isinstance(each, DialFailed)} == {Cause.TCP}
    assert len(found) == sum(isinstance(each, DialFailed) for each in found)
    assert len(resolver.asked) == 1
    await transport.aclose()
    if lent is not None:
        await lent.close()


@pytest.mark.spec("E1.7")
async def test_an_answer_keeps_the_look_up(made: Any) -> None:
    transport, resolver, lent = made(address=NEW)
    async with serving() as server:
        for answer in (b"503 Busy", None):
            dial = asyncio.create_task(dialled(transport, server.port))
            peer = await server.accept()
            if answer is None:
                await peer.upgrade()
                await dial
            else:
                await peer.request()
                await peer.send(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n")
                with pytest.raises(DialFailed):
                    await dial
            await turns()
    assert resolver.asked == ["feed.example"]
    await transport.aclose()
    if lent is not None:
        await lent.close()
