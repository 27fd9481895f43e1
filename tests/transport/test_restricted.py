"""A wire that may write nothing any more: no message, no ping, no pong, no close frame (O2)."""

import asyncio
from collections.abc import Callable

import pytest

from recloser.testing.doubles.raw_server import PING, PONG, frame, text
from recloser.transport.base import Delivery
from recloser.transport.errors import NotOpen
from tests.transport.link import linked, turns

LONG = "late" * 5000
"""Longer than a message that cannot fill a write buffer."""
Factory = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.spec("O2.3")
async def test_nothing_is_written_once_it_is_not_allowed(loop_factory: Factory) -> None:
    allowed = True
    async with linked() as link:
        link.wire.restrict(lambda: allowed)
        assert await link.wire.send("first") is Delivery.SENT
        assert await link.wire.send(LONG) is Delivery.SENT
        await link.peer.send(frame(PING))
        await link.peer.send(text("hello"))
        assert await link.receive() == "hello"
        allowed = False
        await link.peer.send(frame(PING))
        await link.peer.send(text("are you there?"))
        assert await link.receive() == "are you there?"
        for message in ("late", b"late", LONG):
            with pytest.raises(NotOpen):
                await link.wire.send(message)
        link.wire.ping(None)
        link.wire.close(1001, "late")
        assert link.wire.sent_code is None
        await turns()
        link.wire.abort()
        frames = [await link.peer.frame() for _ in range(3)]
        assert [opcode for opcode, _ in frames] == [1, 1, PONG]
        assert [payload.decode() for _, payload in frames] == ["first", LONG, ""]
        with pytest.raises((EOFError, ConnectionError)):
            await link.peer.frame()
