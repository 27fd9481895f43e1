"""Acknowledgements over real sockets: whoever reads or does not, they are heard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import structlog

import recloser
from recloser import Acknowledgements, Outbox, Retry, State
from recloser.outbox import Message, UpTo
from recloser.testing.doubles.raw_server import (
    PING,
    PONG,
    RawPeer,
    close_frame,
    frame,
    raw_server,
    text,
)
from recloser.transport.receive_buffer import LIMIT, OVERHEAD
from tests.engine.rig import Answering

pytestmark = pytest.mark.spec("G7.5")

PATIENCE = 120.0
BURST = 5_000
"""Acknowledgements that would fill the receive buffer if they were kept."""
assert BURST * OVERHEAD > LIMIT

Engine = recloser.ReconnectingWebSocket


def matcher(message: str | bytes) -> Any:
    """`ack 3`, and `upto 3`; other messages are none of the outbox's."""
    word, _, number = str(message).partition(" ")
    if word == "fail":
        raise ValueError("a message that the matcher cannot read")
    return int(number) if word == "ack" else UpTo(int(number)) if word == "upto" else None


def render(message: Message) -> str:
    return f"{message.id}{'!' if message.redelivered else ''}:{message.data!s}"


class Peer:
    """The server's end of one connection, in words."""

    def __init__(self, raw: RawPeer) -> None:
        self.raw = raw

    async def got(self, count: int = 1) -> list[str]:
        """The next messages, as they came over the wire."""
        frames = [await self.raw.frame() for _ in range(count)]
        assert {opcode for opcode, _ in frames} <= {1}
        return [payload.decode() for _, payload in frames]

    async def say(self, *messages: str) -> None:
        """All in one segment."""
        await self.raw.send(b"".join(map(text, messages)))

    async def ponged(self) -> bool:
        """Whether a ping is answered; by then all that was said before has been read."""
        await self.raw.send(frame(PING, b"there?"))
        return await self.raw.frame() == (PONG, b"there?")

    async def close(self, code: int = 1012) -> None:
        """Close, and see the answer."""
        await self.raw.send(close_frame(code))
        assert (await self.raw.close_seen())[0] == code
        self.raw.fin()


Accept = Callable[..., Any]


@asynccontextmanager
async def pair(**options: Any) -> AsyncIterator[tuple[Engine, Accept]]:
    """An engine that holds messages until they are acknowledged, and what accepts for its peer."""
    on_open = options.pop("on_open", None)
    options = {"matcher": matcher, "render": render, **options}
    async with asyncio.timeout(PATIENCE), raw_server() as server:

        async def accept(*first: str) -> Peer:
            """Take the next connection; what is said first comes with the handshake."""
            raw = await server.accept()
            await raw.upgrade(tail=b"".join(map(text, first)))
            return Peer(raw)

        ws = recloser.connect(
            server.url,
            policy=Answering(Retry(0.001)),
            heartbeat=None,
            on_open=on_open,
            timeouts=recloser.Timeouts(close=0.05),
            outbox=Outbox(acknowledgements=Acknowledgements(**options)),
        )
        ws.connect()
        try:
            yield ws, accept
        finally:
            leaving = asyncio.ensure_future(ws.close())
            for raw in server.peers[-1:]:
                with suppress(EOFError, OSError):
                    await raw.close_seen()
                    await raw.send(close_frame(1000))
            await leaving


async def opened(ws: Engine, accept: Accept, *first: str) -> Peer:
    peer: Peer = await accept(*first)
    await ws.wait_for(State.OPEN)
    return peer


def held(ws: Engine) -> list[Any]:
    return [message.id for message in ws.outbox.peek()]


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_heard_when_nobody_consumes() -> None:
    async with pair() as (ws, accept):
        peer = await opened(ws, accept)
        for word in ("a", "b", "c"):
            await ws.send(word)
        assert await peer.got(3) == ["1:a", "2:b", "3:c"]
        await peer.say("ack 1", "news", "ack 3")
        assert await peer.ponged()
        assert held(ws) == [2]
        await peer.say("ack 2")
        await ws.drain()
        assert await ws.receive() == "news"


@pytest.mark.parametrize("iterating", [False, True])
async def test_heard_while_a_consumer_is_parked_and_the_rest_is_given_in_order(
    iterating: bool,
) -> None:
    got: list[str | bytes] = []
    take = got.append

    async def consume(ws: Engine) -> None:
        if iterating:
            async for message in ws:
                take(message)
        while True:
            take(await ws.receive())

    async with pair() as (ws, accept):
        peer = await opened(ws, accept)
        consumer = asyncio.create_task(consume(ws))
        await turns()
        for number in range(1, 31):
            await ws.send("order")
            assert await peer.got() == [f"{number}:order"]
            await peer.say(f"news {number}", f"ack {number}", f"more {number}")
            await ws.drain()
        assert await peer.ponged()
        assert got == [f"{word} {n}" for n in range(1, 31) for word in ("news", "more")]
        assert ws.statistics().acknowledged == 30
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer


async def test_heard_when_said_before_the_connection_is_open() -> None:
    """With the handshake, and while `on_open` runs: what is settled does not go out again."""
    go_on = asyncio.Event()

    async def on_open(opening: recloser.Opening) -> None:
        if opening.generation > 1:
            await go_on.wait()

    async with pair(on_open=on_open) as (ws, accept):
        first = await opened(ws, accept)
        for word in ("a", "b", "c", "d"):
            await ws.send(word)
        await first.got(4)
        await first.close()
        second = await accept("news 1", "ack 1", "ack 3")
        await second.say("news 2", "ack 4")
        assert await second.ponged()
        assert ws.state is State.CONNECTING
        assert held(ws) == [1, 2, 3, 4]
        go_on.set()
        await ws.wait_for(State.OPEN)
        assert held(ws) == [2]
        assert await second.got() == ["2!:b"]
        assert [await ws.receive(), await ws.receive()] == ["news 1", "news 2"]


async def test_what_on_open_receives_itself_is_its_own() -> None:
    """It may say what it found by `ws.outbox.ack`, before anything is sent again."""
    engines: list[Engine] = []

    async def resumed(opening: recloser.Opening) -> None:
        if opening.generation > 1:
            word, number = str(await opening.receive()).split()
            assert (word, engines[0].outbox.ack(int(number), up_to=True)) == ("ack", 2)

    async with pair(on_open=resumed) as (ws, accept):
        engines.append(ws)
        first = await opened(ws, accept)
        for word in ("a", "b", "c"):
            await ws.send(word)
        await first.got(3)
        await first.close()
        second = await opened(ws, accept, "ack 2")
        assert await second.got() == ["3!:c"]


@pytest.mark.parametrize("consuming", [False, True])
async def test_passed_on_if_so_asked(consuming: bool) -> None:
    async with pair(pass_on=True) as (ws, accept):
        peer = await opened(ws, accept)
        await ws.send("a")
        await peer.got()
        waiting = asyncio.ensure_future(ws.receive()) if consuming else None
        await turns()
        await peer.say("ack 1", "news", "ack 1")
        await ws.drain()
        first = await (ws.receive() if waiting is None else waiting)
        assert [first, await ws.receive(), await ws.receive()] == ["ack 1", "news", "ack 1"]


@pytest.mark.spec("F7.1")
async def test_pings_are_answered_and_a_close_is_noticed_with_nobody_consuming() -> None:
    async with pair() as (ws, accept):
        peer = await opened(ws, accept)
        await ws.send("a")
        await ws.send("b")
        await peer.got(2)
        assert await peer.ponged()
        await peer.say("ack 1")
        assert await peer.ponged()
        await peer.say("ack 2")
        await peer.close(4000)
        again = await opened(ws, accept)
        assert ws.last_close is not None
        assert ws.last_close.code == 4000
        assert held(ws) == []
        await ws.send("c")
        assert await again.got() == ["3:c"]


async def test_any_number_of_them_fills_no_receive_buffer() -> None:
    """Nobody consumes: were they kept, reading would stop, and the last never be heard."""
    async with pair(window=BURST) as (ws, accept):
        peer = await opened(ws, accept)

        async def serve() -> None:
            for number in range(1, BURST + 1):
                assert await peer.got() == [f"{number}:"]
                await peer.say(f"ack {number}")

        serving = asyncio.create_task(serve())
        for _ in range(BURST):
            await ws.send("")
        await ws.drain()
        await serving
        assert ws.statistics().acknowledged == BURST
        assert await peer.ponged()


async def test_a_matcher_that_raises_harms_nobody_and_its_message_is_received() -> None:
    async with pair() as (ws, accept):
        peer = await opened(ws, accept)
        await ws.send("a")
        await peer.got()
        with structlog.testing.capture_logs() as lines:
            await peer.say("fail 1", "ack 1", "fail 2")
            await ws.drain()
            assert [await ws.receive(), await ws.receive()] == ["fail 1", "fail 2"]
        assert [line["event"] for line in lines] == ["websocket.listener_failed"] * 2
        assert ws.generation == 1


async def test_a_matcher_may_leave_the_connection() -> None:
    """A "go elsewhere" in-band: what comes behind it in the same segment is heard as ever."""
    elsewhere: list[Engine] = []

    def leaving(message: str | bytes) -> Any:
        if message == "go elsewhere":
            elsewhere[0].reconnect(4000)
        return matcher(message)

    async with pair(matcher=leaving) as (ws, accept):
        elsewhere.append(ws)
        first = await opened(ws, accept)
        await ws.send("a")
        await ws.send("b")
        await first.got(2)
        await first.say("go elsewhere", "ack 1")
        assert await first.raw.close_seen() == (4000, "")
        await first.raw.send(close_frame(4000))
        first.raw.fin()
        second = await opened(ws, accept)
        assert await second.got() == ["2!:b"]
        assert ws.last_close is not None
        assert ws.last_close.clean


@pytest.mark.spec("G7.1")
async def test_one_for_all_before_it() -> None:
    async with pair() as (ws, accept):
        first = await opened(ws, accept)
        for word in ("a", "b", "c"):
            await ws.send(word)
        await first.got(3)
        await first.say("upto 2")
        assert await first.ponged()
        assert held(ws) == [3]
        await first.close()
        second = await opened(ws, accept)
        await ws.send("d")
        assert await second.got(2) == ["3!:c", "4:d"]
        await second.say("upto 4")
        await ws.drain()


@pytest.mark.spec("G7.3")
async def test_the_peer_never_has_more_than_a_window_on_its_way() -> None:
    async with pair(window=3) as (ws, accept):
        peer = await opened(ws, accept)
        for number in range(9):
            await ws.send(str(number))
        assert await peer.got(3) == ["1:0", "2:1", "3:2"]
        for number in range(4, 10):
            assert await peer.ponged()  # in the place of another message
            await peer.say(f"ack {number - 3}")
            assert await peer.got() == [f"{number}:{number - 1}"]
        assert await peer.ponged()
        await peer.say("ack 7", "ack 8", "ack 9")
        await ws.drain()


@pytest.mark.spec("G7.4")
async def test_sent_again_on_the_same_connection_until_acknowledged() -> None:
    async with pair(timeout=0.02) as (ws, accept):
        peer = await opened(ws, accept)
        await ws.send("a")
        assert await peer.got(3) == ["1:a", "1!:a", "1!:a"]
        await peer.say("ack 1")
        await ws.drain()
        await ws.send("b")
        while (again := await peer.got()) == ["1!:a"]:
            pass  # on its way when the acknowledgement came
        assert again == ["2:b"]
        await peer.say("ack 2")
        await ws.drain()
        assert ws.generation == 1
