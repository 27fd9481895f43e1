"""Which messages may not have left is known one by one, and whoever asks can take them over."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from recloser.transport import Delivery
from tests.transport.link import Link, linked, turns, until

Factory = Callable[[], asyncio.AbstractEventLoop]


class Adopter:
    """Takes what a wire could not."""

    def __init__(self) -> None:
        self.items: list[object] = []

    async def __call__(self, item: object) -> Delivery:
        self.items.append(item)
        return Delivery.QUEUED


async def fill(link: Link, size: int) -> tuple[list[bytes], asyncio.Task[Delivery]]:
    """Send messages that differ until one waits; the last one waits."""
    sent: list[bytes] = []
    while True:
        message = len(sent).to_bytes(4, "big") * (size // 4)
        sent.append(message)
        task = asyncio.create_task(link.wire.send(message))
        await turns()
        if not task.done():
            return sent, task
        assert await task is Delivery.SENT


async def received(link: Link) -> list[bytes]:
    """All the messages that reach the peer whole."""
    found = []
    with suppress(EOFError, ConnectionError):
        while True:
            found.append((await link.peer.frame())[1])
    return found


@pytest.mark.spec("G3", "G4")
@pytest.mark.parametrize("size", [100, 5_000, 70_000])
@pytest.mark.parametrize("ends", ["fin", "abort"])
async def test_with_keep_no_message_both_leaves_and_is_kept(
    loop_factory: Factory, ends: str, size: int
) -> None:
    """To the byte: a frame of which the kernel took only a part is kept, and no other."""
    async with linked(receive_buffer=4096) as link:
        link.wire.adopt(Adopter(), keep=True)
        sent, sender = await fill(link, size)
        if ends == "fin":
            link.peer.fin()
            assert (await link.end()).unsent == link.wire.unsent
        else:
            link.wire.abort()
        kept = link.wire.unsent_messages()
        assert await sender is Delivery.QUEUED
        assert 0 < len(kept) < len(sent)
        assert await received(link) + kept == sent


@pytest.mark.spec("G4")
async def test_an_item_stands_for_its_message(loop_factory: Factory) -> None:
    async with linked(receive_buffer=4096) as link:
        link.wire.adopt(Adopter(), keep=True)
        item = object()
        big = asyncio.create_task(link.wire.send(bytes(6_000_000), item))
        await turns()
        small = asyncio.create_task(link.wire.send(bytearray(b"behind")))
        await turns()
        assert link.wire.unsent_messages() == [item, b"behind"]
        link.wire.abort()
        assert link.wire.unsent_messages() == [item, b"behind"]
        # The small one did not have to wait: it was handed over long before the end.
        assert await asyncio.gather(big, small) == [Delivery.QUEUED, Delivery.SENT]


@pytest.mark.spec("G1")
async def test_what_an_ended_wire_cannot_take_is_adopted(loop_factory: Factory) -> None:
    async with linked() as link:
        adopter = Adopter()
        link.wire.adopt(adopter, keep=False)
        transport = link.wire._upgrade.transport
        link.peer.fin()
        await until(transport.is_closing)
        assert link.told == []
        assert await link.wire.send("before it is told") is Delivery.QUEUED
        assert (await link.end()).unsent == 0
        item = object()
        assert await link.wire.send("after", item) is Delivery.QUEUED
        assert adopter.items == ["before it is told", item]
        assert link.wire.unsent_messages() == []


@pytest.mark.spec("G1", "G4")
async def test_a_cancelled_send_says_that_the_message_had_been_handed_over(
    loop_factory: Factory,
) -> None:
    async with linked(receive_buffer=4096) as link:
        caught: list[asyncio.CancelledError] = []

        async def send() -> None:
            try:
                await link.wire.send(bytes(6_000_000))
            except asyncio.CancelledError as error:
                caught.append(error)
                raise

        sender = asyncio.create_task(send())
        await turns()
        sender.cancel()
        await asyncio.wait((sender,))
        assert "handed to the connection" in caught[0].__notes__[0]


@pytest.mark.spec("G4")
async def test_what_has_left_is_let_go_while_more_is_sent(loop_factory: Factory) -> None:
    """A connection that is never quite idle must not keep all that it ever sent."""
    async with linked(receive_buffer=4096) as link:
        _, sender = await fill(link, 5_000)
        most = link.wire.unsent
        for _ in range(200):
            while not sender.done():
                await link.peer.frame()
            sender = asyncio.create_task(link.wire.send(bytes(5_000)))
            await turns()
            assert link.wire.unsent <= most + 1
        link.wire.abort()
        await asyncio.wait((sender,))
        sender.exception()
