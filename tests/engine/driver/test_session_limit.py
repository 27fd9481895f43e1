"""`max_age`: a connection is left before the service would end it, between two answers."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

import recloser
from recloser import Close, Queries, State, StateChange, Stop
from recloser.fsm import Trigger, Wish
from recloser.log import SESSION_LIMIT
from recloser.policies import standard
from recloser.testing import Plan, run
from tests.engine.rig import CUT, DEAF, DOWN, UP, Answering, now, opened, pass_time, turns, virtual


@pytest.mark.spec("D10.1", "D10.2", "D4.11")
@virtual
async def test_it_is_left_at_its_age_and_that_is_no_failure() -> None:
    changes: list[StateChange] = []
    ws, wire, transport = await opened(
        UP, UP, UP, policy=standard(), max_age=100.0, observers=[changes.append]
    )
    with capture_logs() as lines:
        await ws.wait_for(State.CLOSING)
    assert now() == 100.0
    await ws.wait_for(State.OPEN)
    assert now() == 100.0
    assert wire.closed_with == (1000, "")
    close = ws.last_close
    assert close is not None
    assert (close.intentional, close.wish) == (True, Wish.CONNECT)
    assert [change.attempt for change in changes] == [0] * len(changes)
    [line] = [line for line in lines if line["event"] == SESSION_LIMIT]
    assert (line["age"], line["waited"], line["quiet"]) == (100.0, 0.0, True)
    await ws.wait_for(State.CLOSING)
    assert now() == 200.0
    await ws.close()
    await pass_time(500.0)
    assert len(transport.requests) == 2


@pytest.mark.spec("D10.2", "D4.11")
@virtual
async def test_before_the_stable_period_it_counts_no_failure_and_keeps_the_gap() -> None:
    starts: list[float] = []
    ws, _, _ = await opened(
        *[UP] * 6,
        policy=standard(),
        max_age=0.25,
        observers=[lambda change: change.current is State.OPEN and starts.append(now())],
    )
    while len(starts) < 5:
        await pass_time(0.25)
        assert ws.attempt == 0
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(starts))
    await ws.close()


@pytest.mark.spec("D10.2", "D4.11")
@virtual
async def test_the_run_goes_on_as_it_was() -> None:
    ws, wire, _ = await opened(UP, UP, UP, UP, policy=Answering(recloser.Retry(1.0)), max_age=5.0)
    wire.end(CUT)
    await ws.wait_for(State.OPEN)
    assert ws.attempt == 1
    await ws.wait_for(State.CLOSING)
    await ws.wait_for(State.OPEN)
    assert ws.attempt == 1
    await ws.close()


@pytest.mark.spec("D10.3", "D8")
@given(st.integers(0, 2**32), st.floats(1.0, 1000.0), st.floats(0, 1000.0))
@settings(max_examples=25, deadline=None)
def test_each_age_is_drawn_between_the_bounds(seed: int, low: float, width: float) -> None:
    async def ages() -> list[float]:
        found: list[float] = []
        ws, _, _ = await opened(*[UP] * 4, policy=standard(), max_age=(low, low + width), seed=seed)
        for _ in range(3):
            begun = now()
            await ws.wait_for(State.CLOSING)
            found.append(now() - begun)
            await ws.wait_for(State.OPEN)
        await ws.close()
        return found

    drawn = run(ages())
    assert all(low - 1e-6 <= age <= low + width + 1e-6 for age in drawn)
    assert drawn == run(ages())


@pytest.mark.spec("D10.4")
@virtual
async def test_it_waits_for_the_answer_to_a_query() -> None:
    ws, wire, _ = await opened(UP, UP, policy=standard(), max_age=100.0)
    queries = Queries(ws, key=lambda message: message)
    await pass_time(99.0)
    asked = asyncio.ensure_future(queries.ask("q", "answer", within=60.0))
    await pass_time(5.0)
    assert ws.state is State.OPEN
    wire.deliver("answer")
    assert await asked == "answer"
    assert ws.state in (State.CLOSING, State.CONNECTING, State.OPEN)
    await ws.wait_for(State.OPEN)
    assert (ws.generation, now()) == (2, 104.0)
    await ws.close()


@pytest.mark.spec("D10.4")
@pytest.mark.parametrize(("age", "patience"), [(100.0, 10.0), (3000.0, 30.0)])
@virtual
async def test_it_does_not_wait_for_ever(age: float, patience: float) -> None:
    ws, _, _ = await opened(DEAF, UP, policy=standard(), max_age=age)
    with ws.scope.exchange(), capture_logs() as lines:
        await ws.wait_for(State.CLOSING)
    assert now() == age + patience
    [line] = [line for line in lines if line["event"] == SESSION_LIMIT]
    assert (line["age"], line["waited"], line["quiet"]) == (age + patience, patience, False)
    await ws.close()


@pytest.mark.spec("D10.4")
@virtual
async def test_it_waits_for_the_last_of_several_exchanges() -> None:
    ws, _, _ = await opened(UP, UP, policy=standard(), max_age=100.0)
    scope = ws.scope
    with scope.exchange():
        with scope.exchange():
            await pass_time(101.0)
        assert not scope.quiet
        await pass_time(1.0)
        assert ws.state is State.OPEN
    assert ws.state is State.CLOSING
    await turns()
    assert ws.generation == 2
    with scope.exchange():  # of an ended generation: nothing waits for it
        pass
    await turns()
    assert ws.generation == 2
    await ws.close()


@pytest.mark.spec("D10.5", "A1", "A3.1")
@pytest.mark.parametrize("call", ["close", "suspend"])
@pytest.mark.parametrize("plan", [UP, DEAF, Plan(echo_takes=0.2)], ids=["up", "deaf", "slow"])
@virtual
async def test_a_close_or_a_rest_wins(plan: Plan, call: str) -> None:
    ws, _, transport = await opened(plan, UP, policy=Answering(Stop()), max_age=100.0)
    left = asyncio.ensure_future(ws.wait_for(State.CLOSING))
    await left
    await (ws.close() if call == "close" else ws.suspend())
    assert ws.state is (State.CLOSED if call == "close" else State.PASSIVE)
    await pass_time(1000.0)
    assert len(transport.requests) == 1
    await ws.close()


@pytest.mark.spec("D10.5", "C2")
@virtual
async def test_the_limit_of_an_ended_generation_ends_nothing() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(recloser.Retry(0.0)), max_age=100.0)
    await pass_time(60.0)
    wire.end(Close.frame(1012))
    await ws.wait_for(State.OPEN)
    begun = now()
    await ws.wait_for(State.CLOSING)
    assert now() - begun == 100.0
    await ws.close()


@pytest.mark.parametrize(
    ("given_age", "kind"),
    [
        (0, ValueError),
        (-5.0, ValueError),
        ("60", TypeError),
        (True, TypeError),
        ((1.0, 2.0, 3.0), ValueError),
        ((2.0, 1.0), ValueError),
        ((1.0, "2"), TypeError),
        (float("inf"), ValueError),
    ],
)
def test_bad_ages(given_age: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="max_age"):
        recloser.connect("ws://feed.example", max_age=given_age)


@pytest.mark.spec("D10.6")
def test_what_the_catalogue_knows_can_be_given() -> None:
    lifetime = recloser.policies.service("binance").lifetime
    assert lifetime is not None
    low, high = lifetime.max_age
    assert 0 < low < high < lifetime.seconds == 86_400
    recloser.connect("wss://stream.example", max_age=lifetime.max_age)


@pytest.mark.spec("D10.2")
@virtual
async def test_the_change_is_that_of_a_reconnect() -> None:
    changes: list[StateChange] = []
    ws, _, _ = await opened(UP, UP, policy=standard(), max_age=5.0, observers=[changes.append])
    await ws.wait_for(State.CLOSING)
    await ws.wait_for(State.OPEN)
    assert [(change.current, change.trigger) for change in changes[-3:]] == [
        (State.CLOSING, Trigger.CLOSE),
        (State.CONNECTING, Trigger.LOST),
        (State.OPEN, Trigger.OPENED),
    ]
    await ws.close()


@pytest.mark.spec("D10.7", "D10.2", "C3.9")
@virtual
async def test_with_gapless_the_next_connection_comes_first() -> None:
    changes: list[StateChange] = []
    ws, wire, transport = await opened(
        UP, Plan(takes=3.0), UP, policy=standard(), max_age=100.0, gapless=True
    )
    ws.subscribe(changes.append)
    await pass_time(102.0)
    assert (ws.state, wire.closed_with, len(transport.requests)) == (State.OPEN, None, 2)
    await pass_time(1.5)
    assert (ws.state, ws.generation, ws.attempt) == (State.OPEN, 2, 0)
    assert wire.closed_with == (1000, "")
    assert {change.at for change in changes} == {103.0}
    await pass_time(100.0)
    assert ws.generation == 3
    await ws.close()


@pytest.mark.spec("D10.7", "C3.11")
@virtual
async def test_a_gapless_move_that_fails_is_tried_again() -> None:
    ws, wire, transport = await opened(
        UP, DOWN, DOWN, UP, policy=Answering(recloser.Retry(50.0)), max_age=100.0, gapless=True
    )
    await pass_time(135.0)
    assert (ws.state, ws.generation, len(transport.requests)) == (State.OPEN, 1, 2)
    await pass_time(20.0)
    assert (ws.state, ws.attempt, len(transport.requests)) == (State.OPEN, 2, 3)
    assert not wire.over
    await pass_time(60.0)
    assert (ws.state, ws.generation) == (State.OPEN, 4)
    assert transport.live == [transport.wires[-1]]
    await ws.close()
    await pass_time(500.0)
    assert len(transport.requests) == 4


@pytest.mark.spec("D10.7", "D10.5")
@virtual
async def test_a_close_wins_over_a_gapless_move() -> None:
    ws, _, transport = await opened(UP, Plan(takes=9.0), max_age=10.0, gapless=True)
    await pass_time(12.0)
    await ws.close()
    await pass_time(100.0)
    assert (ws.state, transport.live) == (State.CLOSED, [])


@pytest.mark.spec("D10.7")
@pytest.mark.parametrize(
    ("options", "kind"), [({"gapless": True}, ValueError), ({"gapless": 1}, TypeError)]
)
def test_gapless_without_an_age_is_refused(options: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind, match="gapless"):
        recloser.connect("ws://feed.example", **options)
