"""The watchdog on data: a feed that stalls is an end of its own, and nothing less is one."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recloser
from recloser import Close, Hold, Opening, Outbox, Retry, State
from recloser.fsm import Cause, Origin
from recloser.policies import standard
from recloser.testing import run
from recloser.transport.intercept import InterceptedReader
from tests.engine.rig import DEAF, UP, Answering, now, opened, pass_time, timers, turns, virtual


def stale(sent_code: int = 3008) -> Close:
    return Close.by_engine(Cause.STALE, sent_code=sent_code)


@pytest.mark.spec("F11.1", "F11.2", "A8")
@virtual
async def test_a_connection_without_a_message_ends_at_the_moment() -> None:
    policy = Answering(Hold("rest"))
    ws, wire, _ = await opened(UP, policy=policy, stale_after=10.0)
    await pass_time(4.0)
    wire.deliver("x")
    assert await ws.receive() == "x"
    await ws.wait_for(State.PASSIVE)
    assert now() == 14.0
    assert wire.closed_with == (3008, "")
    assert ws.last_close == stale()
    assert ws.last_close.origin is Origin.ENGINE
    assert str(ws.last_close.error) == "no message for 10 s"
    assert policy.asked[0][1].attempt == 1
    await ws.close()


@pytest.mark.spec("F11.1")
@virtual
async def test_the_time_begins_when_the_connection_opens() -> None:
    async def greet(opening: Opening) -> None:
        await pass_time(8.0)

    ws, _, _ = await opened(UP, policy=Answering(Hold()), stale_after=5.0, on_open=greet)
    await ws.wait_for(State.PASSIVE)
    assert now() == 13.0
    await ws.close()


@pytest.mark.spec("F11.1", "D1.1")
@virtual
async def test_under_the_standard_policy_it_counts_and_dials_again() -> None:
    changes: list[recloser.StateChange] = []
    ws, _, transport = await opened(
        UP, UP, UP, policy=standard(), stale_after=3.0, observers=[changes.append], seed=1
    )
    while len(transport.requests) < 3:
        await pass_time(1.0)
    ends = [change for change in changes if change.close is not None]
    assert [change.rule for change in ends] == ["stale", "stale"]
    assert [change.attempt for change in ends] == [1, 2]
    await ws.close()


@pytest.mark.spec("F11.1")
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.01, 7.0), max_size=12),
    st.booleans(),
)
def test_it_ends_after_the_first_gap_that_is_too_long(gaps: list[float], consumed: bool) -> None:
    """Whether or not somebody consumes, and to the moment."""

    async def story() -> None:
        ws, wire, _ = await opened(UP, policy=Answering(Hold()), stale_after=5.0)
        consumer = asyncio.ensure_future(ws.receive()) if consumed else None
        expected = last = 0.0
        for gap in gaps:
            if gap >= 5.0:
                break
            asyncio.get_running_loop().call_at(last + gap, wire.deliver, "x")
            last += gap
        expected = last + 5.0
        await ws.wait_for(State.PASSIVE)
        assert now() == pytest.approx(expected)
        await ws.close()
        if consumer is not None:
            await asyncio.wait((consumer,))
            consumer.exception()

    run(story())


@pytest.mark.spec("F11.3")
@virtual
async def test_a_message_that_the_loop_reads_late_counts() -> None:
    ws, wire, _ = await opened(UP, policy=Answering(Hold()), stale_after=10.0)
    loop = asyncio.get_running_loop()
    loop.call_at(10.0, loop.call_soon, wire.deliver, "x")  # one turn after the timer
    await pass_time(15.0)
    assert ws.state is State.OPEN
    await ws.wait_for(State.PASSIVE)
    assert now() == 20.0
    await ws.close()


@pytest.mark.spec("F11.3")
@virtual
async def test_behind_a_full_buffer_nothing_is_stale() -> None:
    ws, wire, _ = await opened(UP, policy=Answering(Hold()), stale_after=10.0, receive_buffer=1000)
    for _ in range(3):
        wire.deliver("x" * 500)
    await turns()
    assert wire.full
    await pass_time(100.0)
    assert ws.state is State.OPEN
    for _ in range(3):
        await ws.receive()
    await ws.wait_for(State.PASSIVE)
    assert 110.0 <= now() <= 120.0
    await ws.close()


@pytest.mark.spec("F11.1", "G7.5")
@virtual
async def test_an_acknowledgement_that_nobody_gets_is_a_message() -> None:
    ws, wire, _ = await opened(
        UP,
        policy=Answering(Hold()),
        stale_after=10.0,
        outbox=Outbox(acknowledgements=recloser.Acknowledgements(matcher=lambda _: 1)),
    )
    await pass_time(9.0)
    wire.deliver("ack")
    await ws.wait_for(State.PASSIVE)
    assert now() == 19.0
    await ws.close()


@pytest.mark.spec("F11.4")
@virtual
async def test_a_subscription_is_watched_by_itself() -> None:
    dogs: dict[str, Any] = {}

    def subscribe(opening: Opening) -> None:
        for name in ("trades", "book"):
            dogs[name] = opening.scope.watchdog(10.0, name)

    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(0.0), Hold()), on_open=subscribe)
    for _ in range(4):
        await pass_time(4.0)
        wire.deliver("trades")
        dogs[await ws.receive()].feed()
        if now() <= 8.0:
            dogs["book"].feed()
    await ws.wait_for(State.BACKOFF)
    assert now() == 18.0
    assert ws.last_close == stale()
    assert str(ws.last_close.error) == "nothing of 'book' for 10 s"
    await ws.wait_for(State.OPEN)
    await ws.wait_for(State.PASSIVE)
    assert now() == 28.0
    await ws.close()


@pytest.mark.spec("F11.4")
@virtual
async def test_a_watchdog_that_is_stopped_or_of_an_ended_generation_ends_nothing() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(0.0)))
    stopped = ws.scope.watchdog(5.0)
    ws.scope.watchdog(5.0, "old")
    stopped.stop()
    wire.end(Close.frame(1012))
    await ws.wait_for(State.OPEN)
    await pass_time(100.0)
    assert ws.state is State.OPEN
    assert ws.generation == 2
    assert len(timers()) == 0
    await ws.close()


@pytest.mark.spec("F11.3", "F11.4")
@virtual
async def test_no_subscription_is_stale_while_the_application_is_behind() -> None:
    ws, wire, _ = await opened(UP, policy=Answering(Hold()))
    dog = ws.scope.watchdog(5.0, "trades")
    wire.deliver("trades")
    await pass_time(50.0)
    assert ws.state is State.OPEN
    assert await ws.receive() == "trades"
    dog.feed()
    await ws.wait_for(State.PASSIVE)
    assert now() == 55.0
    await ws.close()


@pytest.mark.spec("F11.4")
@virtual
async def test_while_on_open_runs_no_subscription_is_stale() -> None:
    async def subscribe(opening: Opening) -> None:
        opening.scope.watchdog(5.0, "trades")
        await pass_time(12.0)

    ws, _, _ = await opened(UP, policy=Answering(Hold()), on_open=subscribe)
    assert now() == 12.0
    await ws.wait_for(State.PASSIVE)
    assert now() == 15.0
    await ws.close()


@pytest.mark.spec("F11.2", "A1", "C3.1")
@virtual
async def test_a_deaf_peer_gets_half_a_second_and_close_wins() -> None:
    ws, wire, transport = await opened(DEAF, UP, policy=Answering(Retry(0.0)), stale_after=5.0)
    await ws.wait_for(State.CONNECTING)
    assert transport.live == [wire]
    await ws.close()
    assert (now(), ws.state, transport.live) == (5.5, State.CLOSED, [])
    await pass_time(100.0)
    assert len(transport.requests) == 1


@pytest.mark.spec("F11.5")
@virtual
async def test_without_it_messages_take_the_way_that_they_always_take() -> None:
    ws, wire, _ = await opened(UP)
    assert not isinstance(getattr(wire.read, "__self__", None), InterceptedReader)
    watched, other, _ = await opened(UP, stale_after=5.0)
    assert isinstance(getattr(other.read, "__self__", None), InterceptedReader)
    await ws.close()
    await watched.close()


@pytest.mark.parametrize(("after", "kind"), [(0, ValueError), (-1, ValueError), ("5", TypeError)])
@virtual
async def test_bad_seconds(after: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="stale_after"):
        recloser.connect("ws://feed.example", stale_after=after)
    ws, _, _ = await opened(UP)
    with pytest.raises(kind, match="after"):
        ws.scope.watchdog(after)
    with pytest.raises(TypeError, match="name of a subscription"):
        ws.scope.watchdog(5.0, 7)  # type: ignore[arg-type]  # a name that is no str
    scope = ws.scope
    await ws.close()
    with pytest.raises(RuntimeError, match="has ended"):
        scope.watchdog(5.0)
    assert timers() == []
