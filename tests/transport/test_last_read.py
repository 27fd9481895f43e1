"""What had arrived is read before a loss is believed (B2.3), whoever noticed it, on any loop."""

import asyncio
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from sys import byteorder
from termios import FIONREAD

import pytest

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PATIENCE, close_frame, frame, text
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.transport import Heartbeat
from recloser.transport.errors import NotOpen
from recloser.transport.socket_wire import SocketWire
from tests.transport.link import Link, linked, turns, until

Factory = Callable[[], asyncio.AbstractEventLoop]
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]

SECURE = pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
WORDS = [str(number) for number in range(20)]
LAST = b"".join(map(text, WORDS)) + close_frame(1012, "restart")


def in_kernel(link: Link) -> int:
    """How many bytes the kernel holds for the client."""
    descriptor = link.wire.transport.get_extra_info("socket").fileno()
    return int.from_bytes(ioctl(descriptor, FIONREAD, bytes(4)), byteorder)


def write(peer: Peer, data: bytes) -> int:
    """Hand it to the kernel without a turn of the loop; how many bytes that are."""
    if peer._tls is not None:
        peer._tls.write(data)
        data = peer._out.read()
    peer.sock.setblocking(True)
    peer.sock.sendall(data)
    return len(data)


def at_once(link: Link, data: bytes, end: str) -> None:
    """Send and end without a turn of the loop: the client finds it all in its kernel."""
    before = in_kernel(link)
    whole = before + write(link.peer, data)
    # What has not arrived when the connection breaks never arrives: a busy kernel may be late.
    deadline = time.monotonic() + PATIENCE
    while in_kernel(link) < whole and time.monotonic() < deadline:
        os.sched_yield()
    assert in_kernel(link) == whole, "the kernel did not take all"
    hang_up(link.peer, end)


def hang_up(peer: Peer, end: str) -> None:
    """End the connection without a close frame."""
    if end == "reset":
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if end == "fin":
        peer.sock.shutdown(socket.SHUT_WR)
    else:
        peer.sock.close()


async def paused(link: Link) -> list[bytes]:
    """Send more than the wire takes without a consumer; what was sent."""
    sent = []
    while link.wire.transport.is_reading():
        sent.append(bytes(64 * 1024))
        await link.peer.send(frame(2, sent[-1]))
        await turns(3)
    return sent


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
        at_once(link, LAST, end)
        await fail_to_send(link, sends, size)
        close = await link.end()
        found = await link.all() if consumer is None else await consumer
        assert found == WORDS
        assert (close.code, close.reason, close.clean) == (1012, "restart", True)
        assert close.cause is Cause.CLOSE_FRAME


@pytest.mark.spec("B2.2", "B2.3", "B2.4")
@SECURE
@pytest.mark.parametrize("end", ["fin", "close", "reset"])
@pytest.mark.parametrize(("sends", "size"), [(1, 10), (3, 10), (8, 5_000)])
async def test_nor_does_a_tick_between_a_failed_write_and_the_report_of_it(
    loop_factory: Factory, tls: Contexts, *, secure: bool, end: str, sends: int, size: int
) -> None:
    """The loop reports a turn after the write; a timer may be due before."""
    async with linked(tls=tls if secure else None) as link:

        def ended_after_ticks() -> bool:
            if not link.told:
                link.wire.tick()
            return bool(link.told)

        consumer = asyncio.ensure_future(link.all())
        await turns(5)
        at_once(link, LAST, end)
        await fail_to_send(link, sends, size)
        await until(ended_after_ticks)
        assert (await link.end()).code == 1012
        assert await consumer == WORDS


@pytest.mark.spec("B2.3", "B2.4", "F1")
@SECURE
@pytest.mark.parametrize(
    "give_up", [lambda wire: wire.condemned(None), SocketWire.deaf], ids=["silent", "deaf"]
)
async def test_a_verdict_reads_first_what_the_kernel_holds(
    loop_factory: Factory, tls: Contexts, *, secure: bool, give_up: Callable[[SocketWire], None]
) -> None:
    async with linked(tls=tls if secure else None) as link:
        consumer = asyncio.ensure_future(link.all())
        await turns(5)
        at_once(link, LAST, "fin")
        give_up(link.wire)
        assert (await link.end()).code == 1012
        assert await consumer == WORDS


@pytest.mark.spec("B2.3", "B2.4")
@SECURE
@pytest.mark.parametrize("sends", [0, 3])
@pytest.mark.parametrize("end", ["fin", "close", "reset"])
async def test_what_a_paused_reader_left_to_tls_is_read(
    loop_factory: Factory, tls: Contexts, *, secure: bool, end: str, sends: int
) -> None:
    """TLS reads on into a buffer of its own; nothing lies in the kernel behind it."""
    async with linked(tls=tls if secure else None) as link:
        sent = await paused(link)
        await link.peer.send(LAST)
        await until(lambda: not secure or not in_kernel(link))
        hang_up(link.peer, end)
        await fail_to_send(link, sends, 10)
        consumer = asyncio.ensure_future(link.all())
        assert (await link.end()).code == 1012
        assert await consumer == [*sent, *WORDS]


@pytest.mark.spec("B2.3", "B2.4")
@SECURE
async def test_it_is_read_whole_where_a_library_gives_a_small_buffer(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    """picows gives 2 KiB at first; TLS would read the rest in the next turn, and there is none."""
    words = [f"{number:01000}" for number in range(40)]
    async with linked(tls=tls if secure else None) as link:
        consumer = asyncio.ensure_future(link.all())
        await turns(5)
        at_once(link, b"".join(map(text, words)) + close_frame(4001), "close")
        await fail_to_send(link, 3, 10)
        assert (await link.end()).code == 4001
        assert await consumer == words


@pytest.mark.spec("B2.3", "B2.4")
@SECURE
async def test_a_refusal_for_size_is_read_behind_the_message_that_it_refuses(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    async with linked(tls=tls if secure else None) as link:
        await link.wire.send(bytes(100_000))
        at_once(link, close_frame(1009, "too big"), "close")
        await fail_to_send(link, 5, 1000)
        assert (await link.end()).code == 1009


@pytest.mark.spec("B2.3", "F7.2")
@SECURE
async def test_it_is_read_also_behind_a_backlog_that_had_paused_reading(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    """More lies in the kernel than a slow consumer lets in."""
    async with linked(tls=tls if secure else None) as link:
        sent = await paused(link)
        at_once(link, frame(2, sent[0]) + close_frame(4001), "close")
        await fail_to_send(link, 4, 10)
        close = await link.end()
        assert close.code == 4001
        assert await link.all() == [*sent, sent[0]]


@pytest.mark.spec("B2.3")
@SECURE
async def test_what_never_came_is_a_loss(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    async with linked(tls=tls if secure else None) as link:
        at_once(link, text("a") + close_frame(1000)[:2], "reset")
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
        at_once(link, LAST, "fin")
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
        write(link.peer, LAST)
        hang_up(link.peer, "fin")
        await link.wire.wait_closed()
        assert link.wire.unread == 0
        assert link.told == []


@pytest.mark.spec("B2.3")
async def test_behind_the_end_of_the_stream_nothing_is_looked_for(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []

    def read(descriptor: int, size: int) -> bytes:
        reads.append(descriptor)
        return os_read(descriptor, size)

    os_read = os.read
    async with linked() as link:
        monkeypatch.setattr(os, "read", read)
        link.peer.fin()
        assert (await link.end()).cause is Cause.EOF
        assert reads == []
