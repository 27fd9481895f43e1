"""We close: what was given to `close` is on the wire, and the end is bounded (A4, A6, A12)."""

import asyncio
from collections.abc import Callable

import pytest

from recloser.fsm.record import Cause, Origin
from recloser.testing.doubles.raw_server import PING, close_frame, frame, text
from recloser.transport.errors import NotOpen
from recloser.transport.receive_buffer import ARRIVED, LIMIT, OVERHEAD
from tests.transport.link import Link, linked, turns, until

Factory = Callable[[], asyncio.AbstractEventLoop]

READERS = pytest.mark.parametrize("reader", ["parked", "nobody"])


def reading(link: Link, reader: str) -> "asyncio.Task[list[str | bytes]] | None":
    return asyncio.create_task(link.all()) if reader == "parked" else None


@pytest.mark.spec("A6.1")
@READERS
@pytest.mark.parametrize("answer", [4000, 1001, None])
async def test_code_and_reason_reach_the_wire_and_the_answer_is_recorded(
    loop_factory: Factory, reader: str, answer: int | None
) -> None:
    async with linked() as link:
        task = reading(link, reader)
        await turns()
        link.wire.close(4000, "my r\u00e9ason")
        assert link.wire.sent_code == 4000
        assert await link.peer.close_seen() == (4000, "my r\u00e9ason")
        await link.peer.send(close_frame(answer))
        close = await link.end()
        assert (close.code, close.sent_code) == (answer or 1005, 4000)
        assert (close.cause, close.clean) == (Cause.CLOSE_FRAME, True)
        assert await link.peer.gone()
        assert task is None or await task == []


@READERS
@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_an_end_instead_of_an_answer_is_no_clean_close(
    loop_factory: Factory, reader: str, how: str
) -> None:
    async with linked() as link:
        task = reading(link, reader)
        await turns()
        link.wire.close(1000, "")
        assert await link.peer.close_seen() == (1000, "")
        if how == "fin":
            link.peer.fin()
        else:
            link.peer.reset()
        close = await link.end()
        assert (close.code, close.sent_code, close.clean) == (1006, 1000, False)
        assert close.cause is (Cause.EOF if how == "fin" else Cause.RESET)
        assert task is None or await task == []


@pytest.mark.spec("A12.2", "B2.1")
@READERS
async def test_when_closes_cross_the_peers_code_and_reason_are_kept(
    loop_factory: Factory, reader: str
) -> None:
    async with linked() as link:
        task = reading(link, reader)
        await link.peer.send(close_frame(4401, "auth"))
        link.wire.close(1000, "done")
        close = await link.end()
        assert (close.code, close.reason, close.sent_code) == (4401, "auth", 1000)
        assert (close.origin, close.clean) == (Origin.PEER, True)
        assert await link.peer.close_seen() == (1000, "done")
        assert task is None or await task == []


async def test_the_first_code_wins_and_nothing_is_sent_after_it() -> None:
    async with linked() as link:
        link.wire.close(4001, "first")
        link.wire.close(4002, "second")
        with pytest.raises(NotOpen):
            await link.wire.send("too late")
        await link.peer.send(close_frame(4001))
        close = await link.end()
        link.wire.close(4003, "third")
        assert close.sent_code == link.wire.sent_code == 4001
        assert await link.peer.close_seen() == (4001, "first")
        assert await link.peer.gone()


@READERS
async def test_what_came_before_the_peers_answer_is_delivered(
    loop_factory: Factory, reader: str
) -> None:
    async with linked() as link:
        task = reading(link, reader)
        await turns()
        await link.peer.send(text("a"))
        link.wire.close(1000, "")
        await link.peer.send(text("b") + frame(PING, b"?") + close_frame(1000))
        assert (await link.end()).code == 1000
        assert await (link.all() if task is None else task) == ["a", "b"]


@pytest.mark.spec("A4.2")
@READERS
async def test_a_deaf_peer_is_left_by_abort(loop_factory: Factory, reader: str) -> None:
    """The bound is the engine's; the wire tells nothing then, for the engine knows."""
    async with linked() as link:
        task = reading(link, reader)
        await turns()
        link.wire.close(4000, "bye")
        assert await link.peer.close_seen() == (4000, "bye")
        assert not link.wire.closed
        link.wire.abort()
        await link.wire.wait_closed()
        assert link.wire.closed
        assert await link.peer.gone()
        assert task is None or await task == []
        assert link.told == []


@pytest.mark.spec("A4.1")
@READERS
async def test_a_chatty_peer_is_read_to_the_end_and_cannot_fill_the_memory(
    loop_factory: Factory, reader: str, no_ticks: None
) -> None:
    """A consumer takes all of it, and where there is none the rest is counted and not kept."""
    async with linked() as link:
        task = reading(link, reader)
        await turns()
        link.wire.close(4000, "bye")
        for _ in range(40):
            await link.peer.send(frame(2, bytes(100_000)) + frame(PING, b"still here"))
        if task is None:
            await until(lambda: link.wire.unread + link.wire.received.excess == 40)
            assert link.wire.received.excess > 0
            assert link.wire.received.size < LIMIT + ARRIVED + 100_000 + OVERHEAD
        await link.peer.send(close_frame(4000))
        assert (await link.end()).code == 4000
        kept = await (link.all() if task is None else task)
        assert len(kept) + link.wire.received.excess == 40
        assert task is None or len(kept) == 40


async def blocked_sender(link: Link) -> "asyncio.Task[None]":
    """A sender that waits because the peer does not read."""

    async def fill() -> None:
        while True:
            await link.wire.send(bytes(200_000))

    task = asyncio.create_task(fill())
    await until(lambda: link.wire.unsent > 0)
    await turns(20)
    return task


@pytest.mark.spec("A4.2", "A4.3", "A8")
@READERS
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_abort_frees_a_blocked_sender_and_the_descriptor(
    loop_factory: Factory, reader: str, *, secure: bool, request: pytest.FixtureRequest
) -> None:
    tls = request.getfixturevalue("tls") if secure else None
    async with linked(tls=tls, receive_buffer=4096) as link:
        task = reading(link, reader)
        sender = await blocked_sender(link)
        link.wire.close(4000, "cannot arrive")
        await turns()
        assert not sender.done()
        unsent = link.wire.unsent
        assert unsent > 0
        link.wire.abort()
        assert link.wire.unsent == unsent
        with pytest.raises(ConnectionError):
            await sender
        await link.wire.wait_closed()
        with pytest.raises(NotOpen):
            await link.wire.send("late")
        assert link.told == []
        assert task is None or await task == []


@READERS
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_a_close_with_bytes_still_queued_is_released_in_a_bounded_time(
    loop_factory: Factory,
    reader: str,
    *,
    secure: bool,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The peer closes and then does not read: neither a flush nor a TLS shutdown ends."""
    monkeypatch.setattr("recloser.transport.socket_wire.RELEASE", 0.05)
    tls = request.getfixturevalue("tls") if secure else None
    async with linked(tls=tls, receive_buffer=4096) as link:
        task = reading(link, reader)
        sender = await blocked_sender(link)
        await link.peer.send(close_frame(1001))
        close = await link.end()
        assert close.code == 1001
        assert close.unsent > 0
        with pytest.raises(ConnectionError):
            await sender
        assert task is None or await task == []


@pytest.mark.spec("A4.1", "A4.2")
async def test_a_silent_peer_after_a_refusal_is_released_in_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recloser.transport.socket_wire.RELEASE", 0.05)
    async with linked() as link:
        await link.peer.send(frame(3))
        close = await link.end()
        assert close.sent_code == 1002


async def test_abort_after_the_end_changes_nothing_but_the_socket() -> None:
    async with linked() as link:
        await link.peer.send(text("kept") + frame(3))
        await until(lambda: bool(link.told))
        link.wire.abort()
        await link.wire.wait_closed()
        assert [close.sent_code for close in link.told] == [1002]
        assert link.wire.unread == 1
        assert await link.all() == ["kept"]


async def test_abort_counts_what_nobody_had_taken(real_ticks: None) -> None:
    async with linked() as link:
        await link.peer.send(text("a") + text("b") + close_frame(4000))
        first = await link.receive()
        link.wire.abort()
        assert first == "a"
        assert link.wire.unread == 1
        assert await link.all() == ["b"]
        assert link.told == []
