"""Numbered messages to a real server that counts them, through one fault after the other."""

import asyncio
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
import uvloop

import recloser
from recloser import Delivery, Outbox, Retry
from recloser.driver.statistics import Statistics
from recloser.testing.doubles.raw_server import CLOSE, close_frame
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import raw_server as serving
from tests.engine.rig import PATIENT, Answering, Hasty

GENTLE = ("close", "client")
"""Faults after which the server reads what had left: it must be all, once, in order."""
ROUGH = (*GENTLE, "fin", "reset")
PATIENCE = 120.0

Factory = Callable[[], asyncio.AbstractEventLoop]


class Counting:
    """A server that plays a fault on each connection after a random number of messages."""

    def __init__(self, server: Server, faults: list[str], seed: int) -> None:
        self.server = server
        self.faults = faults
        self.random = random.Random(seed)
        self.got: list[list[int]] = []
        self.played: list[str] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as readers:
            for fault in [*self.faults, "none"]:
                peer = await self.server.accept()
                await peer.upgrade()
                got: list[int] = []
                self.got.append(got)
                self.played.append(fault)
                await self.play(peer, got, fault, readers)

    async def play(
        self, peer: Peer, got: list[int], fault: str, readers: asyncio.TaskGroup
    ) -> None:
        count = None if fault == "none" else self.random.randrange(1, 150)
        open_still = await self.read(peer, got, count)
        if not open_still:
            return
        for _ in range(100):
            await asyncio.sleep(0)  # nobody reads: the client's buffer fills
        if fault == "reset":
            peer.reset()
        elif fault == "close":
            code = self.random.choice([1000, 1001, 1006, 1011, 1012, 4000])
            await peer.send(close_frame(code))
        elif fault == "fin":
            peer.fin()
        if fault != "reset":
            # While it reads what is left, the client may be on its next connection.
            readers.create_task(self.read(peer, got, None))

    async def read(self, peer: Peer, got: list[int], count: int | None) -> bool:
        """Read so many messages, or all; whether the connection is still open then."""
        with suppress(EOFError, ConnectionError):
            while count is None or count > 0:
                opcode, payload = await peer.frame()
                if opcode == CLOSE:
                    with suppress(OSError):
                        await peer.send(close_frame(1000))
                        peer.fin()
                    return False
                got.append(int(payload[:6]))
                count = None if count is None else count - 1
            return True
        return False


def shrunken(address: Any) -> socket.socket:
    """A socket that passes on little, so that much waits in the process."""
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return made


async def consume(ws: recloser.ReconnectingWebSocket) -> None:
    """Notice a close at once, as a service does that receives."""
    async for _ in ws:
        pass


async def through(
    faults: list[str], messages: int, seed: int
) -> tuple[Counting, list[Delivery], Statistics]:
    """Send numbered messages through the faults."""
    chance = random.Random(seed)
    async with serving(receive_buffer=4096) as server:
        counting = Counting(server, faults, seed)
        task = asyncio.create_task(counting.run())
        outcomes = []
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=shrunken))
        async with (
            session,
            recloser.connect(
                server.url,
                session=session,
                heartbeat=None,
                policy=Answering(Retry(0.1)),
                clock=Hasty(),
                timeouts=PATIENT,
                outbox=Outbox(max_messages=200),
            ) as ws,
        ):
            consumer = asyncio.create_task(consume(ws))
            for number in range(messages):
                text = f"{number:06}" + "x" * chance.randrange(3000)
                outcomes.append(await ws.send(text))
                if counting.played and counting.played[-1] == "client" and chance.random() < 0.05:
                    ws.reconnect(4000)
            while len(counting.played) <= len(faults):
                # The faults that are left.
                outcomes.append(await ws.send(f"{len(outcomes):06}"))
                if counting.played and counting.played[-1] == "client":
                    ws.reconnect(4000)
                await asyncio.sleep(0)
            await ws.drain()
        await task
        await consumer
        assert ws.statistics().dropped == 0
        return counting, outcomes, ws.statistics()


def run(factory: Factory, faults: list[str], messages: int, seed: int) -> None:
    async def story() -> tuple[Counting, list[Delivery], Statistics]:
        async with asyncio.timeout(PATIENCE):
            return await through(faults, messages, seed)

    with asyncio.Runner(loop_factory=factory) as runner:
        counting, outcomes, statistics = runner.run(story())
    assert set(outcomes) <= {Delivery.SENT, Delivery.QUEUED}
    last, since = -1, {"start"}
    for got, fault in zip(counting.got, counting.played, strict=True):
        assert all(after == before + 1 for before, after in pairwise(got))
        if got:
            # What a reset finds in the kernels is gone, and nobody can know. After it and after
            # a FIN the count is an upper bound, so messages may be repeated. Nothing else is.
            assert got[0] <= last + 1 or "reset" in since
            assert got[0] > last or since & {"reset", "fin"}
            last, since = got[-1], set()
        since.add(fault)
    assert last == len(outcomes) - 1
    assert statistics.resent > 0


LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.spec("G1.2", "G3.1", "G4.1", "G4.3")
@pytest.mark.parametrize("factory", LOOPS)
def test_every_message_arrives_once_in_order_through_every_gentle_fault(factory: Factory) -> None:
    faults = [*GENTLE] * 6
    random.Random(1).shuffle(faults)
    run(factory, faults, 1_500, seed=1)


@pytest.mark.spec("G1.2", "G3.1", "G4.1")
@pytest.mark.parametrize("factory", LOOPS)
def test_rough_faults_lose_at_most_what_had_left(factory: Factory) -> None:
    run(factory, ["fin", "reset", "close", "fin", "reset", "client"], 800, seed=2)


@pytest.mark.slow
@pytest.mark.spec("G1.2", "G3.1", "G4.1")
@pytest.mark.parametrize("factory", LOOPS)
@pytest.mark.parametrize("rough", [False, True])
def test_ten_thousand_messages_through_a_hundred_faults(factory: Factory, rough: bool) -> None:
    chance = random.Random(3)
    kinds = ROUGH if rough else GENTLE
    run(factory, [chance.choice(kinds) for _ in range(100)], 10_000, seed=3)
