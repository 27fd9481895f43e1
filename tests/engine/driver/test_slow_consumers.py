"""Nothing received is lost: slow consumers over many generations, on scripted and real wires."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import structlog
import uvloop
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

import recloser
from recloser import Close, Retry, State
from recloser.testing import Plan, ScriptedTransport, ScriptedWire, run
from recloser.transport import Request, receive_buffer
from tests.engine.rig import CUT, UP, URL, Answering, ended, opened, pass_time, turns, virtual
from tests.engine.served import PATIENCE, serving, upgraded

LIMIT, ARRIVED, LARGEST = 1000, 500, 400
DELIVER = st.tuples(st.just("deliver"), st.integers(0, LARGEST))
STEPS = st.one_of(
    DELIVER,
    DELIVER,
    st.tuples(st.just("take"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["park", "tick", "tick"]), st.just(0)),
    st.tuples(st.sampled_from(["cut", "cut", "reconnect", "suspend", "close"]), st.just(0)),
    st.tuples(st.sampled_from(["open", "open", "turn"]), st.just(0)),
)


class Peer(ScriptedTransport):
    """A peer that obeys TCP: what a wire does not read stays with it, until the wire closes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[int, int]] = []
        self.arrived: dict[int, int] = {}
        """Bytes of each generation, as the receive buffer counts them."""

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> ScriptedWire:
        self._plans = iter([Plan()])
        return await super().dial(request, ended)

    def deliver(self, size: int) -> None:
        if not self.live:
            return
        generation = len(self.wires)
        text = f"{generation}:{len(self.sent)}:".ljust(size, "x")
        self.sent.append((generation, len(self.sent)))
        before = self.arrived.get(generation, 0)
        self.arrived[generation] = before + len(text) + receive_buffer.OVERHEAD
        self.live[-1].deliver(text)


def place(message: str | bytes) -> tuple[int, int]:
    generation, number, _ = str(message).split(":", 2)
    return int(generation), int(number)


class Story:
    """An engine with a small receive buffer, its peer, and its slow consumer."""

    def __init__(self, unread: Any, when_full: Any) -> None:
        self.peer = Peer()
        self.ws = recloser.connect(
            URL,
            transport=self.peer,
            policy=Answering(Retry(1.0)),
            unread=unread,
            receive_buffer=LIMIT,
            when_full=when_full,
        )
        self.drops = when_full == "drop-oldest"
        self.got: list[tuple[int, int]] = []
        self.parked: asyncio.Future[None] | None = None

    async def receive(self) -> None:
        self.got.append(place(await self.ws.receive()))

    async def step(self, name: str, amount: int) -> None:
        match name:
            case "deliver":
                self.peer.deliver(amount)
            case "take":
                await self.take(amount)
            case "park" if self.parked is None or self.parked.done():
                self.parked = asyncio.ensure_future(ended(self.receive()))
            case "tick" if self.peer.live:
                self.peer.live[-1].read_ahead()  # as the ticker does, twice a second
            case "cut" if self.peer.live:
                self.peer.live[-1].end(CUT)
            case "open":
                self.ws.connect()
                await pass_time(2.0)
            case "reconnect" if self.ws.state is not State.CLOSED:
                self.ws.reconnect()
                await pass_time(2.0)
            case "suspend" | "close":
                await getattr(self.ws, name)()
            case _:
                await turns()

    async def take(self, count: int) -> None:
        """Receive what is there; another receiver may wait already."""
        with suppress(TimeoutError, recloser.RecloserError):
            for _ in range(count):
                async with asyncio.timeout(0):
                    await self.receive()

    @property
    def held(self) -> int:
        """Bytes in the receive buffer, over all generations."""
        remainder = self.ws._driver.inbound._remainder
        earlier = 0 if remainder is None else remainder.buffer.size
        return earlier + sum(wire.received.size for wire in self.peer.wires)

    @property
    def bound(self) -> int:
        """One message beyond both bounds, or all of one connection where nothing else is left."""
        if self.drops:
            return LIMIT
        several = LIMIT + ARRIVED + LARGEST + receive_buffer.OVERHEAD
        return max(several, *self.peer.arrived.values(), 0)

    async def finish(self) -> None:
        await self.ws.close()
        if self.parked is not None:
            await self.parked
        with suppress(recloser.ConnectionClosed):
            while True:
                await self.receive()


@pytest.mark.spec("C3.2", "C3.3", "C3.4", "C3.5", "C3.6", "C3.7", "F7.5")
@given(
    st.lists(STEPS, min_size=20, max_size=60),
    st.sampled_from(["keep", "discard"]),
    st.sampled_from(["pause", "drop-oldest"]),
)
def test_what_is_received_is_given_in_order_or_counted(
    steps: list[tuple[str, int]], unread: str, when_full: str
) -> None:
    async def tell() -> None:
        story = Story(unread, when_full)
        await story.step("open", 0)
        for name, amount in steps:
            await story.step(name, amount)
            assert story.held <= story.bound
        await story.finish()
        got, lost = story.got, story.ws.statistics().undelivered
        assert got == sorted(set(got)), "out of order, or twice"
        assert set(got) <= set(story.peer.sent)
        assert len(got) + lost == len(story.peer.sent)
        if unread == "keep" and sum(story.peer.arrived.values()) < LIMIT:
            assert lost == 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receive_buffer, "ARRIVED", ARRIVED)  # small, so that it is reached
        run(tell())


@pytest.mark.spec("C3.5")
@virtual
async def test_the_next_connection_is_read_as_soon_as_there_is_room() -> None:
    four = Plan(messages=("a", "b", "c", "d"))
    ws, wire, transport = await opened(
        four, four, policy=Answering(Retry(1.0)), receive_buffer=3 * (1 + receive_buffer.OVERHEAD)
    )
    wire.end(CUT)
    await pass_time(2)
    following = transport.wires[-1]
    assert ws.state is State.OPEN
    for read, message in enumerate(four.messages):
        assert await ws.receive() == message
        assert following.received.full
        assert len(following.received.messages) == read
    assert [await ws.receive() for _ in range(4)] == ["a", "b", "c", "d"]
    await ws.close()


@pytest.mark.spec("F7.6", "C3.7")
@virtual
async def test_the_oldest_messages_give_way_and_the_bound_holds_over_generations() -> None:
    size = 72
    room = 10 * (size + receive_buffer.OVERHEAD)
    ws, wire, transport = await opened(
        UP,
        UP,
        policy=Answering(Retry(1.0)),
        receive_buffer=room,
        when_full="drop-oldest",
        fields={"user": "ada"},
    )
    with structlog.testing.capture_logs() as lines:
        for number in range(15):
            wire.deliver(f"1:{number}:".ljust(size, "x"))
        wire.read_ahead()
        assert (wire.unread, ws.statistics().undelivered) == (10, 5)
        wire.end(CUT)
        await pass_time(2)
        assert ws.state is State.OPEN
        for number in range(4):
            transport.wires[-1].deliver(f"2:{number}:".ljust(size, "x"))
        transport.wires[-1].read_ahead()
        assert ws.statistics().undelivered == 9
    told = [each for each in lines if each["event"] == "websocket.receive_buffer_full"]
    assert [(each["bytes"], each["user"]) for each in told] == [(room, "ada")] * 2
    assert [each["count"] for each in lines if "undelivered" in each["event"]] == [5]
    got = [place(await ws.receive()) for _ in range(10)]
    assert got == [(1, n) for n in range(9, 15)] + [(2, n) for n in range(4)]
    await ws.close()
    assert ws.statistics().undelivered == 9


@pytest.mark.spec("F7.6")
def test_the_newest_message_stays_however_large_it_is() -> None:
    told: list[int] = []
    buffer = receive_buffer.ReceiveBuffer()
    buffer.limit, buffer.drops = 10, lambda: told.append(buffer.excess)
    for size in (1, 2, 3000):
        buffer.receive(bytes(size), last=False)
        assert not buffer.full
    assert list(buffer.messages) == [bytes(3000)]
    assert (buffer.excess, told) == (2, [1])
    buffer.pop()
    assert buffer.size == 0
    for _ in range(2):
        buffer.receive(b"", last=False)
    assert (buffer.excess, told) == (3, [1, 3])


COUNT, LIVES = 40, 5


@pytest.mark.spec("C3.2", "C3.3", "C3.5")
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("size", [10, 20_000])
def test_a_slow_consumer_gets_all_of_many_lives(
    new_loop: Callable[[], asyncio.AbstractEventLoop], size: int
) -> None:
    """Each life sends forty messages and closes; the consumer takes one when a life has begun."""
    lives = iter(range(LIVES))

    async def life(request: web.Request) -> web.WebSocketResponse:
        ws = await upgraded(request)
        number = next(lives, LIVES)
        for each in range(COUNT if number < LIVES else 1):
            await ws.send_str(f"{number}:{each}:".ljust(size, "x"))
        if number < LIVES:
            await ws.close(code=1012)
        else:
            await ws.receive()
        return ws

    async def story() -> None:
        got: list[tuple[int, int]] = []
        async with asyncio.timeout(PATIENCE), serving(life) as url:
            policy = Answering(Retry(0.01))
            async with recloser.connect(url, policy=policy, receive_buffer=100_000) as ws:
                while (LIVES, 0) not in got:
                    got.append(place(await ws.receive()))
                    for _ in range(5):  # slower than the server, at whatever speed it runs
                        await asyncio.sleep(0)
                assert ws.statistics().undelivered == 0
        assert got == [(life, n) for life in range(LIVES) for n in range(COUNT)] + [(LIVES, 0)]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(story())
