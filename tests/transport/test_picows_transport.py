"""The transport over picows keeps every law; what picows does that others do not is pinned.

When one of these fails after an upgrade of picows: read what changed, adapt `picows_upgrade.py`
(its protocol's constructor, and its handshake) or `picows_frames.py` (its logger and its frames),
run tests/transport, and only then widen the range of picows in pyproject.toml.
"""

import asyncio
import gc
import inspect
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import picows
import pytest
import uvloop
from picows.picows import WSProtocol  # type: ignore[attr-defined] # its types leave it out

import recloser
from recloser import assembly
from recloser.fsm.record import Cause, Origin
from recloser.testing import TRANSPORT_LAWS, TransportLaw, check_transport
from recloser.testing.doubles.raw_server import PING, PONG, close_frame, frame, raw_server, text
from recloser.transport import Delivery
from recloser.transport.errors import NotOpen
from recloser.transport.picows_frames import Incoming
from recloser.transport.picows_transport import PicowsTransport
from tests.aiohttp_releases import since_aiohttp
from tests.transport import link as links
from tests.transport.link import linked, turns, until
from tests.transport.test_outgoing import fill

Factory = Callable[[], asyncio.AbstractEventLoop]

WHAT_TO_DO = (
    f"picows {picows.__version__} differs from what the transport stands on: "
    "see the docstring of this file"
)
FIN = 0x80


pytestmark = since_aiohttp("3.14.4", "the parser is handed over")


@pytest.fixture(autouse=True)
def over_picows() -> Any:
    before = links.TRANSPORT.set(PicowsTransport)
    yield
    links.TRANSPORT.reset(before)


@pytest.mark.spec("K6.1", "J6.1")
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("law", TRANSPORT_LAWS, ids=lambda law: law.name)
def test_it_keeps_the_law(law: TransportLaw, factory: Factory) -> None:
    assert check_transport(PicowsTransport, laws=[law], loop_factory=factory).sound


# -- what it stands on ------------------------------------------------------------------


def test_the_protocol_takes_what_it_is_given() -> None:
    names = list(inspect.signature(picows.ws_connect).parameters)
    assert "logger_name" in names, WHAT_TO_DO
    assert issubclass(WSProtocol, asyncio.BufferedProtocol), WHAT_TO_DO


async def test_the_first_frames_may_come_with_the_answer() -> None:
    tail = text("with") + text("the answer") + frame(PING, b"?")
    async with linked(tail=tail) as link:
        assert await link.peer.frame() == (PONG, b"?"), WHAT_TO_DO
        assert [await link.receive() for _ in range(2)] == ["with", "the answer"]


async def test_a_request_goes_out_once() -> None:
    """picows would ask for an upgrade, too: its request is answered here and never sent."""
    async with linked() as link:
        await link.wire.send("first")
        assert await link.peer.frame() == (1, b"first"), WHAT_TO_DO


async def test_a_bad_frame_is_told_to_the_logger_before_the_good_one_in_front_of_it() -> None:
    """picows parses one frame ahead."""
    async with linked() as link:
        await link.peer.send(text("good") + frame(3, b""))
        assert await link.all() == ["good"], WHAT_TO_DO
        close = await link.end()
        assert (close.cause, close.sent_code) == (Cause.PROTOCOL, 1002), WHAT_TO_DO
        assert "invalid opcode" in str(close.error)


async def test_a_second_close_frame_does_not_replace_the_first() -> None:
    async with linked() as link:
        await link.peer.send(text("a") + close_frame(4001) + close_frame(4002))
        assert await link.all() == ["a"]
        close = await link.end()
        assert (close.code, close.origin) == (4001, Origin.PEER)


async def test_after_its_own_refusal_picows_drops_messages_so_they_are_not_handed_to_it() -> None:
    async with linked() as link:
        read: Any = link.wire.read
        incoming = read.__self__
        await link.peer.send(frame(3, b""))
        await until(lambda: incoming._refusal is not None)
        with pytest.raises((NotOpen, ConnectionError)):
            await link.wire.send("late")
        kept: list[object] = []

        async def keep(message: object) -> Delivery:
            kept.append(message)
            return Delivery.QUEUED

        link.wire.on_undeliverable(keep, resend=True)
        assert await link.wire.send("later") is Delivery.QUEUED
        assert kept == ["later"]


@pytest.mark.spec("B1.3")
async def test_a_ping_in_front_of_a_bad_frame_stays_without_a_pong() -> None:
    """picows has answered the bad frame when it gives the ping."""
    async with linked() as link:
        await link.peer.send(text("good") + frame(PING, b"?") + frame(3, b""))
        assert await link.all() == ["good"]
        close = await link.end()
        assert (close.cause, close.sent_code) == (Cause.PROTOCOL, 1002)
        kind, payload = await link.peer.frame()
        assert (kind, payload[:2]) == (8, (1002).to_bytes(2))


@pytest.mark.spec("G4.1", "G4.2")
async def test_who_waits_for_room_does_not_wait_for_a_connection_that_picows_has_closed() -> None:
    async with linked(receive_buffer=4096) as link:
        sent, first = await fill(link, 70_000)
        last = asyncio.create_task(link.wire.send(b"last"))
        await turns()
        read: Any = link.wire.read
        incoming = read.__self__
        await link.peer.send(frame(3, b""))
        await until(lambda: incoming._refusal is not None)
        arrived = [await link.peer.frame() for _ in sent]
        assert arrived == [(2, each) for each in sent]
        with pytest.raises(ConnectionError):
            await last
        assert await first is Delivery.SENT
        assert (await link.end()).unsent >= 1  # an upper bound


@pytest.mark.spec("B1.3")
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(1, b"a", fin=False) + text("b"), 1002),
        (frame(0, b"a"), 1002),
        (frame(1, b"\xff"), 1007),
        (frame(1, b"\xc3", fin=False) + frame(0, b"("), 1007),
        (frame(2, bytes(600), fin=False) + frame(0, bytes(400)), 1009),
        (close_frame(0), 1002),
        (bytes([FIN | 0x40 | 1, 0]), 1002),
        (bytes([0x20 | 1, 0]), 1002),
    ],
    ids=[
        "a message within a message",
        "a continuation of nothing",
        "no UTF-8",
        "no UTF-8 in fragments",
        "fragments too big together",
        "close code 0",
        "a reserved bit",
        "a reserved bit of a fragment",
    ],
)
async def test_what_picows_lets_through_is_refused_here(bad: bytes, code: int) -> None:
    async with linked(max_message_size=1000) as link:
        await link.peer.send(text("before") + bad)
        assert await link.all() == ["before"]
        seen = await link.peer.close_seen()
        assert seen is not None
        assert seen[0] == code
        link.peer.fin()
        assert (await link.end()).sent_code == code


async def test_fragments_make_one_message_also_around_a_ping() -> None:
    async with linked() as link:
        await link.peer.send(
            frame(1, b"\xc3", fin=False) + frame(PING, b"!") + frame(0, b"\xbc") + frame(2, b"b")
        )
        assert [await link.receive(), await link.receive()] == ["ü", b"b"]
        assert await link.peer.frame() == (PONG, b"!")


async def test_no_line_of_a_log_is_written(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "picows"):
        async with linked() as link:
            await link.peer.send(frame(3, b""))
            await link.end()
    assert not caplog.records


def alive() -> int:
    """How many receivers of picows there are."""
    return sum(isinstance(each, Incoming) for each in gc.get_objects())


@pytest.mark.spec("J1.1")
async def test_what_has_ended_is_freed_without_the_garbage_collector() -> None:
    async with raw_server() as server:

        async def serve() -> None:
            for _ in range(4):
                peer = await server.accept()
                await peer.upgrade()
                await peer.close_seen()
                await peer.send(close_frame(1000))

        serving = asyncio.create_task(serve())
        async with recloser.connect(server.url, transport="picows") as ws:
            gc.collect()
            before = alive()
            gc.disable()
            try:
                for _ in range(3):
                    await ws.suspend()
                    ws.connect()
                    await ws.wait_for(recloser.State.OPEN)
                assert alive() - before <= 1, "the last one may still have its turn"
            finally:
                gc.enable()
        await serving


# -- what a user sees -------------------------------------------------------------------


@pytest.mark.spec("J6.1")
@pytest.mark.parametrize("lent", [False, True], ids=["own session", "lent session"])
async def test_an_engine_is_made_over_it_by_its_name(*, lent: bool) -> None:
    async with raw_server() as server, aiohttp.ClientSession() as session:

        async def play() -> None:
            peer = await server.accept()
            await peer.upgrade()
            assert await peer.frame() == (2, b"\x00")
            await peer.send(text("world"))
            assert await peer.close_seen() == (1000, "")
            await peer.send(close_frame(1000))

        playing = asyncio.create_task(play())
        given = session if lent else None
        async with recloser.connect(server.url, transport="picows", session=given) as ws:
            await ws.send(b"\x00")
            assert await ws.receive() == "world"
        await playing
        assert ws.last_close is not None
        assert ws.last_close.code == 1000


@pytest.mark.spec("J6.2")
def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install picows"):
        recloser.connect("ws://a/", transport="picows")


@pytest.mark.spec("J6.1")
def test_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="picows inflates nothing"):
        recloser.connect("ws://a/", transport="picows", compression=True)


@pytest.mark.spec("J6.3", "J6.4")
def test_a_class_is_called_and_what_it_cannot_take_is_refused() -> None:
    class Own:
        def __init__(self, *, ssl: object, heartbeat: object, max_message_size: int) -> None:
            made.append((ssl, heartbeat, max_message_size))

        async def dial(self, request: object, ended: object) -> Any: ...

        async def aclose(self) -> None: ...

    made: list[tuple[object, object, int]] = []
    recloser.connect("ws://a/", transport=Own, max_message_size=7, heartbeat=None)
    assert made == [(True, None, 7)]
    with pytest.raises(TypeError, match="make your own transport"):
        recloser.connect("ws://a/", transport=Own, proxy="http://b/")
    own = Own(ssl=True, heartbeat=None, max_message_size=1)
    with pytest.raises(TypeError, match="give them to your own transport"):
        recloser.connect("ws://a/", transport=own, max_message_size=7)
    for wrong in ("picow", None, 5):
        with pytest.raises(TypeError, match="'aiohttp', 'picows', or an object with dial"):
            recloser.connect("ws://a/", transport=wrong)  # type: ignore[arg-type] # on purpose
