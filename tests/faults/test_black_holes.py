"""A network that swallows packets, in each state and in each direction."""

import asyncio
import signal

import pytest

from recloser import State
from recloser.fsm.record import Cause, Origin
from tests.faults.feed import Feed, running
from tests.faults.lab import BOTH, Direction, Lab

pytestmark = pytest.mark.faults

WAYS = pytest.mark.parametrize(
    "ways",
    [BOTH, BOTH[:1], BOTH[1:]],
    ids=["both ways", "to the server", "to the client"],
)
Ways = tuple[Direction, ...]


async def back(lab: Lab, feed: Feed) -> None:
    """The network is well again, and so is the engine."""
    lab.restore()
    await feed.open()
    await feed.tick()


@pytest.mark.spec("F1.1", "F1.2", "G7.2")
@WAYS
async def test_while_open(lab: Lab, ways: Ways) -> None:
    await lab.serve()
    async with running() as feed:
        await feed.send(10)
        await feed.tick(12)  # a ping is answered
        lab.black_hole(*ways)
        await feed.send(10)
        close = await feed.ended()
        # What is sent again and again without our acknowledgement is data of the server's.
        expected = (Cause.HEARTBEAT, Cause.DEAF) if ways == BOTH[:1] else (Cause.HEARTBEAT,)
        assert close.cause in expected
        assert (close.origin, close.code) == (Origin.ENGINE, 1006)
        await feed.send(10)
        await back(lab, feed)
    lab.end()
    assert set(lab.received) == set(range(1, 31))


@pytest.mark.spec("F5", "B3")
@WAYS
async def test_while_connecting_and_in_backoff(lab: Lab, ways: Ways) -> None:
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick()
        lab.black_hole(*ways)
        feed.ws.reconnect()
        while (await feed.ended()).cause is not Cause.CONNECT_TIMEOUT:
            pass
        assert feed.ws.state is State.BACKOFF
        await feed.send(5)
        assert (await feed.ended()).cause is Cause.CONNECT_TIMEOUT, "in backoff nothing is noticed"
        await back(lab, feed)
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("A4.1", "A4.2")
@WAYS
async def test_while_closing(lab: Lab, ways: Ways) -> None:
    await lab.serve()
    async with running() as feed:
        await feed.send(3)
        await feed.ws.drain()
        await feed.tick()
        lab.black_hole(*ways)
        await feed.ws.close()
        assert feed.ws.state is State.CLOSED
        assert feed.closes[-1].intentional
        assert feed.causes[-1] is Cause.CLOSE_TIMEOUT
        lab.restore()
        feed.ws.connect()
        await feed.open()
    lab.end()


@pytest.mark.spec("F1.1")
async def test_a_server_that_is_stopped(lab: Lab) -> None:
    """Its kernel goes on acknowledging: TCP alone would wait for ever."""
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick(12)
        lab.signal(signal.SIGSTOP)
        await feed.send(5)
        assert (await feed.ended()).cause is Cause.HEARTBEAT
        # The kernel of the server still accepts; nobody answers the upgrade.
        assert (await feed.ended()).cause is Cause.CONNECT_TIMEOUT
        lab.signal(signal.SIGCONT)
        await feed.open()
        await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("B3", "F1.1")
async def test_a_router_that_says_unreachable(lab: Lab) -> None:
    """An open connection hears ICMP as a soft error; a dial fails at once."""
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick(12)
        lab.unreachable()
        await feed.send(5)
        assert (await feed.ended()).cause in (Cause.HEARTBEAT, Cause.RESET)
        close = await feed.ended()
        assert (close.cause, close.origin) == (Cause.TCP, Origin.NETWORK)
        await back(lab, feed)
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("B1.3", "G7.2")
async def test_a_server_that_is_killed_and_comes_back(lab: Lab) -> None:
    await lab.serve()
    async with running() as feed:
        for _ in range(2):
            await feed.send(5)
            await feed.tick()
            ended = asyncio.ensure_future(feed.ended())
            lab.signal(signal.SIGKILL)
            close = await ended
            assert (close.code, close.origin) == (1006, Origin.NETWORK)
            assert close.cause in (Cause.EOF, Cause.RESET)
            await feed.send(5)
            await lab.serve()
            await feed.open()
            await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 21))
