"""`Wire.intercept`: each message is heard as it arrives, whoever reads, and may be kept back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PING, PONG, close_frame, frame, text
from recloser.transport import Heartbeat
from recloser.transport.errors import ConcurrentReceive
from recloser.transport.receive_buffer import LIMIT, OVERHEAD
from tests.transport.link import Link, linked, turns, until

pytestmark = pytest.mark.spec("G7.5")

Factory = Callable[[], asyncio.AbstractEventLoop]
BURST = 5_000
"""Messages that would fill the receive buffer, if they were kept: more than LIMIT allows."""
assert BURST * OVERHEAD > LIMIT


class Ear:
    """Keeps acknowledgements back, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []

    def has(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.heard) == count

    def __call__(self, message: str | bytes) -> str | bytes | None:
        self.heard.append(message)
        return None if message[:3] in ("ack", b"ack") else message


@asynccontextmanager
async def listening(**options: object) -> AsyncIterator[tuple[Link, Ear]]:
    """A connection to whose messages an ear listens from the start."""
    async with linked(**options) as link:  # type: ignore[arg-type]  # they are those of linked
        ear = Ear()
        link.wire.intercept(ear)
        yield link, ear


async def test_messages_are_heard_when_nobody_consumes(loop_factory: Factory) -> None:
    async with listening() as (link, ear):
        await link.peer.send(text("ack 1") + text("a") + frame(2, b"ack 2") + frame(2, b"b"))
        await until(ear.has(4))
        assert ear.heard == ["ack 1", "a", b"ack 2", b"b"]
        assert link.wire.unread == 2
        assert [await link.receive(), await link.receive()] == ["a", b"b"]


async def test_messages_are_heard_while_a_consumer_is_parked(loop_factory: Factory) -> None:
    async with listening() as (link, ear):
        for number in range(5):
            waiting = asyncio.create_task(link.receive())
            await turns()
            await link.peer.send(text(f"ack {number}") * 2)
            await until(ear.has(3 * number + 2))
            assert not waiting.done()
            await link.peer.send(text(f"{number}"))
            assert await waiting == str(number)


async def test_messages_are_heard_while_a_consumer_is_busy_with_one(
    loop_factory: Factory, no_ticks: None
) -> None:
    """At once, not when the consumer comes back or the wire is looked after."""
    async with listening() as (link, ear):
        for number in range(3):
            await link.peer.send(text(str(number)))
            assert await link.receive() == str(number)
            await link.peer.send(text(f"ack {number}") + frame(PING, b"there?"))
            assert await link.peer.frame() == (PONG, b"there?")
            assert ear.heard[-1] == f"ack {number}"
        await link.peer.send(close_frame(4000))
        assert (await link.end()).code == 4000


async def test_messages_that_waited_before_are_heard_and_keep_their_order(
    loop_factory: Factory,
) -> None:
    ear = Ear()
    first = text("ack 1") + text("a") + text("ack 2") + text("b")
    async with linked(tail=first) as link:
        await until(lambda: link.wire.unread == 4)
        link.wire.intercept(ear)
        assert ear.heard == ["ack 1", "a", "ack 2", "b"]
        assert link.wire.unread == 2
        await link.peer.send(text("ack 3") + text("c"))
        assert [await link.receive() for _ in range(3)] == ["a", "b", "c"]
        assert ear.heard[4:] == ["ack 3", "c"]


async def test_what_is_kept_back_makes_room_for_what_did_not_fit(loop_factory: Factory) -> None:
    """Reading had stopped; it goes on without a consumer, and nothing was lost or swapped."""
    ear = Ear()
    async with linked() as link:
        count = 0
        while not link.wire.full:
            await link.peer.send(text("ack".ljust(10_000)))
            count += 1
            await turns()
        await link.peer.send(text("a") + text("ack last"))
        link.wire.intercept(ear)
        assert not link.wire.full
        await until(ear.has(count + 2))
        assert link.wire.unread == 1
        assert await link.receive() == "a"


async def test_any_number_is_kept_back_and_fills_no_buffer(loop_factory: Factory) -> None:
    async with listening() as (link, ear):
        for start in range(0, BURST, 100):
            await link.peer.send(b"".join(text(f"ack {start + n}") for n in range(100)))
            await turns()
        await link.peer.send(text("a") + frame(PING, b"still there?"))
        assert await link.peer.frame() == (PONG, b"still there?")
        assert not link.wire.full
        assert link.wire.unread == 1
        assert ear.heard == [*(f"ack {n}" for n in range(BURST)), "a"]


@pytest.mark.spec("F7.1")
@pytest.mark.parametrize("consuming", [False, True])
async def test_pings_are_answered_and_a_close_is_noticed_between_them(
    loop_factory: Factory, *, consuming: bool
) -> None:
    async with listening() as (link, ear):
        waiting = asyncio.create_task(link.receive()) if consuming else None
        await turns()
        await link.peer.send(text("ack 1") + frame(PING, b"one") + text("ack 2"))
        assert await link.peer.frame() == (PONG, b"one")
        await link.peer.send(text("ack 3") + close_frame(4000, "enough"))
        close = await link.end()
        assert (close.code, close.reason, close.clean) == (4000, "enough", True)
        assert ear.heard == ["ack 1", "ack 2", "ack 3"]
        assert link.wire.unread == 0
        if waiting is not None:
            assert await waiting is None


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("consuming", [False, True])
async def test_what_came_before_a_cut_is_heard(
    loop_factory: Factory, how: str, *, consuming: bool
) -> None:
    async with listening() as (link, ear):
        waiting = asyncio.create_task(link.receive()) if consuming else None
        await turns()
        await link.peer.send(text("ack 1") + text("ack 2"))
        if how == "fin":
            link.peer.fin()
        else:
            await until(ear.has(2))  # a reset may overtake what is on the way
            link.peer.reset()
        assert (await link.end()).cause in (Cause.EOF, Cause.RESET)
        assert ear.heard == ["ack 1", "ack 2"]
        if waiting is not None:
            assert await waiting is None


@pytest.mark.spec("F8.1")
async def test_a_consumer_that_cancels_loses_nothing_and_nothing_is_heard_twice(
    loop_factory: Factory,
) -> None:
    async with listening() as (link, ear):
        got = []
        for number in range(20):
            waiting = asyncio.create_task(link.receive())
            await turns()
            await link.peer.send(text(f"ack {number}") + text(str(number)))
            await turns(number % 5)
            waiting.cancel()
            try:
                got.append(await waiting)
            except asyncio.CancelledError:
                got.append(await link.receive())
        assert got == [str(number) for number in range(20)]
        assert ear.heard == [each for n in range(20) for each in (f"ack {n}", str(n))]


@pytest.mark.spec("F8.2")
async def test_who_is_parked_when_the_listening_starts_stays_the_only_one(
    loop_factory: Factory,
) -> None:
    """A task of `on_open` that receives for good: a second reader would break the connection."""
    async with linked() as link:
        first = asyncio.create_task(link.receive())
        await turns()
        link.wire.intercept(Ear())
        with pytest.raises(ConcurrentReceive):
            await link.receive()
        await link.peer.send(text("a") + text("b"))
        assert await first == "a"
        assert await link.receive() == "b"
        assert link.told == []


async def test_who_listens_may_end_the_connection(loop_factory: Factory) -> None:
    """A matcher that finds "go elsewhere", say: what is behind it is read once."""
    async with linked() as link:
        heard = []

        def hear(message: str | bytes) -> str | bytes:
            heard.append(message)
            link.wire.close(4000, "")
            return message

        link.wire.intercept(hear)
        await link.peer.send(text("a") + text("b") + text("c"))
        assert await link.peer.close_seen() == (4000, "")
        await link.peer.send(text("d") + close_frame(4000))
        assert (await link.end()).clean
        assert heard == ["a", "b", "c", "d"]
        assert await link.all() == ["a", "b", "c", "d"]


@pytest.mark.spec("F1.1")
async def test_what_is_kept_back_counts_as_a_sign_of_life(loop_factory: Factory) -> None:
    """Also where frames are counted, as on systems whose kernel does not tell."""
    async with listening(heartbeat=Heartbeat(0.03, 0.25, "ping"), ask_kernel=False) as (link, ear):
        for number in range(12):
            assert await link.peer.frame() == (1, b"ping")  # a silent peer gets one, and the end
            await link.peer.send(text(f"ack {number}"))
        assert len(ear.heard) >= 11
        assert link.told == []
