"""The raw recorder notes what is on the wire: codes, statuses, and how TCP ended."""

import pytest

from recloser.testing.doubles.raw_server import close_frame, frame, raw_server, text
from tests.field.recorder import Recorder, probe

pytestmark = pytest.mark.spec("B23.1")
LONG = 60.0


async def test_a_close_frame_with_what_came_before_it() -> None:
    async with raw_server() as server:
        recorder = Recorder(server.port)
        peer = await server.accept()
        await peer.upgrade(tail=text("hello") + close_frame(4401, "expired"))
        assert await peer.close_seen() == (4401, "")
        peer.fin()
        wire = await recorder.end(LONG)
        assert (wire.end, wire.code, wire.reason, wire.tcp) == (
            "close frame",
            4401,
            "expired",
            "FIN",
        )
        assert recorder.heard == [b"hello"]
        await recorder.leave()


@pytest.mark.parametrize("how", ["FIN", "RST"])
async def test_an_end_without_a_close_frame(how: str) -> None:
    async with raw_server() as server:
        recorder = Recorder(server.port)
        peer = await server.accept()
        await peer.upgrade()
        assert await recorder.answered(LONG)
        peer.fin() if how == "FIN" else peer.reset()
        wire = await recorder.end(LONG)
        assert (wire.end, wire.code, wire.tcp) == ("cut", None, how)
        await recorder.leave()


async def test_a_refused_upgrade() -> None:
    async with raw_server() as server:
        recorder = Recorder(server.port)
        peer = await server.accept()
        await peer.request()
        await peer.send(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
        wire = await recorder.end(LONG)
        assert (wire.end, wire.status, wire.retry_after) == ("refused", 503, "7")
        await recorder.leave()


async def test_a_dial_that_ends_without_an_answer() -> None:
    async with raw_server() as server:
        recorder = Recorder(server.port)
        peer = await server.accept()
        await peer.request()
        peer.fin()
        assert (await recorder.end(LONG)).end == "unanswered"
        await recorder.leave()


async def test_pings_are_answered_and_messages_are_sent() -> None:
    async with raw_server() as server:
        recorder = Recorder(server.port)
        peer = await server.accept()
        await peer.upgrade(tail=frame(9, b"there?"))
        assert await peer.frame() == (10, b"there?")
        await recorder.send("x" * 300)
        assert await peer.frame() == (1, b"x" * 300)
        await recorder.leave()
        assert await peer.close_seen() == (1000, "")


async def test_nobody_listens() -> None:
    async with raw_server() as server:
        port = server.port
    assert not await probe(port)
    recorder = Recorder(port)
    assert (await recorder.end(LONG)).end == "no connection"
    await recorder.leave()
