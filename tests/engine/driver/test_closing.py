"""Closing on purpose: intent, wishes, the bound, and what is on the wire."""

import asyncio
from itertools import pairwise, product

import pytest

from recloser import Close, ConnectionClosed, Hold, Retry, State, StateChange, Stop, Timeouts
from recloser.fsm import Cause, Origin, Trigger, Wish
from recloser.testing import Plan
from tests.engine.rig import (
    CUT,
    DEAF,
    HANGS,
    KICKED,
    STATES,
    UP,
    Answering,
    Rig,
    ended,
    engine,
    now,
    opened,
    pass_time,
    timers,
    turns,
    virtual,
)


@pytest.mark.spec("A1", "A9", "J1.2")
@pytest.mark.parametrize("answer", [Retry(0.0), Retry(5.0), Hold(), Stop("x"), ValueError("x")])
@pytest.mark.parametrize("place", STATES)
@virtual
async def test_nothing_dials_after_close_whatever_the_policy_answers(
    place: str, answer: object
) -> None:
    async with Rig(place) as rig:
        rig.policy.answers, rig.policy.always = [answer], True
        await rig.ws.close()
        dials = len(rig.transport.requests)
        for wire in rig.transport.wires:
            wire.end(KICKED)
            wire.deliver("late")
        rig.ws.wake()
        rig.ws.mark_healthy()
        rig.ws.advise("late")
        await pass_time(100_000)
        assert rig.ws.state is State.CLOSED
        assert len(rig.transport.requests) == dials
        assert timers() == []
        rig.policy.always = False
        rig.ws.connect()
        assert rig.ws.state is State.CONNECTING


@pytest.mark.spec("A2.2", "A12.2")
@virtual
async def test_a_crossing_close_keeps_intent_and_the_code_of_the_peer() -> None:
    policy = Answering()
    ws, wire, transport = await opened(DEAF, policy=policy)
    closing = asyncio.ensure_future(ws.close(1000, "bye"))
    await turns()
    wire.end(Close.frame(4401))
    wire.end(KICKED)
    await closing
    close = ws.last_close
    assert close is not None
    assert (close.code, close.intentional, close.wish) == (4401, True, Wish.CLOSE)
    assert (close.origin, close.cause, close.clean) == (
        Origin.APPLICATION,
        Cause.CLOSE_FRAME,
        True,
    )
    assert len(policy.asked) == 1
    assert len(transport.requests) == 1


@pytest.mark.spec("A2.1")
@virtual
async def test_intent_is_set_before_the_first_await() -> None:
    ws, _, _ = await opened()
    closing = ws.close()
    closing.send(None)
    assert ws.state is State.CLOSING
    closing.close()
    await ws.wait_for(State.CLOSED)
    assert ws.last_close is not None
    assert ws.last_close.intentional


@pytest.mark.spec("A12.1")
@pytest.mark.parametrize("first", ["us", "peer"])
@virtual
async def test_both_sides_in_one_tick(first: str) -> None:
    ws, wire, transport = await opened(policy=Answering(Retry(5.0)))
    changes = ws.changes()
    if first == "peer":
        wire.end(KICKED)
    closing = asyncio.ensure_future(ws.close())
    asyncio.get_running_loop().call_soon(wire.end, KICKED)
    await closing
    ends = [change.close async for change in changes if change.close is not None]
    assert len(ends) == 1
    assert ends[0].intentional is (first == "us")
    await pass_time(1000)
    assert len(transport.requests) == 1


@pytest.mark.spec("A3.1", "A3.2", "A1")
@pytest.mark.parametrize("wishes", list(product(["close", "suspend", "connect"], repeat=3)))
@pytest.mark.parametrize("apart", [None, 0.0, 1.0])
@pytest.mark.parametrize("place", ["connecting", "on_open", "open", "closing"])
@virtual
async def test_the_last_wish_decides(
    place: str, apart: float | None, wishes: tuple[str, ...]
) -> None:
    leads = {"close": State.CLOSED, "suspend": State.PASSIVE, "connect": State.OPEN}
    async with Rig(place) as rig:
        ws, waiting, expected = rig.ws, [], State.OPEN

        async def ask(wish: str) -> None:
            nonlocal expected
            if not (wish == "suspend" and ws.state is State.CLOSED):  # nothing is kept there
                expected = leads[wish]
            if wish == "connect":
                ws.connect()
            else:
                await getattr(ws, wish)()

        for wish in wishes:
            waiting.append(asyncio.ensure_future(ask(wish)))
            await turns(1)
            if apart is not None:
                await pass_time(apart)
        await pass_time(30)
        for task in waiting:
            assert task.done()
            await task
        if set(wishes) == {"connect"} and place in ("connecting", "on_open"):
            expected = State.BACKOFF  # its dial ran into its deadline, as nobody left
        assert ws.state is expected
        assert len(rig.transport.live) + rig.transport.dialling <= 1


@pytest.mark.spec("A3.1", "A3.2", "A10")
@pytest.mark.parametrize("later", ["connect", "suspend", "reconnect"])
@virtual
async def test_a_later_wish_releases_who_waits_for_an_earlier_one(later: str) -> None:
    ws, wire, _ = await opened(DEAF, UP)
    closing = asyncio.ensure_future(ws.close(4000, "first"))
    await pass_time(1)
    assert not closing.done()
    if later == "suspend":
        suspending = asyncio.ensure_future(ws.suspend(4001, "second"))
    else:
        getattr(ws, later)()
    await turns()
    assert closing.done()
    assert wire.closed_with == (4000, "first")
    assert now() == 1.0
    await pass_time(5)
    if later == "suspend":
        assert suspending.done()
        assert ws.state is State.PASSIVE
    else:
        assert ws.state is State.OPEN
    await ws.close()


@pytest.mark.spec("A4.1", "A4.2", "A8", "A6.2")
@virtual
async def test_a_deaf_peer_is_left_in_time() -> None:
    seen: list[StateChange] = []
    ws, wire, _ = await opened(DEAF, timeouts=Timeouts(close=2.0), observers=[seen.append])
    for _ in range(50):
        wire.deliver("chatter")
    await ws.close(4000, "bye")
    assert now() == 2.0
    assert wire.aborted
    close = ws.last_close
    assert close is not None
    assert (close.cause, close.code, close.sent_code) == (Cause.CLOSE_TIMEOUT, 1006, 4000)
    assert (close.origin, close.intentional) == (Origin.APPLICATION, True)
    assert seen[-1].undelivered == 0
    assert [await ws.receive() for _ in range(50)] == ["chatter"] * 50


@pytest.mark.spec("A4.1", "A11.6")
@virtual
async def test_the_bound_holds_with_a_task_that_refuses_as_well() -> None:
    ws, _, _ = await opened(DEAF, timeouts=Timeouts(close=2.0))
    free = asyncio.Event()

    async def refuse() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    task = ws.scope.create_task(refuse())
    await turns()
    await ws.close()
    assert now() == 2.0
    free.set()
    await task


@pytest.mark.spec("A10")
@virtual
async def test_reconnect_leaves_with_the_code_that_was_asked_for() -> None:
    policy = Answering()
    ws, wire, transport = await opened(UP, UP, policy=policy)
    changes = ws.changes()
    ws.reconnect(4000, "resume")
    await ws.wait_for(State.OPEN)
    assert wire.closed_with == (4000, "resume")
    assert len(transport.live) == 1
    first = await anext(changes)
    second = await anext(changes)
    assert (first.current, second.current) == (State.CLOSING, State.CONNECTING)
    assert second.close is not None
    assert (second.close.intentional, second.close.wish) == (True, Wish.CONNECT)
    assert second.attempt == 1, "it left before it was stable"
    assert now() == 1.0, "and dials start a second apart"
    await ws.close()


@pytest.mark.spec("A7")
@virtual
async def test_one_close_record_a_generation_before_the_next_dial() -> None:
    ws, _, transport = await opened(UP, UP, UP, policy=Answering(Retry(1.0)))
    changes = ws.changes()
    transport.wires[-1].end(KICKED)
    transport.wires[-1].end(CUT)
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(CUT)
    await ws.wait_for(State.OPEN)
    await ws.close()
    story = [(each.current, each.generation, each.close) async for each in changes]
    ends = [(generation, close.code) for _, generation, close in story if close is not None]
    assert ends == [(1, 1012), (2, 1006), (3, 1000)]
    for before, after in pairwise(story):
        if after[0] is State.CONNECTING:
            assert before[0] is State.BACKOFF
            assert before[2] is not None


@pytest.mark.spec("A8")
@pytest.mark.parametrize("place", ["connecting", "on_open"])
@virtual
async def test_what_the_engine_gives_up_is_not_intentional(place: str) -> None:
    async with Rig(place) as rig:
        await pass_time(20)
        close = rig.ws.last_close
        assert close is not None
        assert (close.cause, close.origin) == (Cause.CONNECT_TIMEOUT, Origin.ENGINE)
        assert not close.intentional
        assert close.sent_code is None
        assert all(wire.aborted and wire.closed_with is None for wire in rig.transport.wires)


@pytest.mark.spec("A11.2", "A11.4")
@virtual
async def test_everybody_who_waits_is_settled() -> None:
    ws, transport = engine(HANGS)
    ws.connect()
    waiting = [
        asyncio.ensure_future(ended(each))
        for each in (ws.wait_for(State.OPEN), ws.receive(), ws.wait_for(State.CLOSED), ws.close())
    ]
    changes = ws.changes()
    results = await asyncio.gather(*waiting)
    assert [type(each) for each in results] == [
        ConnectionClosed,
        ConnectionClosed,
        type(None),
        type(None),
    ]
    assert [change.trigger async for change in changes][-1] is Trigger.LOST
    assert transport.released == 1


@pytest.mark.spec("A11.4", "J1.2")
@pytest.mark.parametrize("place", [place for place in STATES if place not in ("fresh", "closed")])
@virtual
async def test_the_transport_is_released_on_every_way_to_closed(place: str) -> None:
    async with Rig(place) as rig:
        assert rig.transport.released == 0
        await rig.ws.close()
        assert rig.transport.released == 1
        await rig.ws.close()
        assert rig.transport.released == 1


@pytest.mark.spec("A1")
@virtual
async def test_a_close_can_be_given_up_and_goes_on_by_itself() -> None:
    for place in ("connecting", "on_open", "open", "closing", "backoff", "held"):
        async with Rig(place) as rig:
            closing = asyncio.ensure_future(rig.ws.close())
            await asyncio.sleep(0)
            closing.cancel()
            result = await asyncio.gather(closing, return_exceptions=True)
            assert place in ("backoff", "held") or isinstance(result[0], asyncio.CancelledError)
            await pass_time(5)
            assert rig.ws.state is State.CLOSED


@pytest.mark.spec("A7", "B1.1")
@virtual
async def test_the_record_of_an_answered_close() -> None:
    ws, _, _ = await opened(Plan(echo_takes=1.5))
    await ws.close(3000, "done")
    assert now() == 1.5
    assert ws.last_close == Close(
        code=3000,
        sent_code=3000,
        reason="done",
        origin=Origin.APPLICATION,
        cause=Cause.CLOSE_FRAME,
        clean=True,
        intentional=True,
        wish=Wish.CLOSE,
    )
