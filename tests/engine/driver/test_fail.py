"""`ws.fail()` on a real engine: the close frame, the messages, the next dial."""

import asyncio

import pytest

from recloser import Close, Hold, Outbox, Retry, State, Stop
from recloser.fsm import Cause, Origin
from recloser.testing import Plan
from tests.engine.rig import (
    DEAF,
    KICKED,
    UP,
    Answering,
    engine,
    now,
    opened,
    pass_time,
    turns,
    virtual,
)


@pytest.mark.spec("B21.1", "B21.2", "C1", "C3.1")
@pytest.mark.parametrize(
    ("plan", "dialled"),
    [(UP, 0.0), (Plan(echo_takes=0.2), 0.2), (DEAF, 0.5)],
    ids=["up", "slow", "deaf"],
)
@virtual
async def test_the_peer_gets_the_code_and_half_a_second(plan: Plan, dialled: float) -> None:
    policy = Answering(Retry(0.0, rule="again"))
    ws, wire, transport = await opened(plan, UP, policy=policy)
    ws.fail("stale", code=4000, reason="no session", retry_after=7.0)
    assert ws.state is State.BACKOFF
    assert wire.closed_with == (4000, "no session")
    close = ws.last_close
    assert close is not None
    assert (close.origin, close.cause, close.intentional) == (
        Origin.APPLICATION,
        Cause.DECLARED,
        False,
    )
    assert (close.sent_code, close.advice, close.retry_after) == (4000, "stale", 7.0)
    assert ws.attempt == 1
    await turns()
    assert len(transport.requests) == (1 if dialled else 2)
    await ws.wait_for(State.OPEN)
    assert now() == dialled
    assert wire.aborted is (plan is DEAF)
    assert len(transport.live) == 1
    assert len(policy.asked) == 1
    await ws.close()


@pytest.mark.spec("B21.2")
@virtual
async def test_the_code_is_1011_if_none_is_chosen() -> None:
    ws, wire, _ = await opened(UP, policy=Answering(Hold()))
    ws.fail()
    assert wire.closed_with == (1011, "")
    await ws.close()


@pytest.mark.spec("B21.3", "A1", "A11.4")
@pytest.mark.parametrize("answer", [Retry(0.0), Retry(50.0), Hold(), Stop()])
@virtual
async def test_a_close_after_it_wins(answer: object) -> None:
    ws, _, transport = await opened(DEAF, UP, policy=Answering(answer))
    ws.fail(code=4000)
    await ws.close()
    assert ws.state is State.CLOSED
    assert transport.live == []
    assert now() <= 0.5
    await pass_time(1000)
    assert len(transport.requests) == 1


@pytest.mark.spec("B21.6", "C3.3", "C3.2")
@virtual
async def test_what_arrives_while_the_peer_answers_is_delivered_first() -> None:
    ws, wire, transport = await opened(DEAF, Plan(messages=("new",)), policy=Answering(Retry(0.0)))
    wire.deliver("before")
    ws.fail()
    wire.deliver("after")
    await ws.wait_for(State.OPEN)
    assert [await ws.receive() for _ in range(3)] == ["before", "after", "new"]
    assert ws.statistics().undelivered == 0
    assert transport.wires[1] is not wire
    await ws.close()


@pytest.mark.spec("B21.7", "G4.3")
@pytest.mark.parametrize("resend", [True, False])
@virtual
async def test_a_message_in_the_write_buffer_does_not_go_out_twice(resend: bool) -> None:
    ws, wire, transport = await opened(
        DEAF, UP, policy=Answering(Retry(0.0)), outbox=Outbox(resend=resend)
    )
    wire.stall()
    sending = asyncio.ensure_future(ws.send("m"))
    await turns()
    ws.fail(code=4000)
    assert wire.closed_with == (None if resend else (4000, ""))
    assert ws.last_close is not None
    assert (ws.last_close.unsent, ws.last_close.sent_code) == (1, None if resend else 4000)
    wire.flow()  # too late for what is sent again
    await ws.wait_for(State.OPEN)
    await ws.drain()
    await asyncio.wait((sending,))
    assert wire.sent + transport.wires[1].sent == ["m"]
    await ws.close()


@pytest.mark.spec("B21.5", "C2")
@virtual
async def test_a_late_call_ends_nothing_newer() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(0.0)))
    old = ws.generation
    wire.end(KICKED)
    await turns()
    ws.fail(generation=old)
    ws.reconnect(4000, generation=old)
    ws.advise("stop", generation=old)
    await ws.wait_for(State.OPEN)
    assert ws.generation == old + 1
    for _ in range(2):
        ws.fail(generation=old)
        ws.reconnect(4000, generation=old)
        ws.advise("stop", generation=old)
        await turns()
        assert ws.state is State.OPEN
    ws.fail(generation=ws.generation)
    assert ws.last_close is not None
    assert (ws.last_close.cause, ws.last_close.advice) == (Cause.DECLARED, None)
    await ws.close()


@pytest.mark.spec("B21.5")
@virtual
async def test_a_bound_reconnect_raises_nothing_in_closed() -> None:
    ws, _ = engine(UP)
    ws.reconnect(4000, generation=1)
    ws.fail(generation=1)
    await turns()
    assert ws.state is State.CLOSED


@pytest.mark.spec("B21.3", "A12.1")
@virtual
async def test_the_peer_may_end_it_in_the_same_tick() -> None:
    policy = Answering(Retry(5.0))
    ws, wire, _ = await opened(UP, policy=policy)
    wire.end(Close.frame(4401))
    ws.fail("stop")
    assert len(policy.asked) == 1
    assert ws.last_close is not None
    assert (ws.last_close.code, ws.last_close.advice) == (4401, None)
    await ws.close()


@pytest.mark.spec("B21.1", "A11.1")
@virtual
async def test_a_task_of_the_scope_may_say_it() -> None:
    ws, _, transport = await opened(UP, UP, policy=Answering(Retry(0.0)))

    async def watch() -> None:
        await pass_time(3.0)
        ws.fail()

    ws.scope.create_task(watch())
    await ws.wait_for(State.BACKOFF)
    await ws.wait_for(State.OPEN)
    assert now() == 3.0
    assert len(transport.requests) == 2
    await ws.close()
