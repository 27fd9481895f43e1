"""Receiving across generations: order, unread messages, cancellation, paused reading."""

import asyncio
import gc
import weakref
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from aiohttp import web

import recloser
from recloser import ConcurrentReceive, ConnectionClosed, Hold, Retry, State, StateChange, Stop
from recloser.testing import Plan
from recloser.testing.doubles.raw_server import close_frame, raw_server
from recloser.transport.socket_wire import SocketWire
from tests.engine.rig import (
    CUT,
    DEAF,
    DOWN,
    HANGS,
    KICKED,
    UP,
    Answering,
    Rig,
    ended,
    engine,
    opened,
    pass_time,
    turns,
    virtual,
)

THREE = Plan(messages=("a", b"b", "c"))


@pytest.mark.spec("H3.1")
@virtual
async def test_iteration_goes_on_across_ends_and_rests() -> None:
    ws, transport = engine(
        THREE, DOWN, Plan(messages=("d",)), UP, policy=Answering(Retry(1.0), Hold(), Retry(1.0))
    )
    got: list[str | bytes] = []

    async def consume() -> None:
        async for message in ws:
            got.append(message)  # noqa: PERF401 - a cancelled comprehension would show nothing

    ws.connect()
    consumer = asyncio.ensure_future(consume())
    await turns()
    assert got == ["a", b"b", "c"]
    transport.wires[-1].end(CUT)
    await pass_time(5)
    assert ws.state is State.PASSIVE
    assert not consumer.done()
    ws.wake()
    await pass_time(5)
    transport.wires[-1].deliver("e")
    await turns()
    assert got == ["a", b"b", "c", "d", "e"]
    await ws.suspend()
    await pass_time(1000)
    assert not consumer.done()
    ws.connect()
    await turns()
    await ws.close()
    await consumer
    assert got == ["a", b"b", "c", "d", "e"]


@pytest.mark.spec("J1.3")
@pytest.mark.parametrize("how", ["close frame", "reset"])
async def test_a_consumer_that_waits_keeps_nothing_of_an_ended_connection(how: str) -> None:
    """Not the wire, its buffers and parser, nor an exception with the frames of its traceback."""
    async with raw_server() as server:
        policy = Answering(Retry(0.0), Retry(3600.0))
        ws = recloser.connect(server.url, policy=policy, governor=None)
        ws.connect()
        peer = await server.accept()
        await peer.upgrade()
        consumer = asyncio.create_task(ws.receive())
        await ws.wait_for(State.OPEN)
        await turns()
        wire = ws._driver.open_wire
        assert isinstance(wire, SocketWire)
        gone = weakref.ref(wire.transport)
        del wire
        if how == "reset":
            peer.reset()
        else:
            await peer.send(close_frame(1012))
        await ws.wait_for(State.CONNECTING)
        (await server.accept()).reset()
        await ws.wait_for(State.BACKOFF)
        await turns()
        gc.collect()
        assert gone() is None
        assert not consumer.done()
        await ws.close()
        with pytest.raises(ConnectionClosed):
            await consumer


@pytest.mark.spec("C3.4", "H3.2")
@pytest.mark.parametrize("answer", [Retry(5.0), Hold(), Stop("enough")])
@virtual
async def test_what_came_before_the_end_is_given_out_in_every_state_after_it(answer: Any) -> None:
    ws, wire, _ = await opened(THREE, HANGS, policy=Answering(answer))
    wire.end(KICKED)
    await turns()
    assert [await ws.receive() for _ in range(3)] == ["a", b"b", "c"]
    if ws.state is State.CLOSED:
        with pytest.raises(ConnectionClosed) as caught:
            await ws.receive()
        assert caught.value.change is not None
        assert caught.value.change.rule == "enough"
        with pytest.raises(ConnectionClosed):
            await anext(ws)  # a Stop is no quiet end
    assert ws.statistics().undelivered == 0
    await ws.close()


@pytest.mark.spec("C3.2", "C3.3")
@virtual
async def test_what_is_left_comes_before_the_messages_of_the_next_generation() -> None:
    ws, wire, _ = await opened(THREE, Plan(messages=("new",)), policy=Answering(Retry(5.0)))
    wire.end(CUT)
    await turns()
    assert await ws.receive() == "a"
    changes = ws.changes()
    await ws.wait_for(State.OPEN)
    assert [await ws.receive() for _ in range(3)] == [b"b", "c", "new"]
    told = [await anext(changes) for _ in range(2)]
    assert [each.undelivered for each in told] == [0, 0]
    assert ws.statistics().undelivered == 0
    await ws.close()


@pytest.mark.spec("C3.7", "C3.8")
@virtual
async def test_what_is_left_is_discarded_and_counted_where_that_is_asked_for() -> None:
    ws, wire, _ = await opened(
        THREE, Plan(messages=("new",)), policy=Answering(Retry(5.0)), unread="discard"
    )
    wire.end(CUT)
    await turns()
    assert await ws.receive() == "a"
    changes = ws.changes()
    with structlog.testing.capture_logs() as lines:
        await ws.wait_for(State.OPEN)
    [line] = [each for each in lines if each["event"] == "websocket.messages_undelivered"]
    assert (line["count"], line["log_level"]) == (2, "warning")
    assert await ws.receive() == "new"
    told = [await anext(changes) for _ in range(2)]
    assert [(each.current, each.undelivered) for each in told] == [
        (State.CONNECTING, 0),
        (State.OPEN, 2),
    ]
    assert ws.statistics().undelivered == 2
    await ws.close()


@pytest.mark.spec("C3.8")
@virtual
async def test_a_dial_that_fails_discards_nothing() -> None:
    hooks = iter([None, ValueError("no"), None])

    def hook(opening: object) -> None:
        error = next(hooks)
        if error is not None:
            raise error

    ws, wire, _ = await opened(
        THREE, UP, UP, policy=Answering(Retry(1.0)), unread="discard", on_open=hook
    )
    wire.end(CUT)
    await pass_time(1.5)
    assert ws.attempt == 2
    assert await ws.receive() == "a"
    await ws.wait_for(State.OPEN)
    assert ws.statistics().undelivered == 2
    await ws.close()


@pytest.mark.spec("C3.3", "C3.4")
@pytest.mark.parametrize("leave", ["close", "suspend", "reconnect"])
@virtual
async def test_what_is_left_is_given_after_an_end_of_our_own(leave: str) -> None:
    ws, _, _ = await opened(THREE, Plan(messages=("new",)))
    assert await ws.receive() == "a"
    outcome = getattr(ws, leave)()
    if outcome is not None:
        await outcome
    assert await ws.receive() == b"b"
    if leave == "close":
        assert [message async for message in ws] == ["c"]
        with pytest.raises(ConnectionClosed):
            await ws.receive()
    elif leave == "suspend":
        ws.connect()
    if leave != "close":
        assert [await ws.receive() for _ in range(2)] == ["c", "new"]
    assert ws.statistics().undelivered == 0
    await ws.close()


@pytest.mark.spec("C3.3")
@virtual
async def test_what_is_left_outlives_a_close_and_a_later_connect() -> None:
    ws, _, _ = await opened(THREE, Plan(messages=("new",)))
    await turns()
    await ws.close()
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert [await ws.receive() for _ in range(4)] == ["a", b"b", "c", "new"]
    await ws.close()


@pytest.mark.spec("C3.7")
@pytest.mark.parametrize("second", [HANGS, Plan(messages=("x", "y"))])
@virtual
async def test_leaving_a_dial_counts_its_messages_and_keeps_what_was_left_before_it(
    second: Plan,
) -> None:
    hooks = iter([asyncio.sleep(0), asyncio.Event().wait()])

    async def hook(opening: object) -> None:
        await next(hooks)

    ws, transport = engine(THREE, second, policy=Answering(Retry(1.0)), on_open=hook)
    seen: list[StateChange] = []
    ws.subscribe(seen.append)
    ws.connect()
    await turns()
    transport.wires[0].end(CUT)
    await pass_time(2)
    assert ws.state is State.CONNECTING
    await ws.close()
    assert seen[-1].undelivered == len(second.messages)
    assert ws.statistics().undelivered == len(second.messages)
    assert [await ws.receive() for _ in range(3)] == ["a", b"b", "c"]
    with pytest.raises(ConnectionClosed):
        await ws.receive()
    for unused in hooks:
        unused.close()


@pytest.mark.spec("C3.2")
@virtual
async def test_on_open_receives_what_is_new_while_the_consumer_has_what_is_old() -> None:
    greeted: list[str | bytes] = []

    async def hook(opening: recloser.Opening) -> None:
        greeted.append(await opening.receive())

    hello = Plan(messages=("hello", "a", "b"))
    ws, wire, _ = await opened(hello, hello, policy=Answering(Retry(1.0)), on_open=hook)
    wire.end(CUT)
    await pass_time(2)
    assert ws.state is State.OPEN
    assert greeted == ["hello", "hello"]
    assert [await ws.receive() for _ in range(4)] == ["a", "b", "a", "b"]
    await ws.close()


@pytest.mark.spec("C3.2", "C3.3")
@virtual
async def test_what_a_consumer_was_about_to_read_itself_is_kept_in_order() -> None:
    """The wire was not reading ahead: a consumer had waited, got the first, and is busy."""
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(1.0)))
    waiting = asyncio.ensure_future(ws.receive())
    await turns()
    for message in ("a", "b", "c"):
        wire.deliver(message)
    wire.end(CUT)
    assert await waiting == "a"
    await ws.wait_for(State.OPEN)
    transport.wires[-1].deliver("d")
    assert [await ws.receive() for _ in range(3)] == ["b", "c", "d"]
    await ws.close()


@pytest.mark.spec("C3.4")
@virtual
async def test_a_dial_that_fails_costs_nothing_of_what_was_left_before_it() -> None:
    ws, wire, _ = await opened(THREE, DOWN, DOWN, policy=Answering(Retry(1.0)))
    wire.end(CUT)
    await pass_time(3)
    assert ws.generation >= 3
    assert [await ws.receive() for _ in range(3)] == ["a", b"b", "c"]
    await ws.close()


@pytest.mark.spec("C3.4")
@virtual
async def test_messages_still_come_while_closing() -> None:
    ws, wire, _ = await opened(Plan(echo_takes=2.0))
    closing = asyncio.ensure_future(ws.close())
    await turns()
    wire.deliver("last words")
    assert await ws.receive() == "last words"
    await closing


@pytest.mark.spec("F8.2")
@pytest.mark.parametrize("place", ["connecting", "open", "closing", "backoff", "held", "asked"])
@virtual
async def test_a_second_receiver_is_refused_wherever_the_first_waits(place: str) -> None:
    async with Rig(place) as rig:
        first = asyncio.ensure_future(ended(rig.ws.receive()))
        await turns()
        for _ in range(2):
            with pytest.raises(ConcurrentReceive, match="another task"):
                await rig.ws.receive()
            with pytest.raises(ConcurrentReceive):
                await anext(rig.ws)
        assert not first.done()
        assert rig.path == []


@pytest.mark.spec("F8.1")
@pytest.mark.parametrize("place", ["connecting", "open", "closing", "backoff", "held", "asked"])
@virtual
async def test_giving_up_a_receive_changes_nothing(place: str) -> None:
    async with Rig(place) as rig:
        for _ in range(3):
            waiting = asyncio.ensure_future(rig.ws.receive())
            await turns()
            waiting.cancel()
            assert isinstance(await ended(waiting), asyncio.CancelledError)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(rig.ws.receive(), 0.1)
        assert rig.path == []


@pytest.mark.spec("F8.1")
@pytest.mark.parametrize("order", ["cancel first", "message first"])
@virtual
async def test_a_message_that_comes_with_the_cancellation_is_not_lost(order: str) -> None:
    ws, wire, _ = await opened()
    waiting = asyncio.ensure_future(ws.receive())
    await turns()
    if order == "cancel first":
        waiting.cancel()
        wire.deliver("precious")
    else:
        wire.deliver("precious")
        waiting.cancel()
    result = await ended(waiting)
    assert result == "precious" or await ws.receive() == "precious"
    wire.deliver("next")
    assert await ws.receive() == "next"
    await ws.close()


@pytest.mark.spec("F8.1", "C3.4")
@virtual
async def test_a_consumer_cancelled_in_the_tick_of_the_end_leaves_the_rest_readable() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(5.0)))
    waiting = asyncio.ensure_future(ws.receive())
    await turns()
    wire.deliver("a")
    wire.deliver("b")
    wire.end(CUT)
    waiting.cancel()
    result = await ended(waiting)
    got = [result] if isinstance(result, str) else []
    while len(got) < 2:
        got.append(await ws.receive())
    assert got == ["a", "b"]
    waiting = asyncio.ensure_future(ws.receive())
    await pass_time(10)
    assert ws.state is State.OPEN
    assert not waiting.done()
    await ws.close()
    assert isinstance(await ended(waiting), ConnectionClosed)


@pytest.mark.spec("C3.2", "H3.1")
@virtual
async def test_a_parked_receiver_gets_the_first_message_of_the_next_generation() -> None:
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(5.0)))
    waiting = asyncio.ensure_future(ws.receive())
    await turns()
    wire.end(CUT)
    wire.deliver("late, on a dead socket")
    await ws.wait_for(State.OPEN)
    assert not waiting.done()
    transport.wires[-1].deliver("fresh")
    assert await waiting == "fresh"
    await ws.close()


@pytest.mark.spec("H3.2", "H3.3")
@pytest.mark.parametrize("answer", [Stop(), ValueError("bad policy"), None])
@virtual
async def test_a_parked_receiver_is_told_of_every_end(answer: Any) -> None:
    ws, wire, _ = await opened(policy=Answering(answer))
    for call in (ws.receive, ws.__anext__):
        if ws.state is State.CLOSED:
            break
        waiting = asyncio.ensure_future(ended(call()))
        await turns()
        wire.end(KICKED)
        error = await waiting
        assert type(error).__name__ == ("ConnectionClosed" if answer == Stop() else "PolicyError")
    assert isinstance(await ended(anext(ws)), type(error))


@pytest.mark.spec("A4.3", "H3.2")
@virtual
async def test_a_parked_receiver_of_an_aborted_wire() -> None:
    ws, _, _ = await opened(DEAF)
    waiting = asyncio.ensure_future(ended(ws.receive()))
    await turns()
    await ws.close()
    assert isinstance(await waiting, ConnectionClosed)


@virtual
async def test_each_error_is_a_new_one() -> None:
    async with Rig("closed") as rig:
        errors = [await ended(rig.ws.receive()) for _ in range(2)]
        assert errors[0] is not errors[1]
        assert str(errors[0]).startswith("closed: code 1000 from application (close_frame")


Line = MutableMapping[str, Any]


@pytest.fixture
def lines() -> Iterator["asyncio.Queue[Line]"]:
    queue: asyncio.Queue[Line] = asyncio.Queue()

    def keep(_logger: object, event: str, line: Line) -> Line:
        queue.put_nowait(line)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        yield queue
    finally:
        structlog.configure(**before)


async def flood(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    for number in range(40_000):
        await ws.send_str(f"{number} " + 1000 * "x")
    return ws


@pytest.mark.spec("F7.2")
async def test_reading_that_pauses_is_told_with_the_fields_of_the_engine(
    lines: "asyncio.Queue[Line]",
) -> None:
    app = web.Application()
    app.router.add_get("/", flood)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with asyncio.timeout(120), recloser.connect(url, fields={"user": "ada"}) as ws:
            line = await lines.get()
            while line["event"] != "websocket.reading_paused":
                line = await lines.get()
            assert line["user"] == "ada"
            assert line["unread"] > 100
            assert (await ws.receive())[:2] == "0 "
    finally:
        await runner.cleanup()
