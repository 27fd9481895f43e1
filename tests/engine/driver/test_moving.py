"""A move without a gap: the successor comes first, and what may go wrong meanwhile."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

import recloser
from recloser import (
    Budget,
    Close,
    ConnectionClosed,
    Distinct,
    Hold,
    MoveFailed,
    NotOpen,
    Opening,
    Outbox,
    Retry,
    State,
    StateChange,
    Stop,
    Timeouts,
    Unauthorized,
)
from recloser.fsm import Cause, Origin
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import (
    CUT,
    DEAF,
    DOWN,
    HANGS,
    KICKED,
    REFUSED,
    UP,
    Answering,
    ended,
    engine,
    now,
    opened,
    pass_time,
    turns,
    virtual,
)
from tests.engine.served import PATIENCE, serving, upgraded

PATH = [State.CLOSING, State.CONNECTING, State.OPEN]
"""The changes of a move, all at one moment where the peer answers at once."""


def following(ws: Any) -> list[StateChange]:
    changes: list[StateChange] = []
    ws.subscribe(changes.append)
    return changes


@pytest.mark.spec("C1.2", "C3.9", "A7", "B3")
@virtual
async def test_the_successor_comes_first_and_the_changes_are_those_of_any_life() -> None:
    policy = Answering(Retry(5.0))
    ws, wire, transport = await opened(UP, Plan(takes=3.0), policy=policy)
    changes = following(ws)
    move = asyncio.ensure_future(ws.move(4000, "new home"))
    await pass_time(3.9)
    assert (ws.state, ws.generation, changes) == (State.OPEN, 1, [])
    await ws.send("still the old one")
    assert wire.sent == ["still the old one"]
    await pass_time(0.2)
    await move
    assert [change.current for change in changes] == PATH
    assert [change.generation for change in changes] == [1, 1, 2]
    assert {change.at for change in changes} == {4.0}
    assert (ws.state, ws.generation) == (State.OPEN, 2)
    assert wire.closed_with == (4000, "new home")
    assert [close.intentional for close, _ in policy.asked] == [True]
    close = changes[1].close
    assert close is not None
    assert (close.origin, close.code, close.sent_code) == (Origin.APPLICATION, 4000, 4000)
    assert changes[1].uptime == 4.0
    await ws.send("the new one")
    assert transport.wires[1].sent == ["the new one"]
    assert transport.live == [transport.wires[1]]
    await ws.close()


@pytest.mark.spec("C3.2", "C3.9")
@virtual
async def test_both_receive_and_all_of_the_old_comes_before_the_new() -> None:
    ws, old, transport = await opened(Plan(echo_takes=0.3), Plan(messages=("new 1",)))
    move = asyncio.ensure_future(ws.move())
    await pass_time(1.1)
    new = transport.wires[1]
    assert (old.closed_with, ws.state) == ((1000, ""), State.CLOSING)
    old.deliver("old 1")
    new.deliver("new 2")
    assert await ws.receive() == "old 1"
    waiting = asyncio.ensure_future(ws.receive())
    await turns()
    assert not waiting.done()
    old.deliver("old 2")
    assert await waiting == "old 2"
    old.deliver("old 3")
    await pass_time(0.3)
    await move
    new.deliver("new 3")
    got = [await ws.receive() for _ in range(4)]
    assert got == ["old 3", "new 1", "new 2", "new 3"]
    await ws.close()


class Broadcast:
    """Gives every event to each live socket, 100 in a second."""

    def __init__(self, transport: ScriptedTransport) -> None:
        self.transport = transport
        self.sent = 0

    async def run(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            tick = loop.create_future()
            loop.call_later(0.01, tick.set_result, None)
            await tick
            self.sent += 1
            for wire in self.transport.wires[-2:]:
                if wire.closed_with is None:
                    wire.deliver(str(self.sent))


async def moved(count: int) -> None:
    """Move so many times while events come, and look that none is missing."""

    async def subscribe(_: Opening) -> None:
        await pass_time(0.02)  # events come on both sockets

    plans = [Plan(takes=0.05, echo_takes=0.02)] * (count + 1)
    ws, transport = engine(*plans, on_open=subscribe)
    ws.connect()
    await ws.wait_for(State.OPEN)
    server, got = Broadcast(transport), list[int]()
    feed = Distinct(ws, key=lambda message: message)
    most = 0

    async def consume() -> None:
        async for message in feed:
            got.append(int(message))

    consumer = asyncio.ensure_future(consume())
    serving = asyncio.ensure_future(server.run(count * 1.05 + 2.0))
    for _ in range(count):
        await ws.move()
        most = max(most, len(transport.live))
        transport.wires[:-2] = []
    await serving
    await ws.close()
    await consumer
    assert got == list(range(1, server.sent + 1))
    assert feed.repeated > 0
    assert most == 1, "the old socket is gone when the move is over"
    assert ws.statistics().undelivered == 0
    assert ws.generation == count + 1


@pytest.mark.spec("C3.9", "J1.1")
@virtual
async def test_nothing_is_missed_at_a_hundred_events_a_second() -> None:
    await moved(50)


@pytest.mark.slow
@pytest.mark.spec("C3.9", "J1.1")
@virtual
async def test_nothing_is_missed_over_a_thousand_moves() -> None:
    await moved(1000)


@pytest.mark.spec("C1.2", "A4.2")
@virtual
async def test_a_deaf_peer_is_left_after_half_a_second() -> None:
    ws, old, transport = await opened(DEAF, UP)
    changes = following(ws)
    move = asyncio.ensure_future(ws.move())
    await pass_time(1.4)
    assert (ws.state, old.over) == (State.CLOSING, False)
    await pass_time(0.2)
    await move
    assert (ws.state, old.aborted) == (State.OPEN, True)
    assert transport.live == [transport.wires[1]]
    close = changes[1].close
    assert close is not None
    assert (close.cause, close.intentional) == (Cause.CLOSE_TIMEOUT, True)
    await ws.close()


@pytest.mark.spec("C3.10")
@pytest.mark.parametrize("end", [CUT, KICKED, Close.frame(1000)])
@virtual
async def test_where_the_old_ends_first_the_dial_of_the_successor_is_the_redial(end: Close) -> None:
    policy = Answering(Retry(30.0, rule="later"))
    ws, old, transport = await opened(UP, Plan(takes=3.0), policy=policy)
    changes = following(ws)
    move = asyncio.ensure_future(ws.move())
    await pass_time(2.0)
    old.deliver("last words")
    old.end(end)
    await turns()
    assert ws.state is State.CONNECTING
    assert [change.current for change in changes] == [State.BACKOFF, State.CONNECTING]
    assert (changes[0].close, changes[0].rule, changes[0].attempt) == (end, "later", 1)
    await pass_time(2.1)
    await move
    assert ws.state is State.OPEN
    assert (len(transport.requests), ws.generation) == (2, 2)
    transport.wires[1].deliver("first words")
    assert [await ws.receive(), await ws.receive()] == ["last words", "first words"]
    await ws.close()


@pytest.mark.spec("C3.10")
@pytest.mark.parametrize(
    ("answer", "state"),
    [(Hold(), State.PASSIVE), (Stop(), State.CLOSED), (Retry(7.0, refresh=True), State.BACKOFF)],
)
@virtual
async def test_unless_the_policy_says_otherwise(answer: Any, state: State) -> None:
    ws, old, transport = await opened(UP, Plan(takes=3.0), policy=Answering(answer))
    move = asyncio.ensure_future(ended(ws.move()))
    await pass_time(2.0)
    old.end(CUT)
    await turns()
    assert ws.state is state
    await pass_time(5.0)
    assert ws.state is state
    assert len(transport.wires) == 1
    if state is State.BACKOFF:
        assert not move.done()
        ws.connect()
        await turns()
    await ws.close()
    outcome = await move
    expected = {State.PASSIVE: NotOpen, State.CLOSED: ConnectionClosed}
    assert isinstance(outcome, expected.get(state, ConnectionClosed))


FAILURES = {
    "refused": (DOWN, None, Cause.REFUSED, 1.0),
    "hangs": (HANGS, None, Cause.CONNECT_TIMEOUT, 6.0),
    "bug": (UP, LookupError("a bug"), Cause.HOOK, 1.0),
    "rejected": (UP, Unauthorized("spent"), Cause.REJECTED, 1.0),
}


@pytest.mark.spec("C3.11", "B3", "G8.2")
@pytest.mark.parametrize("failure", FAILURES)
@virtual
async def test_where_the_successor_fails_the_old_goes_on(failure: str) -> None:
    plan, error, cause, when = FAILURES[failure]

    def on_open(opening: Opening) -> None:
        if opening.generation == 2 and error is not None:
            raise error

    policy = Answering(Retry(20.0, rule="not so soon"))
    ws, old, transport = await opened(
        UP, plan, UP, on_open=on_open, policy=policy, timeouts=Timeouts(connect=5.0)
    )
    changes = following(ws)
    with capture_logs() as lines:
        failed = await ended(ws.move())
    assert isinstance(failed, MoveFailed)
    assert failed.close.cause is cause
    assert f"successor failed by {cause.value}" in str(failed)
    assert now() == when
    [line] = [line for line in lines if line["event"] == "websocket.move_failed"]
    assert (line["log_level"], line["cause"], line["rule"]) == (
        "warning",
        cause.value,
        "not so soon",
    )
    assert (changes, ws.state, ws.generation, ws.attempt) == ([], State.OPEN, 1, 1)
    assert len(policy.asked) == 1
    assert transport.live == [old]
    old.deliver("on it goes")
    assert await ws.receive() == "on it goes"
    await ws.send("and back")
    assert old.sent == ["and back"]
    await ws.move()
    assert now() == pytest.approx(when + 20.0)
    assert ws.generation == 3
    await ws.close()


@pytest.mark.spec("C3.11", "B4.1")
@pytest.mark.parametrize("answer", [Stop(), Hold(), ZeroDivisionError("a bug"), "nonsense"])
@virtual
async def test_whatever_the_policy_answers_then_the_connection_stays(answer: Any) -> None:
    ws, old, _ = await opened(UP, DOWN, UP, policy=Answering(answer))
    with capture_logs() as lines:
        assert isinstance(await ended(ws.move()), MoveFailed)
    told = [line for line in lines if line["event"] == "websocket.listener_failed"]
    assert len(told) == (not isinstance(answer, Stop | Hold))
    assert all("PolicyError" in line["exception"] for line in told)
    assert (ws.state, old.over) == (State.OPEN, False)
    await ws.move()
    assert ws.generation == 3
    await ws.close()


@pytest.mark.spec("C3.11")
@virtual
async def test_a_successor_that_ends_before_the_switch_is_dialled_anew() -> None:
    ws, old, transport = await opened(Plan(echo_takes=0.4), UP, UP)
    move = asyncio.ensure_future(ended(ws.move()))
    await pass_time(1.1)
    transport.wires[1].deliver("lost with it")
    transport.wires[1].end(CUT)
    assert isinstance(await move, MoveFailed)
    await pass_time(2.0)
    assert (ws.state, ws.generation) == (State.OPEN, 3)
    assert transport.live == [transport.wires[2]]
    assert old.closed_with == (1000, "")
    assert ws.statistics().undelivered == 1
    await ws.close()


@pytest.mark.spec("C3.12", "A1", "A4.1")
@pytest.mark.parametrize(
    "plan", [UP, DEAF, HANGS, Plan(takes=2.0)], ids=["up", "deaf", "hangs", "slow"]
)
@pytest.mark.parametrize("leave", ["close", "suspend"])
@pytest.mark.parametrize("when", [0.5, 1.2])
@virtual
async def test_leaving_ends_both(when: float, leave: str, plan: Plan) -> None:
    ws, old, transport = await opened(Plan(echo_takes=0.4), plan, UP)
    move = asyncio.ensure_future(ended(ws.move()))
    await pass_time(when)
    await getattr(ws, leave)(4001, "bye")
    assert now() <= when + 1.0
    assert transport.live == []
    assert ws.state is (State.CLOSED if leave == "close" else State.PASSIVE)
    assert old.closed_with is not None
    assert isinstance(await move, ConnectionClosed | NotOpen)
    await pass_time(100)
    assert len(transport.requests) == (2 if when > 1 else 1)
    await ws.close()


@pytest.mark.spec("C3.12")
@virtual
async def test_reconnect_and_fail_during_a_move() -> None:
    for call in ("reconnect", "fail"):
        policy = Answering(Retry(1.0))
        ws, old, transport = await opened(UP, Plan(takes=4.0), UP, policy=policy)
        move = asyncio.ensure_future(ended(ws.move()))
        await pass_time(2.0)
        if call == "reconnect":
            ws.reconnect(4000)
        else:
            ws.fail("start over", retry_after=1.0)
        await pass_time(10.0)
        assert await move is None
        assert (ws.state, ws.generation) == (State.OPEN, 3)
        assert transport.live == [transport.wires[-1]]
        assert old.over
        await ws.close()


@pytest.mark.spec("C3.9", "G3.1", "G1.2")
@virtual
async def test_what_is_sent_meanwhile_goes_out_once_and_in_order() -> None:
    ws, old, transport = await opened(Plan(echo_takes=0.3), UP, outbox=Outbox())
    move = asyncio.ensure_future(ws.move())
    for number in range(20):
        await ws.send(str(number))
        await pass_time(0.1)
    await move
    sent = [*old.sent, *transport.wires[1].sent]
    assert sent == [str(number) for number in range(20)]
    assert old.sent
    assert transport.wires[1].sent
    await ws.close()


@pytest.mark.spec("C3.9", "G4.3", "G3.3")
@virtual
async def test_what_had_not_left_the_old_comes_back_first() -> None:
    ws, old, transport = await opened(DEAF, UP, outbox=Outbox())
    old.stall()
    stuck = asyncio.ensure_future(ws.send("stuck"))
    await turns()
    move = asyncio.ensure_future(ws.move())
    await pass_time(1.2)
    await ws.send("behind")
    await pass_time(0.5)
    await move
    await stuck
    await ws.send("last")
    assert transport.wires[1].sent == ["stuck", "behind", "last"]
    assert old.sent == []
    await ws.close()


@pytest.mark.spec("C3.8")
@virtual
async def test_a_feed_that_begins_with_a_snapshot_drops_what_was_not_taken() -> None:
    ws, old, _ = await opened(UP, Plan(messages=("snapshot",)), unread="discard")
    old.deliver("stale")
    await turns()
    await ws.move()
    assert await ws.receive() == "snapshot"
    assert ws.statistics().undelivered == 1
    await ws.close()


@pytest.mark.spec("G8.1", "C3.9")
@virtual
async def test_the_old_serves_until_on_open_of_the_successor_has_returned() -> None:
    ready = asyncio.Event()

    async def subscribe(opening: Opening) -> None:
        await opening.send(f"subscribe {opening.generation}")
        if opening.generation == 2:
            await ready.wait()

    ws, old, transport = await opened(UP, UP, on_open=subscribe)
    move = asyncio.ensure_future(ws.move())
    await pass_time(2.0)
    assert transport.wires[1].sent == ["subscribe 2"]
    old.deliver("still here")
    assert await ws.receive() == "still here"
    assert (ws.state, old.closed_with) == (State.OPEN, None)
    ready.set()
    await move
    assert old.closed_with == (1000, "")
    await ws.close()


@pytest.mark.spec("C1.2")
@virtual
async def test_callers_share_one_move_and_may_be_cancelled() -> None:
    ws, _, transport = await opened(UP, Plan(takes=1.0), UP)
    moves = [asyncio.ensure_future(ws.move()) for _ in range(3)]
    await pass_time(1.5)
    moves[0].cancel()
    await pass_time(1.0)
    assert [move.cancelled() for move in moves] == [True, False, False]
    assert [await move for move in moves[1:]] == [None, None]
    assert len(transport.requests) == 2
    await ws.close()


@pytest.mark.spec("C1.2", "D4.4")
@virtual
async def test_moves_keep_the_gap_of_dials_and_their_budget() -> None:
    ws, _, transport = await opened(
        *[UP] * 9, budget=Budget((3, 60.0)), policy=Answering(Retry(5.0))
    )
    await ws.move()
    await ws.move()
    assert now() == 2.0
    failed = await ended(ws.move())
    assert isinstance(failed, MoveFailed)
    assert failed.close.cause is Cause.BUDGET
    assert (ws.state, ws.attempt, len(transport.requests)) == (State.OPEN, 2, 3)
    await ws.move()
    assert 60.0 <= now() <= 70.0
    await ws.close()


@pytest.mark.spec("C1.2")
@pytest.mark.parametrize("code", [1006, "1000"])
@virtual
async def test_where_there_is_nothing_to_move_from(code: Any) -> None:
    ws, _ = engine(HANGS, policy=Answering(Retry(50.0)))
    assert isinstance(await ended(ws.move()), ConnectionClosed)
    ws.connect()
    failed = await ended(ws.move())
    assert isinstance(failed, NotOpen)
    assert failed.state is State.CONNECTING
    assert isinstance(await ended(ws.move(code)), ValueError | TypeError)
    await ws.close()
    assert ws.last_close != REFUSED


class Exchange:
    """A real server that gives every event, a hundred in a second, to each connection."""

    def __init__(self) -> None:
        self.connections: list[web.WebSocketResponse] = []
        self.most = 0
        self.sent = 0

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        ws = await upgraded(request)
        self.connections.append(ws)
        self.most = max(self.most, len(self.connections))
        async for _ in ws:
            pass
        self.connections.remove(ws)
        return ws

    async def trade(self) -> None:
        while True:
            tick = asyncio.get_running_loop().create_future()
            timer = asyncio.get_running_loop().call_later(0.01, tick.set_result, None)
            try:
                await tick
            finally:
                timer.cancel()  # of a tick that was cancelled
            self.sent += 1
            for ws in tuple(self.connections):
                with suppress(ConnectionError):  # the client has just left
                    await ws.send_str(str(self.sent))


@pytest.mark.spec("C1.2", "C3.9")
async def test_nothing_is_missed_on_real_sockets() -> None:
    exchange, got = Exchange(), list[int]()
    async with (
        asyncio.timeout(PATIENCE),
        serving(exchange.serve) as url,
        recloser.connect(url) as ws,
    ):
        trading = asyncio.ensure_future(exchange.trade())
        moving = asyncio.ensure_future(ws.move())
        feed = Distinct(ws, key=lambda message: message)
        async for message in feed:
            got.append(int(message))
            if moving.done() and len(got) > 50:
                break
        trading.cancel()
        await moving
    assert got == list(range(got[0], got[0] + len(got)))
    assert ws.generation == 2
    assert exchange.most == 2
