"""`suspend_until`: the rest ends with what was awaited, unless the application said otherwise."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import Hold, State
from tests.engine.rig import (
    CUT,
    STATES,
    UP,
    Answering,
    Rig,
    ended,
    engine,
    opened,
    others,
    pass_time,
    turns,
    virtual,
)


def resting(
    ws: recloser.ReconnectingWebSocket, done: asyncio.Event
) -> "asyncio.Task[BaseException | object]":
    return asyncio.ensure_future(ended(ws.suspend_until(done.wait(), 4000, "night")))


@pytest.mark.spec("H1.1", "H2", "H6.1", "H6.4", "A13")
@virtual
async def test_it_rests_until_the_awaitable_is_done_and_connects_then() -> None:
    ws, wire, transport = await opened(UP, UP)
    done = asyncio.Event()
    task = resting(ws, done)
    await pass_time(3600)
    assert ws.state is State.PASSIVE
    assert wire.closed_with == (4000, "night")
    assert others() == {task}  # nothing but the task that called
    ws.wake()  # a hint does not end what the application asked for
    assert ws.state is State.PASSIVE
    done.set()
    assert await task is None
    assert ws.state is State.CONNECTING
    await ws.wait_for(State.OPEN)
    assert len(transport.requests) == 2
    await ws.close()


@pytest.mark.spec("A3.1", "A3.3", "A9", "A13")
@pytest.mark.parametrize("place", STATES)
@virtual
async def test_it_does_so_from_every_state_and_nothing_in_closed(place: str) -> None:
    async with Rig(place) as rig:
        done = asyncio.Event()
        task = resting(rig.ws, done)
        await pass_time(10)
        if place in ("fresh", "closed"):
            assert await task is None
            assert rig.ws.state is State.CLOSED
        else:
            assert rig.ws.state is State.PASSIVE
        done.set()
        await task
        await pass_time(1)
        assert rig.ws.state is (State.CLOSED if place in ("fresh", "closed") else State.OPEN)


@pytest.mark.spec("A1", "A3.1", "A13", "H6.2")
@pytest.mark.parametrize("wish", ["close", "suspend", "connect"])
@virtual
async def test_what_the_application_asks_for_meanwhile_stands(wish: str) -> None:
    ws, _, transport = await opened(UP, UP, UP)
    done = asyncio.Event()
    task = resting(ws, done)
    await turns()
    if wish == "connect":
        ws.connect()
    else:
        await getattr(ws, wish)()
    await turns()
    assert task.done() is (wish != "suspend")  # leaving the rest ends the wait
    done.set()
    assert await task is None
    await pass_time(60)
    expected = {"close": State.CLOSED, "suspend": State.PASSIVE, "connect": State.OPEN}
    assert ws.state is expected[wish]
    assert len(transport.requests) == (2 if wish == "connect" else 1)
    await ws.close()


@pytest.mark.spec("A3.1", "A13")
@virtual
async def test_it_does_not_end_a_rest_that_came_after_it() -> None:
    ws, _, _ = await opened(UP, UP)
    done, later = asyncio.Event(), asyncio.Event()
    first = resting(ws, done)
    await turns()
    second = resting(ws, later)
    await turns()
    done.set()
    assert await first is None
    assert ws.state is State.PASSIVE
    later.set()
    await second
    assert ws.state is State.CONNECTING
    await ws.close()


@pytest.mark.spec("A1", "A3.1")
@virtual
async def test_a_close_while_it_is_closing_wins() -> None:
    ws, _, transport = await opened(recloser.testing.Plan(echo_takes=1.0), UP)
    done = asyncio.Event()
    done.set()
    task = resting(ws, done)
    await turns()
    await ws.close()
    assert await task is None
    await pass_time(60)
    assert ws.state is State.CLOSED
    assert len(transport.requests) == 1


class Broken(Exception):
    pass


@pytest.mark.spec("H6.3")
@pytest.mark.parametrize("error", [Broken("the token is secret=abcdef"), TimeoutError()])
@virtual
async def test_a_failure_is_raised_and_logged_and_the_rest_goes_on(error: Exception) -> None:
    ws, _, _ = await opened(UP, UP, fields={"user": 7})

    async def fail() -> None:
        raise error

    with capture_logs() as logs, pytest.raises(type(error)) as caught:
        await ws.suspend_until(fail())
    assert caught.value is error
    [line] = [line for line in logs if line["event"] == "websocket.rest_failed"]
    assert line["user"] == 7
    assert "fail" in line["who"]
    assert "abcdef" not in str(line)
    assert ws.state is State.PASSIVE
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.close()


@virtual
async def test_a_cancelled_future_is_a_failure_and_a_cancelled_caller_is_none() -> None:
    ws, _, _ = await opened(UP, UP)
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await ws.suspend_until(future)
    assert [line["event"] for line in logs].count("websocket.rest_failed") == 1
    assert ws.state is State.PASSIVE
    task = asyncio.ensure_future(ws.suspend_until(asyncio.Event().wait()))
    await turns()
    task.cancel()
    with capture_logs() as logs:
        assert isinstance(await ended(task), asyncio.CancelledError)
    assert logs == []
    assert ws.state is State.PASSIVE
    await ws.close()


@pytest.mark.spec("J2.1", "J3")
@virtual
async def test_cancelled_while_closing_it_awaits_nothing() -> None:
    ws, _, _ = await opened(recloser.testing.Plan(deaf=True))
    task = asyncio.ensure_future(ws.suspend_until(asyncio.Event().wait()))
    await turns()
    assert ws.state is State.CLOSING
    task.cancel()
    assert isinstance(await ended(task), asyncio.CancelledError)
    await ws.close()


@pytest.mark.parametrize(("code", "error"), [(1006, ValueError), ("1000", TypeError)])
@virtual
async def test_bad_codes_change_nothing(code: Any, error: type[Exception]) -> None:
    ws, _, _ = await opened()
    waiting = asyncio.get_running_loop().create_future()
    with pytest.raises(error):
        await ws.suspend_until(waiting, code)
    assert ws.state is State.OPEN
    await ws.close()


@virtual
async def test_a_future_of_somebody_else_is_left_alone_when_it_is_not_awaited() -> None:
    ws, _ = engine()
    future = asyncio.get_running_loop().create_future()
    await ws.suspend_until(future)
    assert not future.cancelled()
    future.cancel()


@pytest.mark.spec("A3.1", "H6.2")
@virtual
async def test_one_that_is_superseded_while_it_closes_awaits_nothing() -> None:
    ws, _, _ = await opened(recloser.testing.Plan(echo_takes=1.0), UP)
    first = resting(ws, asyncio.Event())
    await turns()
    await ws.suspend()
    assert await first is None
    assert ws.state is State.PASSIVE
    await ws.close()


@pytest.mark.spec("H1.2")
@pytest.mark.parametrize("by", ["policy", "application"])
@virtual
async def test_a_rest_keeps_all_but_the_connection(by: str) -> None:
    opens: list[int] = []
    changes: list[State] = []
    ws, wire, transport = await opened(
        UP,
        UP,
        policy=Answering(Hold()),
        outbox=recloser.Outbox(in_passive=True),
        fields={"user": 7},
        on_open=lambda opening: opens.append(opening.generation),
    )
    ws.subscribe(lambda change: changes.append(change.current))
    await ws.send("before")
    if by == "policy":
        wire.end(CUT)
        await turns()
    else:
        await ws.suspend()
    assert ws.state is State.PASSIVE
    await ws.send("meanwhile")
    before = ws.statistics()
    await pass_time(86_400)
    assert ws.statistics() == before
    assert [message.data for message in ws.outbox.peek()] == ["meanwhile"]
    changes.clear()
    with capture_logs() as lines:
        ws.connect()
        await ws.drain()
    assert {line["user"] for line in lines} == {7}
    assert opens == [1, 2]
    assert changes == [State.CONNECTING, State.OPEN]
    assert transport.wires[1].sent == ["meanwhile"]
    assert ws.statistics().opens == 2
    await ws.close()
