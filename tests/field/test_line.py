"""A line that goes mute: the server no longer hears the client, and the client still hears it."""

import pytest

from recloser.testing.doubles.raw_server import close_frame, raw_server, text
from tests.field.line import Line
from tests.field.ports import reserved
from tests.field.recorder import Recorder

pytestmark = pytest.mark.spec("B23.1")
LONG = 60.0


async def test_what_is_said_into_a_mute_line_does_not_arrive() -> None:
    with reserved(1) as [through]:
        async with raw_server() as server, Line(through, server.port) as line:
            recorder = Recorder(through)
            peer = await server.accept()
            await peer.upgrade()
            await recorder.answered(LONG)
            await recorder.send("heard")
            assert await peer.frame() == (1, b"heard")
            line.mute = True
            await recorder.send("lost")
            await peer.send(text("still here") + close_frame(1011, "no pong"))
            peer.fin()
            wire = await recorder.end(LONG)
            assert (wire.code, wire.reason) == (1011, "no pong")
            assert recorder.heard == [b"still here"]
            await recorder.leave()


async def test_a_connection_that_is_made_over_a_mute_line_is_well() -> None:
    """The fault is that of the line before: who comes back is heard."""
    with reserved(1) as [through]:
        async with raw_server() as server, Line(through, server.port) as line:
            line.mute = True
            recorder = Recorder(through)
            peer = await server.accept()
            await peer.upgrade()
            await recorder.send("heard")
            assert await peer.frame() == (1, b"heard")
            await recorder.leave()


async def test_a_reset_passes_through() -> None:
    with reserved(1) as [through]:
        async with raw_server() as server, Line(through, server.port):
            recorder = Recorder(through)
            peer = await server.accept()
            await peer.upgrade()
            await recorder.answered(LONG)
            peer.reset()
            assert (await recorder.end(LONG)).tcp == "RST"
            await recorder.leave()


def test_a_port_is_given_once_and_below_those_of_clients() -> None:
    with reserved(3) as first, reserved(3) as second:
        assert len({*first, *second}) == 6
        assert max(*first, *second) < 32768
