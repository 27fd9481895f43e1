"""The surface of aiohttp that the transport stands on, pinned.

When one of these fails after an upgrade of aiohttp: read what changed, adapt `upgrade.py` (its
constructor), `wire.py` (the reader) or `aiohttp_outgoing.py` (the writer) so that the releases
before it still work, and run `make compat`.
"""

import asyncio
import gc
import inspect
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, EofStream, WSMsgType
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import WebSocketError, WebSocketWriter, WSMessage

from recloser.testing.doubles.raw_server import close_frame, frame, text
from recloser.transport import compatibility
from recloser.transport.frame_writer import first_step
from recloser.transport.upgrade import Upgrade
from tests.transport.link import linked, turns

WHAT_TO_DO = (
    f"aiohttp {aiohttp.__version__} differs from what the transport stands on: "
    "see the docstring of this file"
)
Factory = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.aiohttp


@pytest.mark.spec("B4.6", "N1.1")
def test_nothing_is_missing_and_what_is_read_is_no_method() -> None:
    assert compatibility.missing() == [], WHAT_TO_DO
    for owner, names in compatibility.ATTRIBUTES:
        for name in names:
            found = inspect.getattr_static(owner, name)
            assert not inspect.isfunction(found), f"{owner.__name__}.{name}: {WHAT_TO_DO}"


@pytest.mark.spec("E1.6")
async def test_a_session_keeps_its_parts_where_a_copy_changes_them() -> None:
    async with ClientSession() as session:
        parts = vars(session)
        assert parts["_connector_owner"] is True, WHAT_TO_DO
        assert parts["_default_headers"] is session.headers, WHAT_TO_DO
        assert parts["_default_proxy"] is None, WHAT_TO_DO
        assert parts["_timeout"] is session.timeout, WHAT_TO_DO
        assert parts["_raise_for_status"] is False, WHAT_TO_DO
        assert parts["_response_class"] is ClientResponse, WHAT_TO_DO
        assert parts["_retry_connection"] is True, WHAT_TO_DO
        assert parts["_ws_response_class"] is ClientWebSocketResponse, WHAT_TO_DO
        assert parts["_middlewares"] == (), WHAT_TO_DO


@pytest.mark.spec("E1.7")
async def test_a_look_up_has_a_time_that_makes_it_old() -> None:
    async with aiohttp.TCPConnector() as connector:
        cached: Any = connector._cached_hosts
        cached.add(("feed.example", 80), [])
        assert not cached.expired(("feed.example", 80)), WHAT_TO_DO
        cached._timestamps["feed.example", 80] = -inf
        assert cached.expired(("feed.example", 80)), WHAT_TO_DO


def test_the_shapes_of_messages_and_errors() -> None:
    assert WSMessage._fields == ("type", "data", "extra"), WHAT_TO_DO
    assert WSMsgType.TEXT is WSMsgType(1), WHAT_TO_DO
    assert WebSocketError(1002, "why").code == 1002, WHAT_TO_DO


async def test_read_yields_one_future_and_gives_the_queue_back_when_cancelled(
    loop_factory: Factory, no_ticks: None
) -> None:
    """What `Wire` stands on: driven by hand, `read()` waits once and loses nothing."""
    async with linked() as link:
        read = link.wire.read
        first = read()
        waiter = first.send(None)
        assert isinstance(waiter, asyncio.Future), WHAT_TO_DO
        with pytest.raises(asyncio.CancelledError):
            first.throw(asyncio.CancelledError())
        second = read()
        waiter = second.send(None)
        await link.peer.send(text("a") + text("b"))
        await asyncio.wait((waiter,))
        with pytest.raises(StopIteration) as done:
            second.send(None)
        assert done.value.value[:2] == (WSMsgType.TEXT, "a"), WHAT_TO_DO
        with pytest.raises(StopIteration) as done:
            read().send(None)
        assert done.value.value[:2] == (WSMsgType.TEXT, "b"), WHAT_TO_DO


async def test_a_cancelled_read_keeps_a_message_that_came_in_the_same_turn(no_ticks: None) -> None:
    async with linked() as link:
        read = link.wire.read
        first = read()
        waiter = first.send(None)
        await link.peer.send(text("a"))
        await asyncio.wait((waiter,))
        with pytest.raises(asyncio.CancelledError):
            first.throw(asyncio.CancelledError())
        with pytest.raises(StopIteration) as done:
            read().send(None)
        assert done.value.value[:2] == (WSMsgType.TEXT, "a"), WHAT_TO_DO


async def test_read_shows_a_close_without_a_code_as_zero(real_ticks: None) -> None:
    async with linked() as link:
        await link.peer.send(close_frame())
        assert await link.wire.read() == (WSMsgType.CLOSE, 0, ""), WHAT_TO_DO


async def test_read_raises_for_good_once_the_socket_has_ended(
    loop_factory: Factory, real_ticks: None
) -> None:
    async with linked() as link:
        link.wire.abort()
        await link.wire.wait_closed()
        for _ in range(3):
            with pytest.raises(EofStream):
                await link.wire.read()


async def test_read_raises_the_reason_of_a_refusal(real_ticks: None) -> None:
    async with linked() as link:
        await link.peer.send(frame(3))
        with pytest.raises(WebSocketError) as refused:
            await link.wire.read()
        assert refused.value.code == 1002, WHAT_TO_DO


async def test_the_writer_writes_before_it_waits(loop_factory: Factory) -> None:
    """What `first_step` stands on: a frame is handed over whole by the first step."""
    async with linked(receive_buffer=4096) as link:
        protocol, transport = link.wire._connection.protocol, link.wire.transport
        assert protocol is not None
        writer = WebSocketWriter(protocol, transport, use_mask=True)
        sender = asyncio.create_task(link.wire.send(bytes(6_000_000)))
        await turns()
        size = transport.get_write_buffer_size()
        first_step(writer.send_frame(bytes(300_000), WSMsgType.BINARY))
        assert transport.get_write_buffer_size() > size + 300_000, WHAT_TO_DO
        assert await link.peer.frame() == (2, bytes(6_000_000))
        assert await link.peer.frame() == (2, bytes(300_000))
        await sender


async def test_nothing_of_http_is_needed_after_the_upgrade(real_ticks: None) -> None:
    """What `Upgrade` lets go of is what aiohttp itself sets to None before and after.

    And a queue, empty for ever, becomes an empty tuple.
    """
    fresh = ResponseHandler(asyncio.get_running_loop())
    assert fresh._parser is None, WHAT_TO_DO
    assert fresh._buffer == deque(), WHAT_TO_DO
    fresh.set_response_params()
    assert fresh._parser is not None, WHAT_TO_DO
    async with linked() as link:
        handler = link.wire._connection.protocol
        assert handler is not None
        assert handler._parser is None
        assert not isinstance(handler._buffer, deque)
        await link.peer.send(text("a"))
        assert (await link.wire.read())[:2] == (WSMsgType.TEXT, "a")
        link.peer.fin()
        with pytest.raises(EofStream):
            await link.wire.read()


async def test_the_answer_is_freed_when_a_wire_has_its_connection(real_ticks: None) -> None:
    """What `Upgrade.hand_over` stands on: an answer without a connection closes none."""
    async with linked(headers="X-Shard: 7\r\n") as link:
        gc.collect()
        found = [each for each in gc.get_objects() if isinstance(each, ClientResponse | Upgrade)]
        assert found == [], WHAT_TO_DO
        assert not link.wire.transport.is_closing(), WHAT_TO_DO
        assert link.wire.headers["x-shard"] == "7"
        await link.peer.send(text("a"))
        assert await link.receive() == "a"
