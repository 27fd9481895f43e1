"""A wire in which nothing goes on is not looked at, and what ends that is noticed (F7)."""

import asyncio
import gc
import ssl
import weakref
from collections.abc import Callable
from math import inf
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PING, PONG, close_frame, frame, text
from recloser.transport import Heartbeat, ticker
from recloser.transport.socket_wire import SocketWire
from recloser.transport.ticker import TICK, Ticker
from tests.transport.link import Link, linked, until
from tests.transport.test_receiving import overrun

Factory = Callable[[], asyncio.AbstractEventLoop]
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
SECURE = pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
FAR = Heartbeat(interval=3600.0, timeout=3600.0)


def idle(link: Link) -> bool:
    return link.wire not in Ticker.of(asyncio.get_running_loop())._awake


async def until_idle(link: Link) -> None:
    await until(lambda: idle(link))


@pytest.mark.spec("F7.7", "F7.1")
@SECURE
@pytest.mark.parametrize("consumer", ["none", "parked", "gone"])
async def test_what_arrives_while_idle_is_noticed(
    loop_factory: Factory, tls: Contexts, *, secure: bool, consumer: str
) -> None:
    async with linked(heartbeat=FAR, tls=tls if secure else None) as link:
        waits = None if consumer == "none" else asyncio.create_task(link.receive())
        await until_idle(link)
        if waits is not None and consumer == "gone":
            waits.cancel()
            await asyncio.wait((waits,))
            assert not link.wire.busy
            assert idle(link)
        for _ in range(2):
            await link.peer.send(frame(PING, b"there?"))
            assert await link.peer.frame() == (PONG, b"there?")
            await until_idle(link)
        await link.peer.send(close_frame(4000))
        assert (await link.end()).code == 4000
        if waits is not None:
            await asyncio.wait((waits,))


@pytest.mark.spec("F7.7", "F7.1")
async def test_a_ping_behind_the_message_that_wakes_a_wire_is_answered(
    loop_factory: Factory,
) -> None:
    """The consumer takes the message, and is busy with it."""
    async with linked(heartbeat=FAR) as link:
        waits = asyncio.create_task(link.receive())
        await until_idle(link)
        await link.peer.send(text("a") + frame(PING, b"there?"))
        assert await waits == "a"
        assert await link.peer.frame() == (PONG, b"there?")


def looks_of(monkeypatch: pytest.MonkeyPatch) -> list[SocketWire]:
    """Return the wires that are looked at from now on, one entry for each look."""
    looks: list[SocketWire] = []
    tick = SocketWire.tick

    def look(wire: SocketWire) -> float:
        looks.append(wire)
        return tick(wire)

    monkeypatch.setattr(SocketWire, "tick", look)
    return looks


async def ticked(count: int) -> None:
    """Wait for so many ticks."""
    wires = Ticker.of(asyncio.get_running_loop())
    for _ in range(count):
        timer = wires._timer
        await until(lambda timer=timer: wires._timer is not timer)  # type: ignore[misc] # a default


@pytest.mark.spec("F7.7")
async def test_a_wire_with_messages_and_a_reader_is_not_looked_at(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linked(heartbeat=FAR) as link:
        consumer = asyncio.create_task(link.receive())
        await until_idle(link)
        await ticked(2)
        looks = looks_of(monkeypatch)
        for word in "many messages between two ticks":
            await link.peer.send(text(word))
            assert await consumer == word
            consumer = asyncio.create_task(link.receive())
            await link.wire.send(word)
            assert await link.peer.frame() == (1, word.encode())
        link.wire.probe()
        assert await link.peer.frame() == (PING, b"")
        await ticked(2)
        assert looks == []
        consumer.cancel()
        await asyncio.wait((consumer,))


@pytest.mark.spec("F7.7")
@pytest.mark.parametrize("reader", ["a consumer", "the wire"])
async def test_a_wire_that_is_read_from_the_beginning_needs_no_look(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    looks = looks_of(monkeypatch)
    async with linked(heartbeat=FAR) as link:
        consumer = None
        if reader == "a consumer":
            consumer = asyncio.create_task(link.receive())
            await asyncio.sleep(0)
        else:
            link.wire.read_ahead()
        await ticked(2)
        assert looks == []
        if consumer is not None:
            consumer.cancel()
            await asyncio.wait((consumer,))


@pytest.mark.spec("F7.8", "F7.1")
async def test_a_consumer_that_takes_a_message_and_stays_away_is_missed_at_the_next_tick(
    loop_factory: Factory,
) -> None:
    async with linked(heartbeat=FAR) as link:
        consumer = asyncio.create_task(link.receive())
        await until_idle(link)
        await ticked(2)
        await link.peer.send(text("a"))
        assert await consumer == "a"
        assert not link.wire.reading_ahead
        await ticked(2)
        assert link.wire.reading_ahead


@pytest.mark.spec("F7.2", "F7.3", "F7.7")
async def test_a_wire_whose_receive_buffer_is_full_is_looked_at(loop_factory: Factory) -> None:
    async with linked(heartbeat=FAR) as link:
        await until(lambda: link.wire.reading_ahead)
        await overrun(link)
        assert link.wire.full
        assert not idle(link)
        link.peer.reset()
        assert (await link.end()).cause is Cause.RESET


@pytest.mark.spec("F7.9")
async def test_no_call_stands_between_the_bytes_and_their_reader(loop_factory: Factory) -> None:
    async with linked(heartbeat=FAR) as link:
        await until_idle(link)
        before = link.wire._last_read
        assert before is not None
        ways = [each for each in ("data_received", "buffer_updated") if hasattr(before, each)]
        assert ways
        for way in ways:
            assert getattr(before, way) == getattr(before._protocol, way)


@pytest.mark.spec("F7.7", "F7.3")
async def test_a_connection_that_is_cut_while_idle_is_noticed(loop_factory: Factory) -> None:
    for fate in ("reset", "fin"):
        async with linked(heartbeat=FAR) as link:
            await until_idle(link)
            getattr(link.peer, fate)()
            assert (await link.end()).cause is (Cause.RESET if fate == "reset" else Cause.EOF)


@pytest.mark.spec("F7.7", "G4")
async def test_a_wire_with_something_to_send_is_not_idle(loop_factory: Factory) -> None:
    """The peer's end is not reported while bytes of ours are queued: only a tick sees it."""
    async with linked(heartbeat=FAR, receive_buffer=4096) as link:
        await link.wire.send("first")
        assert await link.peer.frame() == (1, b"first")
        await until_idle(link)
        sender = asyncio.create_task(link.wire.send(bytes(6_000_000)))
        await until(lambda: link.wire.outgoing._transport.get_write_buffer_size() > 0)
        assert not idle(link)
        assert await link.peer.frame() == (2, bytes(6_000_000))
        await sender
        await until_idle(link)
        assert link.wire.unsent_messages() == []


@pytest.mark.spec("F7.7", "F1.1")
async def test_silence_while_idle_is_noticed(loop_factory: Factory) -> None:
    async with linked(heartbeat=Heartbeat(interval=1.2, timeout=0.1)) as link:
        await until_idle(link)
        assert await link.peer.frame() == (PING, b"")
        assert (await link.end()).cause is Cause.HEARTBEAT


@pytest.mark.spec("F7.7", "F12.1")
async def test_a_heartbeat_that_is_set_while_idle_is_due_by_its_own_schedule(
    loop_factory: Factory,
) -> None:
    async with linked(heartbeat=FAR) as link:
        await until_idle(link)
        link.wire.set_heartbeat(Heartbeat(interval=1.2, timeout=0.1))
        assert idle(link)
        assert await link.peer.frame() == (PING, b"")


@pytest.mark.spec("F7.7")
async def test_a_wire_that_ended_is_freed_though_its_next_ping_is_an_hour_off() -> None:
    async with linked(heartbeat=FAR) as link:
        await until_idle(link)
        await link.peer.send(close_frame(4000))
        await link.end()
        wires = Ticker.of(asyncio.get_running_loop())
        assert not wires._wires
        assert not any(wires._due.values())
        assert link.wire.outgoing.sleeper is None


class Drowsy:
    """Idle from one moment to the next, and keeps when it was looked at."""

    def __init__(self, clock: SimpleNamespace, moments: list[float]) -> None:
        self.clock = clock
        self.moments = sorted(moments)
        self.looks: list[float] = []
        self.near = 0
        """How often the next moment was within a tick, so that the wire is awake until it comes."""
        self.busy = True

    def tick(self) -> float:
        assert self.near, "it is looked at, and nothing but a moment was due"
        self.near -= 1
        return self.due()

    def due(self) -> float:
        now = self.clock.now
        self.looks.append(now)
        following = next((each for each in self.moments if each > now), inf)
        self.near += following <= now + ticker.TICK
        return following

    def read_ahead(self) -> None:
        raise AssertionError("somebody reads")

    def probe(self) -> None:
        raise AssertionError("the machine did not sleep")

    def drop(self) -> None:
        raise AssertionError("the loop is not closed")


class Turns:
    """An event loop whose one timer is called by hand."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> "Turns":
        assert delay == ticker.TICK
        self.callback = callback
        return self

    def cancel(self) -> None:
        """There is nothing to forget."""


@pytest.mark.spec("F7.7")
@given(st.lists(st.lists(st.floats(0.0, 40.0), max_size=6), min_size=1, max_size=5))
def test_a_wire_is_looked_at_when_it_is_due_and_hardly_otherwise(
    moments: list[list[float]],
) -> None:
    clock = SimpleNamespace(now=0.0)
    times = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    turns = Turns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ticker, "time", times)
        patch.setattr(ticker, "TICK", TICK)
        wires = Ticker(cast("Any", turns))
        wires.drift = ticker.Drift(wall=times.time, monotonic=times.monotonic)
        sleepers = [Drowsy(clock, each) for each in moments]
        for sleeper in sleepers:
            wires.add(sleeper, min(sleeper.moments, default=inf))
        for _ in range(100):
            clock.now += TICK
            turns.callback()
        for sleeper in sleepers:
            for moment in sleeper.moments:
                # A wire that says "until then" is looked at within one tick before or after.
                assert any(abs(look - moment) <= TICK for look in sleeper.looks) or moment <= TICK
            assert len(sleeper.looks) <= 1 + 3 * len(sleeper.moments)
        gone = [weakref.ref(each) for each in sleepers]
        for sleeper in sleepers:
            wires.forget(sleeper)
        assert wires._timer is None
        sleepers.clear()
        del sleeper
        gc.collect()
        assert not any(each() for each in gone)
