"""What a server may answer to an upgrade, against RFC 6455 sections 4.1, 4.2.2 and 5.1 (B1.7)."""

import asyncio
from collections.abc import Callable
from itertools import product

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from recloser import policies
from recloser.fsm.decisions import Stop
from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import PING, PONG, accept_key, close_frame, frame
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, DialFailed, Request, Wire
from recloser.transport.handshake import invalid_upgrade, plain
from tests.aiohttp_releases import since_aiohttp
from tests.policies.rig import after
from tests.transport.link import Link, linked, turns

Factory = Callable[[], asyncio.AbstractEventLoop]

OFFERED = ("v2", "v1")
VALID = {
    "plain": {},
    "a list": {"Connection": "keep-alive, Upgrade"},
    "a list, the other way": {"Connection": "upgrade,keep-alive"},
    "spaces and case": {"Connection": " KEEP-ALIVE ,\tUPGRADE ", "Upgrade": "WebSocket"},
    "two lines": {"Connection": "keep-alive\r\nConnection: Upgrade"},
    "one of ours": {"Sec-WebSocket-Protocol": "v1"},
    "no extension": {"Sec-WebSocket-Extensions": ""},
    "something else": {"X-Own": "yes"},
}
INVALID = {
    "another protocol": ({"Upgrade": "h2c"}, "Upgrade: websocket"),
    "no upgrade": ({"Upgrade": ""}, "Upgrade: websocket"),
    "two upgrades": ({"Upgrade": "websocket, h2c"}, "Upgrade: websocket"),
    "close": ({"Connection": "close"}, "Connection: Upgrade"),
    "a word that begins alike": ({"Connection": "upgraded"}, "Connection: Upgrade"),
    "a wrong key": ({"Sec-WebSocket-Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "challenge"),
    "no key": ({"Sec-WebSocket-Accept": ""}, "challenge"),
    "two keys": ({"Sec-WebSocket-Accept": "{}\r\nSec-WebSocket-Accept: {}"}, "two accept keys"),
    "a subprotocol of its own": ({"Sec-WebSocket-Protocol": "v3"}, "subprotocol"),
    "another case": ({"Sec-WebSocket-Protocol": "V1"}, "subprotocol"),
    "two subprotocols": ({"Sec-WebSocket-Protocol": "v1, v2"}, "subprotocol"),
    "an empty subprotocol": ({"Sec-WebSocket-Protocol": ""}, "subprotocol"),
    "an extension": ({"Sec-WebSocket-Extensions": "permessage-deflate"}, "extension"),
}


def answer(headers: dict[str, str]) -> Callable[[Peer], object]:
    async def play(peer: Peer) -> None:
        await peer.request()
        said = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": "{}",
        } | headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        key = accept_key(peer.head["sec-websocket-key"])
        await peer.send(("HTTP/1.1 101 X\r\n" + lines + "\r\n").replace("{}", key).encode())

    return play


async def dialled(
    headers: dict[str, str], *, lent: bool, subprotocols: tuple[str, ...] = OFFERED
) -> Wire | Close:
    session = ClientSession() if lent else None
    transport = AiohttpTransport(session=session, heartbeat=None)
    try:
        async with serving() as server:
            play = answer(headers)
            request = Request(server.url, subprotocols=subprotocols)
            dial = asyncio.ensure_future(transport.dial(request, lambda close: None))
            await play(await server.accept())  # type: ignore[misc] # a coroutine
            try:
                wire = await dial
            except DialFailed as failed:
                return failed.close
            wire.abort()
            await wire.wait_closed()
            return wire
    finally:
        await transport.aclose()
        if session is not None:
            await session.close()


@pytest.mark.spec("B1.7")
@pytest.mark.parametrize("lent", [False, True], ids=["own", "lent"])
@pytest.mark.parametrize("name", VALID)
async def test_what_the_rfc_allows_opens(name: str, lent: bool) -> None:
    wire = await dialled(VALID[name], lent=lent)
    assert isinstance(wire, Wire)
    assert wire.subprotocol == VALID[name].get("Sec-WebSocket-Protocol")


@pytest.mark.spec("B1.7")
@pytest.mark.parametrize("lent", [False, True], ids=["own", "lent"])
@pytest.mark.parametrize("name", INVALID)
async def test_what_the_rfc_forbids_fails_the_dial_and_a_rule_decides(
    name: str, lent: bool
) -> None:
    headers, words = INVALID[name]
    close = await dialled(headers, lent=lent)
    assert isinstance(close, Close)
    assert (close.cause, close.origin, close.status) == (Cause.PROTOCOL, Origin.ENGINE, 101)
    assert words in str(getattr(close.error, "message", ""))
    decision = policies.standard().decide(close, after(1))
    assert (type(decision), decision.rule) == (Stop, "bad-upgrade")


@pytest.mark.spec("B1.7")
async def test_without_an_offer_no_subprotocol_is_right() -> None:
    close = await dialled({"Sec-WebSocket-Protocol": "v1"}, lent=False, subprotocols=())
    assert isinstance(close, Close)
    assert close.cause is Cause.PROTOCOL


@pytest.mark.spec("B1.7")
async def test_the_wire_shows_the_headers_as_they_came() -> None:
    async with linked(headers="X-Zone: eu\r\n") as link:
        assert link.wire.headers["connection"] == "Upgrade"
    async with serving() as server:
        transport = AiohttpTransport(heartbeat=None)
        dial = asyncio.ensure_future(transport.dial(Request(server.url), lambda close: None))
        play = answer({"Connection": "keep-alive, Upgrade"})
        await play(await server.accept())  # type: ignore[misc] # a coroutine
        wire = await dial
        assert wire.headers["connection"] == "keep-alive, Upgrade"
        wire.abort()
        await wire.wait_closed()
        await transport.aclose()


TOKENS = st.lists(st.sampled_from(["upgrade", "Upgrade", "keep-alive", "close", "x", ""]))


@pytest.mark.spec("B1.7")
@given(TOKENS, st.sampled_from([",", ", ", " , "]))
def test_a_list_of_tokens(tokens: list[str], between: str) -> None:
    headers = CIMultiDict(upgrade="websocket", connection=between.join(tokens))
    right = "upgrade" in (token.lower() for token in tokens)
    assert (invalid_upgrade(headers, CIMultiDict()) is None) is right


LINES = {
    "Upgrade": ((), ("websocket",), ("WebSocket",), ("h2c",), ("websocket", "h2c")),
    "Connection": ((), ("Upgrade",), ("upgrade",), ("close",), ("Upgrade", "close")),
    "Sec-WebSocket-Accept": ((), ("a",), ("a", "a"), ("a, a",)),
    "Sec-WebSocket-Protocol": ((), ("",), ("v1",)),
    "Sec-WebSocket-Extensions": ((), ("",), ("permessage-deflate",)),
}
"""Of each header that is judged: the lines in which it may come."""


@pytest.mark.spec("B1.7")
def test_what_is_plain_is_right_and_the_rest_is_judged() -> None:
    found = []
    for lines in product(*LINES.values()):
        named = zip(LINES, lines, strict=True)
        headers = CIMultiDict((name, each) for name, values in named for each in values)
        if plain(headers):
            found.append(lines[:2])
            assert invalid_upgrade(headers, CIMultiDict()) is None
    assert {*found} == {(("websocket",), ("Upgrade",)), (("websocket",), ("upgrade",))}


def masked(data: bytes) -> bytes:
    """Mask an unmasked frame with zeros."""
    size = 2 if data[1] < 126 else 4
    return bytes((data[0], data[1] | 0x80)) + data[2:size] + bytes(4) + data[size:]


FIRST = {
    "text": frame(1, b"hi"),
    "empty": frame(2),
    "long": frame(2, b"x" * 40_000),
    "ping": frame(PING, b"?"),
    "close": close_frame(1000),
}


async def refused(link: Link) -> None:
    assert (await asyncio.wait_for(link.peer.close_seen(), 5))[0] == 1002
    link.peer.fin()
    close = await link.end()
    assert (close.code, close.sent_code) == (1006, 1002)
    assert (close.cause, close.origin) == (Cause.PROTOCOL, Origin.ENGINE)
    assert await link.all() == []


@since_aiohttp("3.14.4", "the parser is handed over before it has parsed anything")
@pytest.mark.spec("B1.8", "B1.5")
@pytest.mark.usefixtures("no_ticks")
@pytest.mark.parametrize("how", ["with the answer", "later", "byte by byte"])
@pytest.mark.parametrize("first", FIRST)
async def test_a_server_that_masks_is_refused(loop_factory: Factory, first: str, how: str) -> None:
    data = masked(FIRST[first])
    async with linked(tail=data if how == "with the answer" else b"") as link:
        if how == "later":
            await link.peer.send(data)
        elif how == "byte by byte":
            for byte in data[:3]:
                await link.peer.send(bytes((byte,)))
                await turns(5)
        await refused(link)


@pytest.mark.spec("B1.8")
@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_masked_ping_or_pong_is_refused_also_later(opcode: int) -> None:
    async with linked() as link:
        await link.peer.send(frame(1, b"first"))
        assert await link.receive() == "first"
        await link.peer.send(masked(frame(opcode, b"?")))
        await refused(link)


@pytest.mark.parametrize("first", ["text", "empty", "long"])
async def test_a_first_frame_in_pieces_is_taken(loop_factory: Factory, first: str) -> None:
    data = FIRST[first]
    async with linked() as link:
        for at in (0, 1, 2, 3):
            await link.peer.send(data[at : at + 1] if at < 3 else data[3:])
            await turns(5)
        assert await link.receive() == {"text": "hi", "empty": b"", "long": b"x" * 40_000}[first]
        await link.peer.send(frame(1, b"second") + close_frame(1000))
        assert await link.all() == ["second"]
