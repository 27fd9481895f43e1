"""Packets that are lost one by one, and packets that are answered by a refusal."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from recloser import State
from recloser.fsm.record import Cause, Close, Origin
from tests.faults.feed import Feed, running
from tests.faults.lab import BOTH, Direction, Lab

pytestmark = pytest.mark.faults

WAYS = pytest.mark.parametrize("way", BOTH)
ERRORS = {
    "port-unreachable": errno.ECONNREFUSED,
    "host-unreachable": errno.EHOSTUNREACH,
    "net-unreachable": errno.ENETUNREACH,
    "admin-prohibited": errno.EHOSTUNREACH,
}
"""What a dial hears, by the kind of ICMP that refuses it."""
ICMP = pytest.mark.parametrize("code", ERRORS)
EVERY_FIFTH = "numgen inc mod 5 == 0 drop"
HALF_BY_CHANCE = "numgen random mod 2 == 0 drop"
SYN = "tcp flags & syn == syn"


@asynccontextmanager
async def fed(lab: Lab, times: int = 1) -> AsyncIterator[Feed]:
    """Five messages and some ticks before the block, which sends five more; then all is well."""
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick(times)
        yield feed
        lab.restore()
        await feed.open()
        await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 11))


async def failed_dial(feed: Feed) -> Close:
    """Ask for another connection; the record of the first dial, which fails at once."""
    feed.ws.reconnect()
    while (close := await feed.ended()).cause is Cause.CLOSE_FRAME:
        assert close.intentional, "that of the connection before"
    assert (close.code, close.cause, close.origin) == (1006, Cause.TCP, Origin.NETWORK)
    assert feed.ws.state is State.BACKOFF
    return close


@pytest.mark.spec("F1.2", "F2")
async def test_every_fifth_packet_is_lost_each_way_and_nothing_ends(lab: Lab) -> None:
    await lab.serve()
    async with running() as feed:
        await feed.tick(12)  # a ping is answered
        lab.filter(EVERY_FIFTH, *BOTH)
        for _ in range(10):
            await feed.send(10, size=2000)
            await feed.tick(5)  # five seconds in all: several pings
        await feed.ws.drain()
        assert not feed.closes
        lab.restore()
    lab.end()
    assert lab.received == list(range(1, 101)), "once each, and in order"


@pytest.mark.spec("F1.1", "F5", "G7.2")
async def test_half_of_all_packets_are_lost_by_chance(lab: Lab) -> None:
    """Whatever ends then ends by a limit of the engine, and no message is lost with it."""
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick(12)
        lab.filter(HALF_BY_CHANCE, *BOTH)
        for number in range(4):
            await feed.send(20, size=2000)
            if number == 1:
                feed.ws.reconnect()
            with suppress(TimeoutError):
                await asyncio.wait_for(feed.tick(10), 4.0)
        limits = {Cause.HEARTBEAT, Cause.DEAF, Cause.CONNECT_TIMEOUT, Cause.CLOSE_TIMEOUT}
        assert set(feed.causes) <= limits | {Cause.CLOSE_FRAME, Cause.RESET}
        lab.restore()
        await feed.open()
        await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 86))


@pytest.mark.spec("F5")
@WAYS
async def test_the_first_packet_of_a_dial_is_lost(lab: Lab, way: Direction) -> None:
    """The kernel says it again a second later, and the engine gives it that second."""
    await lab.serve()
    lab.filter(f"{SYN} numgen inc mod 3 == 0 drop", way)
    async with running() as feed:
        await feed.send(5)
        await feed.tick()
        assert not feed.closes
    lab.end()
    assert lab.received == list(range(1, 6))


@pytest.mark.spec("F5", "B3")
@WAYS
async def test_tcp_opens_and_the_handshake_is_lost(lab: Lab, way: Direction) -> None:
    """The kernels shake hands; what WebSocket says behind it never arrives."""
    async with fed(lab) as feed:
        lab.filter("meta length > 150 drop", way)
        feed.ws.reconnect()
        while (close := await feed.ended()).cause is not Cause.CONNECT_TIMEOUT:
            pass
        assert (close.code, close.origin) == (1006, Origin.ENGINE)
        await feed.send(5)


@pytest.mark.spec("B1.3", "G7.2")
@WAYS
async def test_an_open_connection_is_reset(lab: Lab, way: Direction) -> None:
    """A reset of the server reaches the client when its kernel answers the next packet."""
    async with fed(lab, 12) as feed:
        ended = asyncio.ensure_future(feed.ended())
        lab.filter("tcp flags & rst != rst reject with tcp reset", way)
        await feed.send(5)
        close = await ended
        assert (close.code, close.cause, close.origin) == (1006, Cause.RESET, Origin.NETWORK)


@pytest.mark.spec("B3")
async def test_a_dial_is_reset(lab: Lab) -> None:
    async with fed(lab) as feed:
        lab.filter(f"{SYN} reject with tcp reset", "to the server")
        close = await failed_dial(feed)
        assert isinstance(close.error, OSError)
        assert close.error.errno == errno.ECONNREFUSED
        await feed.send(5)


@pytest.mark.spec("F1.1", "B1.3")
@ICMP
async def test_icmp_on_an_open_connection(lab: Lab, code: str) -> None:
    """TCP takes ICMP for a passing trouble there: the heartbeat decides."""
    async with fed(lab, 12) as feed:
        ended = asyncio.ensure_future(feed.ended())
        lab.filter(f"reject with icmp type {code}", "to the server")
        await feed.send(5)
        close = await ended
        assert (close.code, close.cause) == (1006, Cause.HEARTBEAT)


@pytest.mark.spec("B3", "F2")
@ICMP
async def test_icmp_that_passes_ends_nothing(lab: Lab, code: str) -> None:
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick(12)
        lab.filter(f"reject with icmp type {code}", *BOTH)
        await feed.send(5)
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.5)
        lab.restore()
        await feed.tick(20)
        await feed.ws.drain()
        assert not feed.closes
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("B3")
@ICMP
async def test_icmp_at_a_dial(lab: Lab, code: str) -> None:
    """A dial fails at once, and does not wait for its limit."""
    async with fed(lab) as feed:
        lab.filter(f"{SYN} reject with icmp type {code}", "to the server")
        close = await failed_dial(feed)
        assert isinstance(close.error, OSError)
        assert close.error.errno == ERRORS[code]
        await feed.send(5)
