"""What had arrived is read before a loss is believed (B2.3), whoever noticed it, on any loop."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import close_frame, frame, text
from recloser.transport import Heartbeat
from recloser.transport.errors import NotOpen
from tests.transport.link import Link, linked, turns, until

Factory = Callable[[], asyncio.AbstractEventLoop]
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]

SECURE = pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
WORDS = [str(number) for number in range(20)]
LAST = b"".join(map(text, WORDS)) + close_frame(1012, "restart")


def at_once(peer: Peer, data: bytes, end: str) -> None:
    """Send and end without a turn of the loop: the client finds it all in its kernel."""
    if peer._tls is not None:
        peer._tls.write(data)
        data = peer._out.read()
    peer.sock.setblocking(True)
    peer.sock.sendall(data)
    if end == "reset":
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if end == "fin":
        peer.sock.shutdown(socket.SHUT_WR)
    else:
        peer.sock.close()


async def fail_to_send(link: Link, count: int, size: int) -> None:
    """Send without a turn of the loop, as a task does whose loop was busy."""
    for _ in range(count):
        with suppress(ConnectionError, NotOpen):
            sending = link.wire.send(bytes(size))
            with suppress(StopIteration):
                sending.send(None)
            sending.close()


@pytest.mark.spec("B2.2", "B2.3")
@SECURE
@pytest.mark.parametrize("end", ["fin", "close", "reset"])
@pytest.mark.parametrize(("sends", "size"), [(0, 1), (1, 10), (3, 10), (8, 5_000), (3, 200_000)])
@pytest.mark.parametrize("consumed", [True, False], ids=["consumer", "nobody"])
async def test_a_failed_write_hides_nothing_that_had_arrived(
    loop_factory: Factory,
    tls: Contexts,
    *,
    secure: bool,
    end: str,
    sends: int,
    size: int,
    consumed: bool,
) -> None:
    async with linked(tls=tls if secure else None) as link:
        consumer = asyncio.ensure_future(link.all()) if consumed else None
        await turns(5)
        at_once(link.peer, LAST, end)
        await fail_to_send(link, sends, size)
        close = await link.end()
        found = await link.all() if consumer is None else await consumer
        assert found == WORDS
        assert (close.code, close.reason, close.clean) == (1012, "restart", True)
        assert close.cause is Cause.CLOSE_FRAME


@pytest.mark.spec("B2.3", "B2.4")
@SECURE
async def test_a_refusal_for_size_is_read_behind_the_message_that_it_refuses(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    async with linked(tls=tls if secure else None) as link:
        await link.wire.send(bytes(100_000))
        at_once(link.peer, close_frame(1009, "too big"), "close")
        await fail_to_send(link, 5, 1000)
        assert (await link.end()).code == 1009


@pytest.mark.spec("B2.3", "F7.2")
@SECURE
async def test_it_is_read_also_behind_a_backlog_that_had_paused_reading(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    """More lies in the kernel than a slow consumer lets in."""
    async with linked(tls=tls if secure else None) as link:
        transport = link.wire.transport
        block = frame(2, bytes(64 * 1024))
        sent = 0
        while transport.is_reading():
            await link.peer.send(block)
            sent += 1
            await turns(3)
        at_once(link.peer, block + close_frame(4001), "close")
        await fail_to_send(link, 4, 10)
        close = await link.end()
        assert close.code == 4001
        assert await link.all() == [bytes(64 * 1024)] * (sent + 1)


@pytest.mark.spec("B2.3")
@SECURE
async def test_what_never_came_is_a_loss(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    async with linked(tls=tls if secure else None) as link:
        at_once(link.peer, text("a") + close_frame(1000)[:2], "reset")
        await fail_to_send(link, 3, 10)
        close = await link.end()
        assert (close.code, close.clean) == (1006, False)
        assert await link.all() == ["a"]


@pytest.mark.spec("B2.3", "F1")
async def test_a_verdict_reads_first_what_the_loop_had_not_called_back_for(
    loop_factory: Factory,
) -> None:
    async with linked(heartbeat=Heartbeat(interval=3600, timeout=3600)) as link:
        await turns(5)
        link.wire.read_ahead()
        at_once(link.peer, LAST, "fin")
        protocol = link.wire._connection.protocol
        assert protocol is not None
        reader = protocol._payload
        await until(lambda: bool(reader._buffer) or bool(link.told))
        link.wire.condemned(None)
        assert link.told[0].code == 1012
        assert (await link.all()) == WORDS


@pytest.mark.spec("C2")
@SECURE
async def test_after_an_abort_nothing_is_read(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    async with linked(tls=tls if secure else None) as link:
        link.wire.abort()
        at_once(link.peer, LAST, "fin")
        await link.wire.wait_closed()
        assert link.wire.unread == 0
        assert link.told == []
