"""What the base class does for any wire, whatever its `read` is made of."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.http import WSMessage

from recloser.fsm.record import Cause, Close, Origin
from recloser.transport import Delivery, Frame, Opcode, Wire
from recloser.transport.errors import ConcurrentReceive, NotOpen
from tests.transport.link import turns

CUT = Close(code=1006, origin=Origin.NETWORK, cause=Cause.EOF)


def message(text: str) -> Frame:
    return WSMessage(Opcode.TEXT, text, None)


class Source:
    """Frames that a test adds; `pauses` bare yields stand before each."""

    def __init__(self, pauses: int = 0, *, stubborn: bool = False) -> None:
        self.frames = deque[Frame | Exception]()
        self.pauses = pauses
        self.stubborn = stubborn
        self.waiter: asyncio.Future[None] | None = None

    def add(self, *frames: Frame | Exception) -> None:
        self.frames.extend(frames)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def read(self) -> Frame:
        for _ in range(self.pauses):
            await asyncio.sleep(0)
        while not self.frames:
            self.waiter = asyncio.get_running_loop().create_future()
            try:
                await self.waiter
            except asyncio.CancelledError:
                if self.stubborn:
                    await asyncio.sleep(0)
                raise
        found = self.frames[0]
        if isinstance(found, Exception):
            raise found
        return self.frames.popleft()


class Least(Wire):
    """A wire that supplies no more than it must."""

    def __init__(self, source: Source, ended: Callable[[Close], None]) -> None:
        super().__init__(source.read, ended)
        self.dropped = 0

    async def send(self, message: str | bytes, item: object = None) -> Delivery:
        return await self.undelivered(message, item)

    def close(self, code: int, reason: str) -> None:
        self.dropped += 1

    def drop(self) -> None:
        self.dropped += 1

    def connection_lost(self, error: Exception) -> None:
        self.end(CUT)

    async def wait_closed(self) -> None:
        self.dropped += 1


def least(source: Source) -> tuple[Least, list[Close]]:
    told: list[Close] = []
    return Least(source, told.append), told


def test_what_it_must_supply_is_named_by_python() -> None:
    missing = {"close", "connection_lost", "drop", "send", "wait_closed"}
    assert Wire.__abstractmethods__ == missing


async def test_what_it_need_not_supply_has_an_answer() -> None:
    wire, told = least(Source())
    wire.probe()
    wire.control(WSMessage(Opcode.PING, b"", None))
    assert (wire.subprotocol, dict(wire.headers), wire.sent_code) == (None, {}, None)
    assert (wire.unsent, wire.unread, wire.closing, told) == (0, 0, False, [])


@pytest.mark.spec("F8")
@pytest.mark.parametrize("pauses", [0, 1, 3])
async def test_a_read_that_yields_without_a_future_is_driven_on(pauses: int) -> None:
    source = Source(pauses)
    wire, told = least(source)
    wire.read_ahead()
    source.add(message("a"), message("b"))
    await turns(12)
    assert [wire.take(), wire.take(), wire.take()] == ["a", "b", None]
    source.add(message("c"), EOFError())
    wire.read_ahead()
    await turns(12)
    assert (told, wire.take(), wire.busy) == ([CUT], "c", True)


@pytest.mark.spec("F8")
@pytest.mark.parametrize("pauses", [0, 1])
async def test_a_read_is_stopped_and_begun_again_in_the_turn_in_which_its_frame_comes(
    pauses: int,
) -> None:
    """The loop had been asked to call back; that call must not drive the new read."""
    source = Source(pauses)
    wire, _ = least(source)
    wire.read_ahead()
    await turns(pauses + 1)
    source.add(message("a"))
    wire.read_now()
    source.add(message("b"))
    wire.read_now()
    await turns(12)
    assert [wire.take(), wire.take()] == ["a", "b"]


async def test_a_read_that_does_not_end_when_cancelled_is_told_so() -> None:
    wire, _ = least(Source(stubborn=True))
    wire.read_ahead()
    with pytest.raises(RuntimeError, match="must end at once when it is cancelled"):
        wire.take()


async def test_the_end_is_told_once_and_an_abort_tells_nobody() -> None:
    source = Source()
    wire, told = least(source)
    source.add(message("a"), EOFError())
    wire.read_ahead()
    wire.end(CUT)
    wire.abort()
    assert (told, wire.dropped, wire.over, wire.busy) == ([CUT], 1, True, True)
    wire, told = least(Source())
    wire.read_ahead()
    wire.abort()
    wire.abort()
    wire.end(CUT)
    assert (told, wire.dropped, wire.over, wire.busy) == ([], 2, True, True)


async def test_after_the_end_a_frame_and_an_error_change_nothing() -> None:
    wire, told = least(Source())
    wire.end(CUT)
    for late in (
        lambda: wire.control(WSMessage(Opcode.PING, b"", None)),
        lambda: wire.read_failed(OSError()),
    ):
        wire.busy = False  # as a consumer leaves it
        late()
        assert wire.busy
    assert (wire.take(), told) == (None, [CUT])


async def test_a_consumer_that_is_parked_is_alone() -> None:
    wire, _ = least(Source())
    wire.busy = True
    wire.read_ahead()
    assert not wire.reading_ahead
    with pytest.raises(ConcurrentReceive):
        wire.take()


@pytest.mark.spec("G1")
async def test_what_an_ended_wire_cannot_send_goes_to_who_cares_for_it() -> None:
    wire, _ = least(Source())
    wire.end(CUT)
    with pytest.raises(NotOpen):
        await wire.send("a")
    kept: list[Any] = []

    async def keep(message: Any) -> Delivery:
        kept.append(message)
        return Delivery.QUEUED

    wire.on_undeliverable(keep, resend=True)
    item = object()
    assert [await wire.send("a"), await wire.send("b", item)] == [Delivery.QUEUED] * 2
    assert kept == ["a", item]
    assert wire.undelivered.resend
