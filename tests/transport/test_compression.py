"""permessage-deflate: what is offered, what is taken, and what a message may expand to (N3)."""

import asyncio
import tracemalloc
import zlib
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

import recloser
from recloser import Stop, policies
from recloser.fsm import Cause, Close, Origin
from recloser.testing.doubles.raw_server import close_frame, frame, text
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request
from recloser.transport.compression import unfit_answer
from tests.aiohttp_releases import since_aiohttp
from tests.engine.served import serving as served
from tests.policies.rig import after
from tests.transport.link import linked

AGREED = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
RSV1 = 0x40


class Deflate:
    """The compressing half of a server, with one window for all messages."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=-15)

    def __call__(self, message: bytes) -> bytes:
        made = self._compressor.compress(message) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return made.removesuffix(b"\x00\x00\xff\xff")


@pytest.mark.spec("N3.1")
@pytest.mark.parametrize(
    ("compression", "offer"),
    [
        (False, None),
        (True, "permessage-deflate; client_max_window_bits"),
        (15, "permessage-deflate; client_max_window_bits"),
        (12, "permessage-deflate; client_max_window_bits; server_max_window_bits=12"),
        (9, "permessage-deflate; client_max_window_bits; server_max_window_bits=9"),
    ],
)
async def test_the_offer(compression: Any, offer: str | None) -> None:
    async with linked(compression=compression) as link:
        assert link.peer.head.get("sec-websocket-extensions") == offer
        await link.peer.send(text("plain") + close_frame(1000))
        assert await link.all() == ["plain"], "an offer may be declined"


FIT = {
    "permessage-deflate": 15,
    "permessage-deflate; client_max_window_bits=15": 15,
    "permessage-deflate; client_max_window_bits=8": 15,
    "Permessage-Deflate ; server_no_context_takeover;client_no_context_takeover": 15,
    "permessage-deflate; server_max_window_bits=10": 12,
    'permessage-deflate; server_max_window_bits="12"': 12,
}
UNFIT = {
    "x-webkit-deflate-frame": 15,
    "permessage-deflate, permessage-deflate": 15,
    "permessage-deflate; server_max_window_bits=16": 15,
    "permessage-deflate; server_max_window_bits=7": 15,
    "permessage-deflate; server_max_window_bits=08": 15,
    "permessage-deflate; server_max_window_bits": 15,
    "permessage-deflate; client_max_window_bits": 15,
    "permessage-deflate; server_no_context_takeover=1": 15,
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover": 15,
    "permessage-deflate; level=9": 15,
    "permessage-deflate; server_max_window_bits=13": 12,
    "permessage-deflate;": 15,
    " permessage-deflate": 12,
}


async def answered(answer: str, compression: int) -> Close | None:
    """The record of a dial that gets this answer; None if it opens."""
    async with serving() as server:
        transport = AiohttpTransport(heartbeat=None, compression=compression)
        dial = asyncio.ensure_future(transport.dial(Request(server.url), lambda close: None))
        peer = await server.accept()
        await peer.upgrade(headers=f"Sec-WebSocket-Extensions: {answer}\r\n")
        try:
            wire = await dial
        except DialFailed as failed:
            return failed.close
        else:
            wire.abort()
            await wire.wait_closed()
            return None
        finally:
            await transport.aclose()


@pytest.mark.spec("N3.1", "B1.7")
@pytest.mark.parametrize(("answer", "compression"), [*FIT.items(), *UNFIT.items()])
async def test_the_answer_must_fit_the_offer(answer: str, compression: int) -> None:
    close = await answered(answer, compression)
    if answer in FIT:
        assert close is None
        return
    assert close is not None
    assert (close.cause, close.origin, close.status) == (Cause.PROTOCOL, Origin.ENGINE, 101)
    assert isinstance(policies.standard().decide(close, after(1)), Stop)


@pytest.mark.spec("N3.1")
@given(st.text(st.sampled_from('permessage-deflate;,= "0189_window_bits'), max_size=60))
def test_no_answer_is_right_where_nothing_was_offered(answer: str) -> None:
    assert (unfit_answer(answer, "") is None) is (not answer.strip())
    unfit_answer(answer, "permessage-deflate; client_max_window_bits")


@pytest.mark.spec("N3.2")
async def test_messages_are_delivered_as_they_were() -> None:
    deflate = Deflate()
    long = "the same words again and again " * 3_000
    async with linked(compression=True, headers=AGREED) as link:
        await link.peer.send(frame(1, deflate(b"first"), rsv=RSV1) + text("plain"))
        whole = deflate(long.encode())
        await link.peer.send(frame(1, whole[:40], rsv=RSV1, fin=False) + frame(0, whole[40:]))
        await link.peer.send(frame(1, deflate(long.encode()), rsv=RSV1))
        await link.peer.send(frame(2, deflate(bytes(1_000)), rsv=RSV1) + close_frame(1000))
        assert await link.all() == ["first", "plain", long, long, bytes(1_000)]


@pytest.mark.spec("N3.2")
@pytest.mark.parametrize("size", [5, 1_000, 100_000])
async def test_what_is_sent_is_not_compressed(size: int) -> None:
    async with linked(compression=True, headers=AGREED) as link:
        before = link.wire.unsent
        await link.wire.send("a" * size)
        assert await link.peer.frame() == (1, b"a" * size)
        await link.wire.send(bytes(size))
        assert await link.peer.frame() == (2, bytes(size))
        assert before == 0


@since_aiohttp("3.14.2", "the parser knows that no extension was agreed upon")
@pytest.mark.spec("N3.1")
async def test_a_server_that_declines_may_not_compress() -> None:
    async with linked(compression=True) as link:
        await link.peer.send(frame(1, Deflate()(b"hi"), rsv=RSV1))
        assert await link.peer.close_seen() == (1002, "")
        link.peer.fin()
        assert (await link.end()).cause is Cause.PROTOCOL


@pytest.mark.spec("N3.3", "B16.3")
@pytest.mark.parametrize("pieces", [1, 40])
async def test_a_message_that_expands_beyond_the_bound_is_refused_in_bounded_memory(
    pieces: int,
) -> None:
    """64 MiB of zeros in 64 KiB, where a message may have 1 MiB."""
    small = Deflate()(bytes(64 * 2**20))
    assert len(small) < 2**17
    step = -(-len(small) // pieces)
    parts = [small[at : at + step] for at in range(0, len(small), step)]
    async with linked(compression=True, headers=AGREED, max_message_size=2**20) as link:
        tracemalloc.start()
        try:
            for number, part in enumerate(parts):
                first, last = number == 0, number == len(parts) - 1
                await link.peer.send(
                    frame(2 if first else 0, part, rsv=RSV1 if first else 0, fin=last)
                )
            assert await link.peer.close_seen() == (1009, "")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * 2**20
        link.peer.fin()
        close = await link.end()
    assert (close.code, close.sent_code, close.cause) == (1006, 1009, Cause.TOO_BIG)
    assert "max_message_size" in str(close.error)
    assert await link.all() == []


@pytest.mark.spec("N3.3")
@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"compression": True, "max_message_size": 0}, ValueError, "needs a max_message_size"),
        ({"compression": 8}, ValueError, "9 to 15 bits"),
        ({"compression": 16}, ValueError, "9 to 15 bits"),
        ({"compression": "deflate"}, TypeError, "True, False or the bits"),
        ({"compression": None}, TypeError, "True, False or the bits"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        recloser.connect("ws://feed.example/", **options)


@pytest.mark.spec("N3.2")
async def test_a_real_server_compresses() -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=True)
        await socket.prepare(request)
        await socket.send_str("news " * 1_000)
        async for message in socket:
            await socket.send_str(f"{socket.compress} {len(message.data)}")
        return socket

    async with (
        served(handler) as url,
        recloser.connect(url, compression=12, heartbeat=None) as ws,
    ):
        assert await ws.receive() == "news " * 1_000
        await ws.send("x" * 5_000)
        assert await ws.receive() == "12 5000"


@pytest.mark.spec("B14.2")
def test_the_catalogue_says_who_wants_it() -> None:
    found = policies.service("coinbase").compression
    assert found is not None
    assert found.date in "2026-11"
    assert policies.service("ably").compression is None
