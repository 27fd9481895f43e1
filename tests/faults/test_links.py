"""Links that go and come back, addresses that vanish, routes that change, paths that narrow."""

import asyncio
import socket
from contextlib import contextmanager

import pytest
from aiohttp import ClientSession, TCPConnector

import recloser
from recloser import State
from recloser.fsm.record import Cause, Origin
from tests.faults.feed import running
from tests.faults.lab import HERE, HERE6, PORT, SECOND, THERE, THERE6, Lab, ip

pytestmark = pytest.mark.faults

URL6 = f"ws://[{THERE6}]:{PORT}/"
ROUTE = "route replace 10.8.0.0/24 via 10.7.0.254\n"
ROUTE6 = "route replace fd08::/64 via fd07::fe\n"


@pytest.mark.spec("F2", "F9.1")
async def test_a_flap_shorter_than_the_heartbeat_ends_nothing(lab: Lab) -> None:
    """Addresses of IPv4 stay with a link that is down."""
    await lab.serve()
    async with running() as feed:
        with recloser.hints.network(feed.ws.wake, debounce=0.05):
            await feed.send(10)
            await feed.tick()
            ip("link set here0 down\n")
            await feed.send(10)
            ip(f"link set here0 up\n{ROUTE}")
            await feed.ws.drain()
            await feed.tick(5)
        assert not feed.closes
    lab.end()
    assert set(lab.received) == set(range(1, 21))


@pytest.mark.spec("F9.1", "F9.2", "F1.1")
@pytest.mark.parametrize("hinted", [True, False], ids=["hint", "heartbeat"])
async def test_the_address_of_ipv6_vanishes_with_its_link(lab: Lab, *, hinted: bool) -> None:
    await lab.serve()
    async with running(URL6) as feed:
        wake = feed.ws.wake if hinted else list
        with recloser.hints.network(wake, debounce=0.05):
            await feed.send(10)
            await feed.tick(12)
            ended = asyncio.ensure_future(feed.ended())
            ip("link set here0 down\nlink set here0 up\n")
            close = await ended
            if hinted:
                assert (close.cause, close.origin) == (Cause.RESET, Origin.NETWORK)
            else:
                assert (close.cause, close.origin) == (Cause.HEARTBEAT, Origin.ENGINE)
            await feed.send(10)
            ip(f"address add {HERE6}/64 dev here0 nodad\n{ROUTE6}{ROUTE}")
            await feed.open()
            await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 21))


@pytest.mark.spec("F9.1", "F9.2")
async def test_an_address_is_taken_away_and_another_one_given(lab: Lab) -> None:
    await lab.serve()
    async with running() as feed:
        with recloser.hints.network(feed.ws.wake, debounce=0.05):
            await feed.send(10)
            await feed.tick()
            ended = asyncio.ensure_future(feed.ended())
            ip(f"address delete {HERE}/24 dev here0\naddress add 10.7.0.7/24 dev here0\n{ROUTE}")
            close = await ended
            assert (close.cause, close.origin) == (Cause.RESET, Origin.NETWORK)
            await feed.send(10)
            await feed.open()
            await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 21))


@pytest.mark.spec("F2")
async def test_another_route_to_the_server_ends_nothing(lab: Lab) -> None:
    await lab.serve()
    async with running() as feed:
        await feed.send(10)
        await feed.tick()
        ip(f"route replace {THERE}/32 via 10.9.0.254\n")
        lab.router.ip(f"route add {HERE}/32 via {SECOND}\n")
        await feed.send(10)
        await feed.ws.drain()
        await feed.tick(25)
        assert not feed.closes
    lab.end()
    assert lab.received == list(range(1, 21))


@pytest.mark.spec("F1.1", "G7.2")
async def test_a_path_that_swallows_large_packets(lab: Lab) -> None:
    """Pings and ticks would pass, but stand in line behind the large message."""
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick(12)
        lab.there.ip("link set there0 mtu 700\n")  # shorter than what the router sends: dropped
        await feed.send(1, size=100_000)
        close = await feed.ended()
        assert close.cause in (Cause.HEARTBEAT, Cause.DEAF)
        lab.there.ip("link set there0 mtu 1500\n")
        await feed.open()
        await feed.ws.drain()
    lab.end()
    assert set(lab.received) == set(range(1, 7))


@contextmanager
def multipath():
    """Connections that the engine dials have a second path over `here1`."""

    def make(_: object) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
        return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())

    ip(
        "mptcp limits set subflow 2 add_addr_accepted 2\n"
        f"mptcp endpoint add {SECOND} dev here1 subflow\n"
        f"rule add from {SECOND} table 9\n"
        "route add default via 10.9.0.254 table 9\n"
    )
    yield make
    ip(f"mptcp endpoint flush\nrule delete from {SECOND} table 9\n")


@pytest.mark.spec("F3", "F1.1")
async def test_one_path_of_multipath_tcp_dies_and_then_the_other(lab: Lab) -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP).close()
    except OSError as error:
        pytest.skip(f"no Multipath TCP here: {error!r}")
    await lab.serve("--multipath")
    with multipath() as make:
        async with (
            ClientSession(connector=TCPConnector(socket_factory=make)) as session,
            running(session=session) as feed,
        ):
            await feed.send(10)
            await feed.ws.drain()
            await feed.tick(12)
            lab.router.ip(f"route add blackhole {HERE}/32\n")
            ip(f"route add blackhole {THERE}/32 table 8\nrule add from {HERE} table 8\n")
            await feed.send(10)
            # Longer than the heartbeat allows: the second path carries it all.
            await feed.tick(40)
            assert not feed.closes
            assert feed.ws.state is State.OPEN
            lab.router.ip(f"route add blackhole {SECOND}/32\n")
            assert (await feed.ended()).cause is Cause.HEARTBEAT
            ip(f"rule delete from {HERE} table 8\n")
            lab.restore()
            await feed.open()
            await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 21))
