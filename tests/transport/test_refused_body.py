"""The body of a refused upgrade is a hint, and never delays a dial for long (B19)."""

import asyncio
import gzip
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import policies
from recloser.fsm.record import Cause, Close
from recloser.testing.doubles.raw_server import RawPeer as Peer
from recloser.testing.doubles.raw_server import raw_server as serving
from tests.transport.test_dialling import played

Factory = Callable[[], asyncio.AbstractEventLoop]


async def refusal(*parts: bytes, head: str, fin: bool = True, **options: object) -> Close:
    """The record of an answer in these parts, each in a segment of its own."""

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(f"HTTP/1.1 {head}\r\n\r\n".encode())
        for part in parts:
            await asyncio.sleep(0)
            await peer.send(part)
        if fin:
            peer.fin()
        assert await peer.gone()

    async with serving() as server:
        return await played(server, play, **options)


@pytest.mark.spec("B19", "B7")
@pytest.mark.parametrize(
    ("head", "parts", "body"),
    [
        ("500 No\r\nContent-Length: 17", [b"No such target id"], "No such target id"),
        ("404 No\r\nContent-Length: 17", [b"No such", b" target id"], "No such target id"),
        # aiohttp reads no body to the end of the stream after an upgrade was asked for.
        ("404 No\r\nConnection: close", [b"Cannot GET /ws"], ""),
        (
            "403 No\r\nTransfer-Encoding: chunked",
            [b"4\r\n<h1>\r\n", b"3\r\nabc\r\n0\r\n\r\n"],
            "<h1>abc",
        ),
        ("200 OK\r\nContent-Length: 0", [], ""),
        ("204 No Content", [], ""),
        ("404 No\r\nContent-Length: 9999", [b"x" * 9999], "x" * 200),
        ("404 No\r\nContent-Length: 7", [b"a\r\n\tb\x00c"], "a b c"),
        ("404 No\r\nContent-Length: 200", ["é".encode() * 100], "é" * 100),
        ("404 No\r\nContent-Length: 202", [b"a" + "é".encode() * 100 + b"z"], "a" + "é" * 99),
        ("302 Moved\r\nLocation: /x\r\nContent-Length: 4", [b"over"], "over"),
    ],
)
async def test_the_beginning_of_the_body_is_in_the_record(
    loop_factory: Factory, head: str, parts: list[bytes], body: str
) -> None:
    close = await refusal(*parts, head=head, fin="close" in head)
    assert (close.cause, close.body) == (Cause.REFUSED, body)


@pytest.mark.spec("B19")
async def test_a_compressed_body_is_read() -> None:
    packed = gzip.compress(b"no route")
    head = f"404 No\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}"
    assert (await refusal(packed, head=head)).body == "no route"


@pytest.mark.spec("B19")
async def test_a_body_that_is_garbage_does_not_hide_the_refusal() -> None:
    head = "503 No\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\nRetry-After: 3"
    close = await refusal(b"garbage", head=head)
    assert (close.cause, close.status, close.retry_after) == (Cause.REFUSED, 503, 3.0)


@pytest.mark.spec("B19", "F5")
@pytest.mark.parametrize("sent", [b"", b"the beginning"])
async def test_a_body_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    """The peer leaves the connection open; what came in time is kept."""
    close = await refusal(sent, head="404 No\r\nContent-Length: 500", fin=False)
    assert (close.status, close.body) == (404, sent.decode())


@pytest.mark.spec("B19", "I2")
async def test_secrets_in_a_body_reach_neither_record_nor_log() -> None:
    secret = "s3cr3t-0123456789abcdef"

    async def play(peer: Peer) -> None:
        body = f"denied for token={secret}".encode()
        await peer.request()
        await peer.send(b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert await peer.gone()

    async with serving() as server:
        with capture_logs() as logs:
            ws = recloser.connect(server.url, policy=policies.standard(), heartbeat=None)
            ws.connect()
            await play(await server.accept())
            await ws.wait_for(recloser.State.CLOSED)
    assert ws.last_close is not None
    assert ws.last_close.body == "denied for token=***"
    assert logs[-1]["body"] == "denied for token=***"
    assert secret not in repr((ws.last_close, logs))
