"""The policy inside the engine: asked once, believed only if the machine has a row, repeatable."""

import asyncio
import itertools
from math import inf, nan
from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import (
    Close,
    ConnectionClosed,
    Context,
    Delivery,
    Hold,
    Outbox,
    PolicyError,
    Retry,
    State,
    Stop,
    policies,
)
from recloser.fsm import Phase
from recloser.testing import Plan
from tests.engine.rig import (
    CUT,
    DOWN,
    HANGS,
    KICKED,
    UP,
    Answering,
    Rig,
    ended,
    engine,
    now,
    opened,
    pass_time,
    turns,
    virtual,
)


def bad_delay(delay: float) -> Retry:
    """A Retry that went round its constructor."""
    answer = object.__new__(Retry)
    for name, value in (("delay", delay), ("refresh", False), ("rule", ""), ("unsent", None)):
        object.__setattr__(answer, name, value)
    return answer


class Late(Answering):
    """Fails where its answer is made."""

    def decide(self, close: Close, context: Context) -> Any:
        return Retry(self.answers[0])  # type: ignore[arg-type]  # bad on purpose


BAD_ANSWERS = [None, "retry", 5, True, Retry, Stop, (Retry(1),), {}, ValueError("x"), KeyError()]


@pytest.mark.spec("B4.1", "B4.4", "B4.5")
@pytest.mark.parametrize("answer", BAD_ANSWERS, ids=repr)
@pytest.mark.parametrize("phase", list(Phase))
@virtual
async def test_whatever_is_no_decision_ends_in_closed(phase: Phase, answer: Any) -> None:
    policy = Answering(answer)
    ws, transport = engine(UP if phase is Phase.OPEN else DOWN, policy=policy)
    changes = ws.changes()
    with capture_logs() as logs:
        ws.connect()
        await turns()
        if phase is Phase.OPEN:
            transport.wires[-1].end(KICKED)
        await pass_time(1000)
    assert ws.state is State.CLOSED
    assert len(transport.requests) == 1
    last = [change async for change in changes][-1]
    error = last.error
    assert isinstance(error, PolicyError)
    assert error.close is last.close
    assert error.context.phase is phase
    assert error.answer is (None if isinstance(answer, Exception) else answer)
    assert error.__cause__ is (answer if isinstance(answer, Exception) else None)
    assert last.rule == "policy-error"
    told = [log for log in logs if log["event"] == "websocket.policy_failed"]
    assert len(told) == 1
    assert told[0]["log_level"] == "error"
    assert "fix it" in told[0]["error"]
    for call in (ws.receive, ws.__anext__, lambda: ws.send("x")):
        assert isinstance(await ended(call()), PolicyError)
    with pytest.raises(PolicyError):
        ws.reconnect()
    assert len(policy.asked) == 1


@pytest.mark.spec("B4.2")
@pytest.mark.parametrize("delay", [-1, nan, inf, "5", None])
@virtual
async def test_a_delay_that_cannot_be_waited(delay: Any) -> None:
    ws, _, transport = await opened(policy=Late(delay))
    transport.wires[-1].end(CUT)
    await turns()
    assert ws.state is State.CLOSED
    assert isinstance(await ended(ws.receive()), PolicyError)


@pytest.mark.spec("B4.1", "B4.5", "B5", "A1")
@pytest.mark.parametrize("leave", ["close", "suspend", "connect", "reconnect"])
@pytest.mark.parametrize("answer", [Retry(0.0), Hold(), ValueError("x"), None])
@virtual
async def test_a_policy_error_after_an_end_of_our_own(answer: Any, leave: str) -> None:
    policy = Answering(answer, always=True)
    ws, _, transport = await opened(UP, UP, policy=policy)
    if leave == "connect":
        with capture_logs():
            closing = ws.close()
            closing.send(None)
            ws.connect()
            closing.close()
    elif leave == "reconnect":
        ws.reconnect()
    else:
        await getattr(ws, leave)()
    await pass_time(100)
    fits = isinstance(answer, Hold) and leave != "close"
    if fits:
        assert ws.state is (State.PASSIVE if leave == "suspend" else State.OPEN)
    else:
        assert ws.state is State.CLOSED
        assert len(transport.requests) == 1
        assert isinstance(await ended(ws.receive()), PolicyError)
        assert isinstance(await ended(anext(ws)), PolicyError)
    policy.always = False
    await ws.close()


@pytest.mark.spec("B4.7")
@virtual
async def test_a_mended_policy_can_go_on() -> None:
    policy = Answering(ValueError("x"), Retry(1.0))
    ws, transport = engine(DOWN, DOWN, UP, policy=policy)
    ws.connect()
    await turns()
    assert ws.state is State.CLOSED
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert len(transport.requests) == 3
    await ws.close()


@pytest.mark.spec("B4.7", "A7")
@virtual
async def test_a_policy_that_is_interrupted_is_asked_again() -> None:
    policy = Answering(Retry(5.0))
    ws, _, transport = await opened(policy=policy)
    answers = iter([KeyboardInterrupt(), None])
    plain = policy.decide

    def decide(close: Close, context: Context) -> Any:
        interruption = next(answers)
        if interruption is not None:
            raise interruption
        return plain(close, context)

    policy.decide = decide  # type: ignore[method-assign]  # an interruption from outside
    with pytest.raises(KeyboardInterrupt):
        transport.wires[-1].end(CUT)
    assert ws.state is State.OPEN
    ws.mark_healthy()
    assert ws.state is State.BACKOFF
    assert ws.last_close == CUT
    policy.decide = plain  # type: ignore[method-assign]  # and back
    await ws.close()


@pytest.mark.spec("B10", "I4.1")
@virtual
async def test_the_rule_is_named_or_the_class_of_the_policy() -> None:
    ws, transport = engine(DOWN, DOWN, policy=Answering(Retry(1.0, rule="again"), Retry(1.0)))
    changes = ws.changes()
    with capture_logs() as logs:
        ws.connect()
        await pass_time(1.5)
    told = [await anext(changes) for _ in range(4)]
    assert [change.rule for change in told] == ["", "again", "", "Answering"]
    assert [log["rule"] for log in logs] == ["", "again", "", "Answering"]
    assert transport.dialling == 0
    await ws.close()


@pytest.mark.spec("B11")
@virtual
async def test_advice_reaches_the_policy_once() -> None:
    policy = Answering(Retry(1.0))
    ws, _, transport = await opened(UP, UP, HANGS, policy=policy)
    ws.advise("first")
    ws.advise("go away", retry_after=30, spread=2.5)
    transport.wires[-1].end(KICKED)
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(KICKED)
    await turns()
    ws.advise("nobody listens in backoff")
    await pass_time(2)
    await ws.close()
    told = [(close.advice, close.retry_after, close.spread) for close, _ in policy.asked]
    assert told == [("go away", 30, 2.5), (None, None, None), (None, None, None)]


@pytest.mark.spec("D1.1")
@virtual
async def test_a_server_that_accepts_and_closes_sees_growing_gaps() -> None:
    starts: list[float] = []
    ws, transport = engine(*[UP] * 9, policy=policies.standard(), seed=7)
    ws.subscribe(lambda change: starts.append(now()) if change.current is State.OPEN else None)
    ws.connect()
    for _ in range(9):
        await ws.wait_for(State.OPEN)
        transport.wires[-1].end(CUT)
        await turns()
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert min(gaps) >= 1.0
    assert sum(gaps[4:]) > 2 * sum(gaps[:4])
    assert ws.attempt == 9
    await ws.close()


@pytest.mark.spec("D8")
@pytest.mark.parametrize("make", ["standard", "basic"])
def test_the_same_seed_gives_the_same_delays(make: str) -> None:
    def delays(seed: int | None) -> list[float | None]:
        found: list[float | None] = []

        @virtual
        async def story() -> None:
            plans = [DOWN, Plan(messages=("x",)), DOWN, DOWN, UP, DOWN]
            ws, transport = engine(*plans, policy=getattr(policies, make)(), seed=seed)
            ws.subscribe(lambda change: found.append(change.delay))
            ws.connect()
            for _ in range(2):
                await ws.wait_for(State.OPEN)
                transport.wires[-1].end(CUT)
                await turns()
            await ws.close()

        story()
        return [delay for delay in found if delay is not None]

    assert delays(1) == delays(1)
    assert delays(1) != delays(2)
    assert len(delays(None)) == len(delays(1))


@pytest.mark.spec("B5")
@virtual
async def test_a_stop_of_the_policy_is_told_apart_from_a_close() -> None:
    async with Rig("open") as rig:
        rig.policy.answers = [Stop("enough")]
        rig.transport.wires[-1].end(KICKED)
        await turns()
        error = await ended(rig.ws.receive())
        assert isinstance(error, ConnectionClosed)
        assert "code 1012 from peer" in str(error)
        assert "rule enough" in str(error)


@pytest.mark.spec("B4.3")
@pytest.mark.parametrize("answer", [ValueError("x"), "nonsense"], ids=str)
@virtual
async def test_a_policy_error_keeps_the_messages(answer: Any) -> None:
    policy = Answering(answer)
    ws, transport = engine(UP, UP, policy=policy, outbox=Outbox())
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[0].stall()
    sending = asyncio.ensure_future(ws.send("on its way"))
    await turns()
    transport.wires[0].end(CUT)
    assert await sending is Delivery.QUEUED
    assert ws.state is State.CLOSED
    assert [message.data for message in ws.outbox.peek()] == ["on its way"]
    assert ws.statistics().dropped == 0
    ws.connect()
    await ws.drain()
    assert transport.wires[1].sent == ["on its way"]
    await ws.close()
