"""The same ends over TLS (B1, J1)."""

import asyncio
import ssl
from collections.abc import Callable

import pytest

from recloser.fsm.record import Cause, Origin
from recloser.testing.doubles.raw_server import PING, PONG, close_frame, frame, text
from tests.transport.link import linked

Factory = Callable[[], asyncio.AbstractEventLoop]
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]

READERS = pytest.mark.parametrize("reader", ["parked", "nobody"])


@pytest.mark.spec("B1.1")
@READERS
async def test_a_close_frame_over_tls(loop_factory: Factory, tls: Contexts, reader: str) -> None:
    async with linked(tls=tls) as link:
        await link.peer.send(text("a") + frame(PING, b"?") + close_frame(4401, "auth"))
        messages = await link.all() if reader == "parked" else []
        assert await link.peer.frame() == (PONG, b"?")
        assert await link.peer.close_seen() == (4401, "")
        assert await link.peer.gone()
        await link.peer.close_notify()
        close = await link.end()
        assert (close.code, close.reason, close.clean) == (4401, "auth", True)
        assert (messages or await link.all()) == ["a"]


@pytest.mark.spec("B1.3")
@READERS
@pytest.mark.parametrize("how", ["close_notify", "fin", "reset"])
async def test_an_end_without_a_close_frame_over_tls(
    loop_factory: Factory, tls: Contexts, reader: str, how: str
) -> None:
    async with linked(tls=tls) as link:
        await link.peer.send(text("a"))
        assert await link.receive() == "a"
        parked = asyncio.create_task(link.all()) if reader == "parked" else None
        if how == "close_notify":
            await link.peer.close_notify()
        elif how == "fin":
            link.peer.fin()
        else:
            link.peer.reset()
        close = await link.end()
        assert (close.code, close.clean, close.origin) == (1006, False, Origin.NETWORK)
        assert close.cause is (Cause.RESET if how == "reset" else Cause.EOF)
        assert parked is None or await parked == []


@pytest.mark.spec("A6.1")
async def test_our_own_close_over_tls(loop_factory: Factory, tls: Contexts) -> None:
    async with linked(tls=tls) as link:
        link.wire.close(4000, "bye")
        assert await link.peer.close_seen() == (4000, "bye")
        await link.peer.send(close_frame(4000))
        assert await link.peer.gone()
        await link.peer.close_notify()
        assert (await link.end()).clean


@pytest.mark.spec("J1.2")
async def test_a_peer_that_never_shuts_tls_down_is_not_waited_for(
    loop_factory: Factory, tls: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio would wait half a minute for its close_notify."""
    monkeypatch.setattr("recloser.transport.socket_wire.RELEASE", 0.05)
    async with linked(tls=tls) as link:
        await link.peer.send(close_frame(1000))
        close = await link.end()
        assert close.clean
