"""The reading half of a wire, under consumers that cancel, are slow, or do not exist (F7, F8)."""

import asyncio
from collections.abc import Callable

import pytest

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PING, PONG, close_frame, frame, text
from recloser.transport import last_received
from recloser.transport.errors import ConcurrentReceive
from recloser.transport.receive_buffer import LIMIT, OVERHEAD, ReceiveBuffer
from tests.transport.link import Link, linked, turns, until

SECURE = pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
Factory = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.spec("F8.1")
async def test_cancelling_a_receive_loses_nothing_and_changes_nothing(
    loop_factory: Factory,
) -> None:
    async with linked() as link:
        for _ in range(3):
            task = asyncio.create_task(link.receive())
            await turns()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not link.wire.busy
        await link.peer.send(text("a") + text("b"))
        assert [await link.receive(), await link.receive()] == ["a", "b"]
        link.wire.close(4000, "")
        assert await link.peer.close_seen() == (4000, "")
        await link.peer.send(close_frame(4000))
        assert (await link.end()).clean


@pytest.mark.spec("F8.1")
async def test_a_receive_cancelled_in_the_turn_its_message_comes_loses_nothing(
    loop_factory: Factory,
) -> None:
    async with linked() as link:
        for number in range(20):
            task = asyncio.create_task(link.receive())
            await turns()
            await link.peer.send(text(str(number)))
            await turns(number % 5)
            task.cancel()
            try:
                assert await task == str(number)
            except asyncio.CancelledError:
                assert await link.receive() == str(number)


@pytest.mark.spec("F8.1")
async def test_timing_out_a_receive_loses_nothing(loop_factory: Factory) -> None:
    async with linked() as link:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.receive(), 0.001)
        await link.peer.send(text("a"))
        assert await link.receive() == "a"


@pytest.mark.spec("F8.2")
async def test_a_second_receive_at_a_time_raises_and_the_first_goes_on(
    loop_factory: Factory,
) -> None:
    async with linked() as link:
        first = asyncio.create_task(link.receive())
        await turns()
        with pytest.raises(ConcurrentReceive, match="let one task receive"):
            await link.receive()
        await link.peer.send(text("a"))
        assert await first == "a"


async def test_an_ended_wire_does_not_spin(loop_factory: Factory) -> None:
    """Asking for what will never come costs no turn of the loop, and reads nothing."""
    async with linked() as link:
        await link.peer.send(close_frame(1000))
        assert await link.all() == []
        assert link.wire.busy
        assert link.wire.take() is None
        assert await link.receive() is None


@pytest.mark.spec("F7.1")
async def test_a_ping_is_answered_and_a_close_noticed_when_nobody_reads(
    loop_factory: Factory, real_ticks: None
) -> None:
    async with linked() as link:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await link.peer.send(text("unread") + frame(PING, b"there?"))
        assert await link.peer.frame() == (PONG, b"there?")
        assert loop.time() - start < 1.0
        start = loop.time()
        await link.peer.send(close_frame(4000))
        assert (await link.end()).code == 4000
        assert loop.time() - start < 1.0
        assert await link.all() == ["unread"]


@pytest.mark.spec("F7.1")
async def test_an_end_is_told_at_once_when_nobody_reads(
    loop_factory: Factory, real_ticks: None
) -> None:
    """The socket says so itself: no tick is waited for."""
    async with linked() as link:
        link.peer.fin()
        async with asyncio.timeout(0.3):
            assert (await link.end()).cause is Cause.EOF


async def test_a_consumer_takes_over_from_the_wire_and_back(loop_factory: Factory) -> None:
    async with linked() as link:
        sent = iter(range(100))
        for _ in range(10):
            await link.peer.send(text(str(next(sent))))
            await until(lambda: link.wire.unread == 1)
            await link.peer.send(text(str(next(sent))))
            await until(lambda: link.wire.unread == 2)
            assert int(str(await link.receive())) % 2 == 0
            assert int(str(await link.receive())) % 2 == 1
            waiting = asyncio.create_task(link.receive())
            await turns()
            await link.peer.send(text("direct"))
            assert await waiting == "direct"
            assert not link.wire.busy


MESSAGE = bytes(10_000)


async def overrun(link: Link) -> int:
    """Send until the wire reads no more; how many messages were handed to the socket."""
    count, transport = 0, link.wire.transport
    while transport.is_reading() or not link.wire.full:
        if transport.is_reading():
            await link.peer.send(frame(2, MESSAGE))
            count += 1
        await turns()
    return count


@pytest.mark.spec("F7.2")
@SECURE
async def test_a_backlog_is_bounded_and_nothing_of_it_is_lost(
    loop_factory: Factory, *, secure: bool, request: pytest.FixtureRequest
) -> None:
    noted: list[int] = []
    tls = request.getfixturevalue("tls") if secure else None
    async with linked(tls=tls, backlogged=noted.append) as link:
        count = await overrun(link)
        await until(lambda: bool(noted))
        assert link.wire.unread * len(MESSAGE) < 700_000
        assert count * len(MESSAGE) < 2_500_000
        await link.peer.send(close_frame(4000))
        await turns(20)
        assert link.told == []
        assert noted == [link.wire.unread]
        assert await link.all() == [MESSAGE] * count
        assert (await link.end()).code == 4000
        assert len(noted) == 1


@pytest.mark.spec("F7.3")
@pytest.mark.skipif(last_received.sys.platform != "linux", reason="only Linux tells")
@pytest.mark.parametrize("how", ["fin", "reset"])
@SECURE
async def test_an_end_behind_a_backlog_is_noticed_with_all_that_came_before(
    loop_factory: Factory, how: str, *, secure: bool, request: pytest.FixtureRequest
) -> None:
    """What the kernel still holds is bounded, so it is let in; a close frame in it counts.

    Over TLS what its layer has decrypted in advance may be lost with the socket: then the end
    is told as one without a close frame.
    """
    tls = request.getfixturevalue("tls") if secure else None
    async with linked(tls=tls) as link:
        count = await overrun(link)
        await link.peer.send(frame(2, MESSAGE) + close_frame(4000, "behind"))
        if how == "fin":
            link.peer.fin()
        else:
            link.peer.reset()
        close = await link.end()
        unread = link.wire.unread
        assert await link.all() == [MESSAGE] * unread
        if secure and close.code == 1006:
            assert unread <= count + 1
        else:
            assert (close.code, close.reason) == (4000, "behind")
            assert unread == count + 1


@pytest.mark.spec("F7.4")
async def test_our_own_close_is_not_held_up_by_a_backlog(loop_factory: Factory) -> None:
    async with linked() as link:
        count = await overrun(link)
        link.wire.close(1000, "")
        assert await link.peer.close_seen() == (1000, "")
        await link.peer.send(close_frame(1000))
        assert (await link.end()).clean
        assert link.wire.received.excess == 0, "what had arrived is within the second bound"
        assert await link.all() == [MESSAGE] * count


async def test_a_ping_flood_from_a_peer_that_does_not_read_fills_no_memory(
    loop_factory: Factory,
) -> None:
    """Only the last ping need be answered (RFC 6455 section 5.5.3), and it is."""
    async with linked(receive_buffer=4096) as link:
        transport = link.wire.transport
        sender = asyncio.create_task(link.wire.send(bytes(6_000_000)))
        await turns()
        queued = transport.get_write_buffer_size()
        assert queued > 1_000_000
        for number in range(20):
            await link.peer.send(frame(PING, bytes(125)) * 50 + text(str(number)))
            assert await link.receive() == str(number)
        await link.peer.send(frame(PING, b"last") + text("end"))
        assert await link.receive() == "end"
        assert transport.get_write_buffer_size() == queued
        assert await link.peer.frame() == (2, bytes(6_000_000))
        assert await link.peer.frame() == (PONG, b"last")
        await sender


async def test_all_that_waits_is_taken_at_once_while_the_wire_lives() -> None:
    async with linked() as link:
        await link.peer.send(text("a") + text("b"))
        await until(lambda: link.wire.unread == 2)
        assert list(link.wire.take_all()) == ["a", "b"]
        assert link.wire.unread == 0
        await link.peer.send(text("c"))
        assert await link.receive() == "c"


@pytest.mark.spec("C3.5")
async def test_what_earlier_connections_left_counts_against_the_receive_buffer(
    loop_factory: Factory, no_ticks: None
) -> None:
    async with linked() as link:
        earlier = ReceiveBuffer()
        for size in (LIMIT - 2 * OVERHEAD, 0):
            earlier.add(bytes(size))
        link.wire.follow(earlier)
        await link.peer.send(text("a") + frame(PING, b"?"))
        await turns(50)
        assert link.wire.full
        assert link.wire.unread == 0
        earlier.pop()
        link.wire.read_ahead()
        assert not link.wire.full
        await until(lambda: link.wire.unread == 1)
        assert await link.peer.frame() == (PONG, b"?")
        assert await link.receive() == "a"


@pytest.mark.spec("C3.6")
@pytest.mark.parametrize("earlier", [0, 1])
async def test_all_that_arrived_is_kept_at_an_end_where_nothing_earlier_is_left(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch, no_ticks: None, earlier: int
) -> None:
    monkeypatch.setattr("recloser.transport.receive_buffer.ARRIVED", 1000)
    async with linked() as link:
        link.wire.received.limit = 1
        if earlier:
            link.wire.follow(behind := ReceiveBuffer())
            behind.add("")
        await link.peer.send(frame(2, bytes(500)) * 10)
        link.peer.fin()
        await until(link.wire.lost.done)
        assert (await link.end()).cause is Cause.EOF
        kept = len(await link.all())
        assert kept + link.wire.received.excess == 10
        assert kept == (10 if not earlier else 2)
