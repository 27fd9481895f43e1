"""Messages reach the peer unchanged; those that may not have left are known one by one (G1, G4)."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from recloser.fsm.record import Cause, Close
from recloser.testing.doubles.raw_server import close_frame
from recloser.transport import Delivery
from recloser.transport.errors import NotOpen
from tests.transport.link import Link, linked, turns, until

Factory = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("\u00fcber", (1, "\u00fcber".encode())),
        ("", (1, b"")),
        (b"\x00\xff", (2, b"\x00\xff")),
        (bytearray(b"abc"), (2, b"abc")),
        (memoryview(b"abcd").cast("H"), (2, b"abcd")),
        ("x" * 70_000, (1, b"x" * 70_000)),
    ],
    ids=["str", "empty", "bytes", "bytearray", "memoryview of shorts", "long"],
)
async def test_str_is_text_and_bytes_are_binary(message: Any, expected: tuple[int, bytes]) -> None:
    async with linked() as link:
        _, found = await asyncio.gather(link.wire.send(message), link.peer.frame())
        assert found == expected


@pytest.mark.spec("G1.1")
async def test_what_is_no_message_is_named_and_not_counted() -> None:
    async with linked() as link:
        with pytest.raises(TypeError, match="not dict"):
            await link.wire.send({"a": 1})  # type: ignore[arg-type]  # the point of the test
        with pytest.raises(UnicodeEncodeError):
            await link.wire.send("\ud800")
        assert link.wire.unsent == 0
        await link.wire.send("fine")
        assert await link.peer.frame() == (1, b"fine")


@pytest.mark.spec("G1.1")
async def test_sending_after_the_end_raises(loop_factory: Factory) -> None:
    async with linked() as link:
        await link.peer.send(close_frame(1000))
        await link.end()
        with pytest.raises(NotOpen):
            await link.wire.send("late")


@pytest.mark.spec("G1.1", "G4.2")
async def test_sending_between_the_end_and_its_discovery_raises_and_counts_nothing(
    loop_factory: Factory,
) -> None:
    async with linked() as link:
        transport = link.wire.transport
        link.peer.fin()
        await until(transport.is_closing)
        assert link.told == []
        with pytest.raises((ConnectionError, NotOpen)):
            await link.wire.send("late")
        assert (await link.end()).unsent == 0


@pytest.mark.spec("G4.1")
async def test_messages_in_the_write_buffer_are_counted_until_they_have_left(
    loop_factory: Factory,
) -> None:
    async with linked(receive_buffer=4096) as link:
        sender = asyncio.create_task(link.wire.send(bytes(6_000_000)))
        await turns()
        assert not sender.done()
        assert link.wire.unsent == 1
        assert (await link.peer.frame()) == (2, bytes(6_000_000))
        await sender
        await until(lambda: link.wire.unsent == 0)


@pytest.mark.spec("G4.1", "G4.2")
@pytest.mark.parametrize("how", ["reset", "fin"])
async def test_a_break_with_bytes_queued_is_noticed_and_says_what_may_not_have_left(
    loop_factory: Factory, how: str
) -> None:
    """A FIN then is told by nobody: aiohttp stays parked and asyncio waits for the flush."""
    async with linked(receive_buffer=4096) as link:
        reader = asyncio.create_task(link.all())
        await link.wire.send("first")
        assert await link.peer.frame() == (1, b"first")
        senders = [asyncio.create_task(link.wire.send(bytes(3_000_000))) for _ in range(3)]
        await turns()
        if how == "fin":
            link.peer.fin()
        else:
            link.peer.reset()
        close = await link.end()
        assert close.cause is (Cause.EOF if how == "fin" else Cause.RESET)
        assert close.unsent == 3
        *first, last = await asyncio.gather(*senders, return_exceptions=True)
        assert isinstance(last, ConnectionError)
        # The kernel may have taken the first messages whole.
        assert all(
            result is Delivery.SENT or isinstance(result, ConnectionError) for result in first
        )
        assert await reader == []


@pytest.mark.spec("G4.1")
async def test_a_cancelled_send_stays_counted_for_its_bytes_are_in_the_buffer(
    loop_factory: Factory,
) -> None:
    async with linked(receive_buffer=4096) as link:
        sender = asyncio.create_task(link.wire.send(bytes(6_000_000)))
        await turns()
        sender.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sender
        assert link.wire.unsent == 1
        link.wire.abort()
        assert link.wire.unsent == 1


@pytest.mark.spec("G1.1")
async def test_cancelling_one_blocked_sender_leaves_the_others_alone(
    loop_factory: Factory,
) -> None:
    """aiohttp lets all of them wait for one future, which a cancelled task would cancel."""
    async with linked(receive_buffer=4096) as link:
        senders = [asyncio.create_task(link.wire.send(bytes(2_500_000))) for _ in range(4)]
        await turns()
        senders[2].cancel()
        await turns()
        assert [sender.done() for sender in senders[1:]] == [False, True, False]
        senders.append(asyncio.create_task(link.wire.send(bytes(2_500_000))))
        await turns()
        assert not senders[4].done()
        link.wire.close(4000, "after all of them")
        for _ in senders[1:]:  # nothing of the cancelled one had been written
            assert await link.peer.frame() == (2, bytes(2_500_000))
        assert await link.peer.close_seen() == (4000, "after all of them")
        results = await asyncio.gather(*senders, return_exceptions=True)
        assert [type(result) for result in results if result is not Delivery.SENT] == [
            asyncio.CancelledError
        ]


async def test_a_blocked_sender_that_was_cancelled_leaves_no_unretrieved_error(
    loop_factory: Factory,
) -> None:
    async with linked(receive_buffer=4096) as link:
        sender = asyncio.create_task(link.wire.send(bytes(9_000_000)))
        await turns()
        sender.cancel()
        await asyncio.wait((sender,))
        link.peer.reset()
        assert (await link.end()).cause is Cause.RESET


@pytest.mark.spec("G4.1")
@pytest.mark.parametrize("size", [1000, 20_000])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_received_and_unsent_together_are_all_that_was_sent(
    loop_factory: Factory, size: int, *, secure: bool, request: pytest.FixtureRequest
) -> None:
    """TLS keeps bytes below the buffer that its transport tells of; they are counted too."""
    tls = request.getfixturevalue("tls") if secure else None
    async with linked(tls=tls, receive_buffer=4096) as link:
        sent = 0

        async def fill() -> None:
            nonlocal sent
            while True:
                sent += 1
                await link.wire.send(bytes(size))

        sender = asyncio.create_task(fill())
        await turns(20)
        link.wire.abort()
        with pytest.raises(ConnectionError):
            await sender
        received = 0
        with suppress(EOFError, ConnectionError):
            while await link.peer.frame() == (2, bytes(size)):
                received += 1
        assert received < sent
        assert received + link.wire.unsent >= sent


class Adopter:
    """Takes what a wire could not."""

    def __init__(self) -> None:
        self.items: list[object] = []

    async def __call__(self, item: object) -> Delivery:
        self.items.append(item)
        return Delivery.QUEUED


async def fill(link: Link, size: int) -> tuple[list[bytes], asyncio.Task[Delivery]]:
    """Send messages that differ until one waits; the last one waits.

    The kernel takes less than the megabytes that it would on loopback, and far more than the
    peer's reads ahead: what the peer's takes later makes no room for another message.
    """
    connection = link.wire.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
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


@pytest.mark.spec("G3.1", "G3.3", "G4.1", "G4.2")
@pytest.mark.parametrize("size", [100, 5_000, 70_000])
@pytest.mark.parametrize("ends", ["fin", "abort"])
async def test_with_keep_no_message_both_leaves_and_is_kept(
    loop_factory: Factory, ends: str, size: int
) -> None:
    """To the byte: a frame of which the kernel took only a part is kept, and no other."""
    async with linked(receive_buffer=4096) as link:
        link.wire.on_undeliverable(Adopter(), resend=True)
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


@pytest.mark.spec("G5.5")
@pytest.mark.parametrize("first", [None, 10, 50_000])
@pytest.mark.parametrize("end", ["close frame", "abort"])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_the_wire_knows_what_its_peer_may_have_begun_to_read(
    loop_factory: Factory,
    first: int | None,
    end: str,
    *,
    secure: bool,
    request: pytest.FixtureRequest,
) -> None:
    tls = request.getfixturevalue("tls") if secure else None
    async with linked(tls=tls, receive_buffer=4096) as link:
        link.wire.on_undeliverable(Adopter(), resend=True)
        assert (link.wire.has_sent, link.wire.begun) == (False, 0)
        if first is not None:
            await link.wire.send(bytes(first))
            assert await link.peer.frame() == (2, bytes(first))
            assert (link.wire.has_sent, link.wire.begun, link.wire.unsent) == (True, 0, 0)
        senders = [
            asyncio.create_task(link.wire.send(bytes(6_000_000), item)) for item in ("a", "b", "c")
        ]
        await turns()
        if end == "abort":
            link.wire.abort()
        else:
            await link.peer.send(close_frame(1009, "too big"))
            assert (await link.end()).code == 1009
        assert link.wire.has_sent == (first is not None)
        assert 1 <= link.wire.begun <= (3 if secure else 1), "TLS adds bytes that nobody counts"
        assert link.wire.unsent_messages() == ["a", "b", "c"]
        answers = await asyncio.gather(*senders)
        assert secure or answers == [Delivery.QUEUED] * 3


@pytest.mark.spec("G4.1")
async def test_an_item_stands_for_its_message(loop_factory: Factory) -> None:
    async with linked(receive_buffer=4096) as link:
        link.wire.on_undeliverable(Adopter(), resend=True)
        item = object()
        big = asyncio.create_task(link.wire.send(bytes(6_000_000), item))
        await turns()
        small = asyncio.create_task(link.wire.send(bytearray(b"behind")))
        await turns()
        assert link.wire.unsent_messages() == [item, b"behind"]
        link.wire.abort()
        assert link.wire.unsent_messages() == [item, b"behind"]
        assert await asyncio.gather(big, small) == [Delivery.QUEUED, Delivery.QUEUED]


@pytest.mark.spec("G1.1")
async def test_what_an_ended_wire_cannot_take_is_adopted(loop_factory: Factory) -> None:
    async with linked() as link:
        adopter = Adopter()
        link.wire.on_undeliverable(adopter, resend=False)
        transport = link.wire.transport
        link.peer.fin()
        await until(transport.is_closing)
        assert link.told == []
        assert await link.wire.send("before it is told") is Delivery.QUEUED
        assert (await link.end()).unsent == 0
        item = object()
        assert await link.wire.send("after", item) is Delivery.QUEUED
        assert adopter.items == ["before it is told", item]
        assert link.wire.unsent_messages() == []


@pytest.mark.spec("G1.1", "G4.1")
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


@pytest.mark.spec("G4.1")
async def test_what_has_left_is_let_go_while_more_is_sent(loop_factory: Factory) -> None:
    """A connection that is never quite idle must not keep all that it ever sent."""
    async with linked(receive_buffer=4096) as link:
        _, sender = await fill(link, 5_000)
        most = link.wire.unsent
        reading = asyncio.create_task(link.peer.frame())
        for _ in range(200):
            # The last frame may come before the sender has heard of the room that it left.
            while not sender.done():
                await asyncio.wait((sender, reading), return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    await reading
                    reading = asyncio.create_task(link.peer.frame())
            sender = asyncio.create_task(link.wire.send(bytes(5_000)))
            await turns()
            assert link.wire.unsent <= most + 1
        link.wire.abort()
        reading.cancel()
        await asyncio.wait((sender, reading))
        sender.exception()


@pytest.mark.spec("G3.3", "G4.1")
@pytest.mark.parametrize("ends", ["fin", "abort"])
async def test_what_is_sent_again_does_not_leave_with_the_end(
    loop_factory: Factory, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end there is room all at once: uvloop writes once more before it aborts."""
    async with linked(receive_buffer=4096) as link:
        link.wire.on_undeliverable(Adopter(), resend=True)
        sent, sender = await fill(link, 5_000)
        tell = link.wire._ended

        def make_room() -> None:
            with suppress(BlockingIOError):
                while more := link.peer.sock.recv(1 << 20):
                    link.peer._buffer += more

        def ended(close: Close) -> None:
            tell(close)
            make_room()

        if ends == "fin":
            monkeypatch.setattr(link.wire, "_ended", ended)
            link.peer.fin()
            await link.end()
        else:
            link.wire.abort()
            make_room()
        kept = link.wire.unsent_messages()
        assert await sender is Delivery.QUEUED
        assert 0 < len(kept) < len(sent)
        assert await received(link) + kept == sent
