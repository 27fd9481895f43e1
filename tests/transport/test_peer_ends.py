"""The peer ends the connection: the record says what the wire said (B1, B2, B9, F7)."""

import asyncio
import struct
from collections.abc import Callable

import pytest

from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import CLOSE, close_frame, frame, text
from tests.aiohttp_releases import since_aiohttp
from tests.transport.link import Link, linked

Factory = Callable[[], asyncio.AbstractEventLoop]

READERS = pytest.mark.parametrize("reader", ["parked", "nobody"])
"""Who reads: a consumer that waits, or nobody, so that the wire must see to itself."""


async def ending(link: Link, reader: str) -> tuple[Close, list[str | bytes]]:
    """The record of the end, and the messages that came before it."""
    if reader == "nobody":
        close = await link.end()
        return close, await link.all()
    messages = await link.all()
    return await link.end(), messages


VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4401, 4999)


@pytest.mark.spec("B1.1", "B2.1", "B9.1")
@READERS
@pytest.mark.parametrize("code", VALID)
async def test_a_valid_code_is_recorded_with_its_reason_and_echoed(code: int, reader: str) -> None:
    async with linked() as link:
        await link.peer.send(text("last") + close_frame(code, "why \u2026"))
        close, messages = await ending(link, reader)
        assert close == Close(
            code=code,
            reason="why \u2026",
            sent_code=code,
            origin=Origin.PEER,
            cause=Cause.CLOSE_FRAME,
            clean=True,
        )
        assert messages == ["last"]
        assert await link.peer.close_seen() == (code, "")
        await link.peer.gone()


@pytest.mark.spec("B1.2")
@READERS
async def test_no_code_is_1005_at_once_and_answered_by_an_empty_frame(
    loop_factory: Factory, reader: str
) -> None:
    async with linked() as link:
        await link.peer.send(close_frame())
        close, _ = await ending(link, reader)
        assert (close.code, close.sent_code, close.reason) == (1005, None, "")
        assert (close.cause, close.origin, close.clean) == (Cause.CLOSE_FRAME, Origin.PEER, True)
        assert await link.peer.frame() == (CLOSE, b"")


@pytest.mark.spec("B1.1", "B1.6", "B9.2")
@pytest.mark.parametrize("code", [1006, 5000, 65535])
async def test_a_code_that_must_not_be_sent_is_recorded_but_not_echoed(code: int) -> None:
    async with linked() as link:
        await link.peer.send(close_frame(code, "odd"))
        close, _ = await ending(link, "parked")
        assert (close.code, close.reason, close.sent_code) == (code, "odd", 1002)
        assert (close.cause, close.origin, close.clean) == (Cause.CLOSE_FRAME, Origin.PEER, True)
        assert await link.peer.close_seen() == (1002, "")


REFUSED = {
    **{f"code {code}": (close_frame(code), 1002) for code in
       (0, 999, 1004, 1005, 1015, 1016, 2000, 2999)},
    "one byte of a code": (frame(CLOSE, b"\x03"), 1002),
    "bad utf-8 in a reason": (close_frame(1000, b"\xff\xfe"), 1007),
    "bad utf-8 in a text": (frame(1, b"\xff\xfe"), 1007),
    "reserved bit": (frame(1, b"x", rsv=0x40), 1002),
    "unknown opcode": (frame(3, b"x"), 1002),
    "fragmented ping": (frame(9, b"x", fin=False), 1002),
    "long ping": (b"\x89\x7e" + struct.pack("!H", 126) + bytes(126), 1002),
    "continuation of nothing": (frame(0, b"x"), 1002),
}  # fmt: skip


@pytest.mark.spec("B1.5", "B2.1", "B9.3")
@READERS
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=since_aiohttp("3.14.2", "the parser knows that no extension was agreed upon")
            if name == "reserved bit"
            else (),
        )
        for name in REFUSED
    ],
)
async def test_a_bad_frame_is_refused_and_the_peer_told_why(name: str, reader: str) -> None:
    data, expected = REFUSED[name]
    async with linked() as link:
        await link.peer.send(text("before") + data)
        if reader == "parked":
            assert await link.all() == ["before"]
        assert await link.peer.close_seen() == (expected, "")
        link.peer.fin()
        close = await link.end()
        assert (close.code, close.sent_code, close.clean) == (1006, expected, False)
        assert (close.cause, close.origin) == (Cause.PROTOCOL, Origin.ENGINE)
        assert close.error is not None
        assert await link.all() == ([] if reader == "parked" else ["before"])


@pytest.mark.spec("B1.5", "B16.3")
async def test_a_message_over_the_limit_is_refused_with_1009_which_arrives(
    loop_factory: Factory,
) -> None:
    """The rest of it is still on its way then: closing at once would reset the connection."""
    async with linked(max_message_size=1000) as link:
        await link.peer.send(text("before") + frame(2, bytes(300_000)))
        assert await link.all() == ["before"]
        seen = await link.peer.close_seen()
        assert seen is not None
        assert seen[0] == 1009
        await link.peer.send(bytes(1000))
        link.peer.fin()
        close = await link.end()
        assert (close.code, close.sent_code, close.clean) == (1006, 1009, False)
        assert (close.cause, close.origin) == (Cause.TOO_BIG, Origin.ENGINE)
        assert "raise max_message_size, or ask the peer for less" in str(close.error)


async def test_no_limit_lets_every_size_pass() -> None:
    async with linked(max_message_size=0) as link:
        size = 5 * 2**20
        _, message = await asyncio.gather(link.peer.send(frame(2, bytes(size))), link.receive())
        assert message == bytes(size)


@pytest.mark.spec("B1.3")
@READERS
@pytest.mark.parametrize("cut", ["between frames", "within a frame"])
async def test_an_end_without_a_close_frame_is_1006(
    loop_factory: Factory, reader: str, cut: str
) -> None:
    async with linked() as link:
        await link.peer.send(text("last") + (b"\x81\x05he" if cut == "within a frame" else b""))
        link.peer.fin()
        close, messages = await ending(link, reader)
        assert (close.code, close.sent_code, close.clean) == (1006, None, False)
        assert (close.cause, close.origin) == (Cause.EOF, Origin.NETWORK)
        assert close.error is None
        assert messages == ["last"]


@pytest.mark.spec("B1.3")
@READERS
async def test_a_reset_is_told_from_an_end_and_loses_no_message(
    loop_factory: Factory, reader: str
) -> None:
    async with linked() as link:
        await link.peer.send(text("a") + text("b"))
        assert await link.receive() == "a"
        link.peer.reset()
        close, messages = await ending(link, reader)
        assert (close.code, close.sent_code, close.clean) == (1006, None, False)
        assert (close.cause, close.origin) == (Cause.RESET, Origin.NETWORK)
        assert isinstance(close.error, ConnectionResetError)
        assert close.error.__traceback__ is close.error.__context__ is close.error.__cause__ is None
        assert messages == ["b"]


@pytest.mark.spec("B2.2")
@READERS
@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_an_end_behind_a_close_frame_does_not_hide_it(
    loop_factory: Factory, reader: str, how: str
) -> None:
    async with linked() as link:
        await link.peer.send(close_frame(1000, "bye"))
        if how == "fin":
            link.peer.fin()
        else:
            link.peer.reset()
        close, _ = await ending(link, reader)
        assert (close.code, close.reason, close.cause) == (1000, "bye", Cause.CLOSE_FRAME)
        assert close.clean


@pytest.mark.spec("B1.1")
@READERS
async def test_what_comes_with_the_upgrade_is_not_lost(loop_factory: Factory, reader: str) -> None:
    async with linked(tail=text("hello") + close_frame(4000, "go away")) as link:
        close, messages = await ending(link, reader)
        assert (close.code, close.reason) == (4000, "go away")
        assert messages == ["hello"]


@READERS
async def test_data_behind_a_close_frame_is_never_delivered(reader: str) -> None:
    async with linked() as link:
        await link.peer.send(text("a") + close_frame(1001) + text("b") + frame(2, b"c"))
        close, messages = await ending(link, reader)
        assert close.code == 1001
        assert messages == ["a"]


async def test_fragments_are_one_message() -> None:
    async with linked() as link:
        await link.peer.send(frame(1, b"he", fin=False) + frame(9, b"?") + frame(0, b"llo"))
        assert await link.receive() == "hello"
        assert await link.peer.frame() == (10, b"?")


async def test_the_answer_to_the_upgrade_can_be_read() -> None:
    async with linked(
        headers="Sec-WebSocket-Protocol: v2\r\nX-Node: 7\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
        request={"subprotocols": ("v1", "v2"), "headers": {"X-Key": "secret"}},
    ) as link:
        assert link.wire.subprotocol == "v2"
        assert link.wire.headers["x-node"] == "7"
        assert link.wire.headers["set-cookie"] == "a=1, b=2"
        assert link.peer.head["x-key"] == "secret"
        assert link.peer.head["sec-websocket-protocol"] == "v1,v2"
        assert "sec-websocket-extensions" not in link.peer.head


async def test_the_loop_has_a_turn_also_where_the_peer_has_something_to_read() -> None:
    """Without it a client and a peer that take turns in one task keep every timer waiting."""
    async with linked() as link:
        await link.wire.send("there")
        turns: list[bool] = []
        asyncio.get_running_loop().call_soon(turns.append, True)
        assert await link.peer.frame() == (1, b"there")
        assert turns
